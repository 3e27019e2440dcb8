// Which rule of one chain is which rule of the other.
#pragma once

#include <vector>

#include "fwctl/compile/kernel_table.h"

namespace gatehouse::fwctl {

// A rule of both chains, or of one only (the other pointer is null).
struct Aligned {
  const KernelRule* before = nullptr;
  const KernelRule* after = nullptr;
};

// A longest common subsequence by effect, so that one inserted rule shows as one insertion. In
// order of evaluation. Chains of more than kMaxAligned rules are compared from both ends only.
inline constexpr std::size_t kMaxAligned = 2000;
std::vector<Aligned> align_rules(const std::vector<KernelRule>& before, const std::vector<KernelRule>& after);

}  // namespace gatehouse::fwctl
