// One rule and the rules without which it cannot fire.
#pragma once

#include <string>
#include <vector>

#include "core/result.h"
#include "ids/keywords/rule.h"

namespace gatehouse::ids::explain {

struct RuleClosure {
  std::string text;                          // rule lines: the asked one first
  std::vector<std::uint32_t> prerequisites;  // sids of the others
};

// The rule `sid` of `rules` and, followed as far as they go, the rules that write the state it reads.
core::Result<RuleClosure> closure_of(const RuleList& rules, std::uint32_t sid);

// What the parts of a rule are called. By place in Rule::conditions and in BufferMatch::ops; empty: no name.
struct PartNames {
  std::vector<std::string> conditions;
  std::vector<std::vector<std::string>> ops;
};
PartNames names_of(const Rule& rule, const RuleEnvironment& environment);

}  // namespace gatehouse::ids::explain
