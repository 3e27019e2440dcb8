// How many connections may be opened and be open, as rules that refuse what is beyond.
#pragma once

#include <string>
#include <vector>

#include "fwctl/model/ruleset.h"
#include "site/model/site.h"

namespace gatehouse::fwctl {

struct LimitRules {
  std::vector<Set> sets;  // of sources
  std::vector<Rule> rules;
};

// The chain that every service enters first, and its name; no rules when the site has no such limit.
inline constexpr std::string_view kLimitAllChain = "limit-all";
LimitRules limit_all(const site::Site& site);
// Of one service. A source that asks too often is refused before it uses up what all share.
LimitRules limits_of(const site::Site& site, const site::Service& service);

}  // namespace gatehouse::fwctl
