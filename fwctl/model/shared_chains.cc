#include "fwctl/model/shared_chains.h"

#include "fwctl/model/common_sets.h"
#include "fwctl/model/rule_parts.h"

namespace gatehouse::fwctl {

void add_shared_chains(Ruleset& out) {
  const auto add = [&](const char* name, const char* about, std::vector<Rule> rules) {
    Chain chain;
    chain.name = name;
    chain.about = about;
    chain.rules = std::move(rules);
    out.chains.push_back(std::move(chain));
  };
  add(kOnLinkChain, "what a host on the link may send before it has an address of its network",
      {rule({is(Field::ip6_hoplimit, 255), in({Field::icmpv6_type}, kNdTypes)}, accept(),
            built_in("neighbour discovery on the link")),
       rule({is(Field::ip6_hoplimit, 1), is(Field::icmpv6_type, kMldQuery)}, accept(),
            built_in("multicast listener query on the link"))});
  add(kErrorsChain, "errors of known connections",
      {rule({in({Field::icmp_type}, kErrors4)}, accept(), built_in("errors of known connections")),
       rule({in({Field::icmpv6_type}, kErrors6)}, accept(),
            built_in("errors of known connections, RFC 4890 4.3.1"))});
  add(kLeavesChain, "what leaves for the outside",
      {rule({in({Field::ip_daddr}, kNeverOutside4)}, refuse(), built_in("destination that is not outside")),
       rule({in({Field::ip6_daddr}, kNeverOutside6)}, refuse(),
            built_in("destination that is not outside"))});
}

}  // namespace gatehouse::fwctl
