// The interfaces that a ruleset speaks of.
#pragma once

#include <string>
#include <vector>

#include "fwctl/compile/kernel_table.h"
#include "fwctl/prove/search.h"

namespace gatehouse::fwctl {

struct NamedInterfaces {
  std::vector<std::string> names;   // without the loopback
  std::vector<std::string> others;  // that a policy cannot have: "eth*", strange bytes
};
// `indexes` are those that exist, for rules that compare numbers.
NamedInterfaces interfaces_in(const LiveRuleset& ruleset, const prove::Interfaces& indexes);

}  // namespace gatehouse::fwctl
