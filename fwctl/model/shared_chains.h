// Chains for what several rules would ask first: one rule asks, and leads there. A rule that does not match
// costs each packet some 15 ns. They give back what they do not decide.
#pragma once

#include "fwctl/model/ruleset.h"

namespace gatehouse::fwctl {

inline constexpr const char* kOnLinkChain = "on-link";  // from a source of kOnLink
inline constexpr const char* kErrorsChain = "errors";   // of state `related`
inline constexpr const char* kLeavesChain = "leaves";   // by an untrusted interface

void add_shared_chains(Ruleset& out);

}  // namespace gatehouse::fwctl
