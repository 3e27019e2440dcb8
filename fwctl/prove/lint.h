// Rules and grants that cannot mean what they say, found with the diagrams of the proof.
#pragma once

#include <string>
#include <vector>

#include "fwctl/prove/symbolic.h"
#include "site/model/site.h"

namespace gatehouse::fwctl::prove {

struct Finding {
  enum class Kind : std::uint8_t {
    shadowed,       // no packet that reaches the rule matches it
    contradictory,  // the same, and a rule before does the opposite with its packets
    redundant,      // without the rule every packet would end the same
    covered,        // a set's element that others cover
    asymmetric,     // open over one of IPv4 and IPv6 alone
    overlapping,    // two grants open the same
    unserved,       // a port is opened to a host on which nothing of the site serves it
    not_examined,   // too large
  };
  Kind kind = Kind::shadowed;
  std::string where;  // "inet gatehouse forward rule 3", or file:line:col
  std::string what;
};
std::string_view to_string(Finding::Kind kind);

// Every rule within its own chain, for all packets that can exist, and every set.
std::vector<Finding> lint_ruleset(const site::Site& site, const LiveRuleset& ruleset);
// The policy itself.
std::vector<Finding> lint_site(const site::Site& site);

}  // namespace gatehouse::fwctl::prove
