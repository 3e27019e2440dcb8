#include "fwctl/model/base.h"

#include "fwctl/model/origin.h"

namespace gatehouse::fwctl {
namespace {

constexpr const char* kNd = "nd-types";
constexpr const char* kEntrance = "entrance";

Rule rule(std::vector<Match> matches, VerdictKind verdict, const char* why) {
  Rule out;
  out.matches = std::move(matches);
  out.counter = true;
  out.outcome = Verdict{verdict, {}};
  out.origin = built_in(why);
  return out;
}

Chain chain(Hook hook, const std::optional<AdminEntrance>& entrance) {
  Chain out;
  out.name = to_string(hook);
  out.hook = hook;
  out.about = "before a policy is in force";
  auto& r = out.rules;
  if (hook != Hook::forward) {
    const Field field = hook == Hook::input ? Field::iifname : Field::oifname;
    r.push_back(rule({FieldIs{field, Value::of_interface("lo")}}, VerdictKind::accept, "loopback"));
    r.push_back(
        rule({FieldIs{Field::ip6_hoplimit, Value::of_u8(255)}, InSet{{Field::icmpv6_type}, kNd, false}},
             VerdictKind::accept, "neighbour discovery, RFC 4890 4.4.1"));
  }
  if (entrance) {
    // What is established now came in by the entrance, or before the base was there.
    r.push_back(rule({StateIs{CtState::established}}, VerdictKind::accept, "established"));
    const Field source = entrance->from.address.is_v4() ? Field::ip_saddr : Field::ip6_saddr;
    if (hook != Hook::output) {
      r.push_back(rule({InSet{{source, Field::l4proto, Field::dport}, kEntrance, false}}, VerdictKind::accept,
                       "the entrance for administration"));
    }
  }
  r.push_back(rule({}, VerdictKind::drop, "everything else"));
  return out;
}

}  // namespace

Ruleset build_base(const std::optional<AdminEntrance>& entrance) {
  Ruleset out;
  Set nd;
  nd.name = kNd;
  nd.key = {ValueType::icmpv6_type};
  nd.about = "RFC 4861 neighbour discovery";
  for (const std::uint8_t type : {133, 134, 135, 136})
    nd.elements.push_back(
        {{Interval::one(Value::of_u8(type))}, {}, built_in("RFC 4861 neighbour discovery")});
  out.sets.push_back(std::move(nd));
  if (entrance) {
    Set from;
    from.name = kEntrance;
    from.key = {entrance->from.address.is_v4() ? ValueType::ipv4 : ValueType::ipv6, ValueType::protocol,
                ValueType::port};
    from.intervals = !entrance->from.is_host();
    from.about = "who may connect without a policy";
    from.elements.push_back({{Interval::of_prefix(entrance->from), Interval::one(Value::of_u8(kProtocolTcp)),
                              Interval::one(Value::of_port(entrance->port))},
                             {},
                             built_in("the entrance for administration")});
    out.sets.push_back(std::move(from));
  }
  for (const Hook hook : {Hook::input, Hook::forward, Hook::output})
    out.chains.push_back(chain(hook, entrance));
  return out;
}

}  // namespace gatehouse::fwctl
