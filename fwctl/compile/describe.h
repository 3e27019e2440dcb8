// Kernel form as text a person can read. The same words for a rule of ours and for one read back,
// so that two texts differ only where the rules do.
#pragma once

#include <string>

#include "fwctl/compile/kernel_table.h"

namespace gatehouse::fwctl {

// `table` gives the key lengths of the sets that the rule looks up.
std::string describe(const KernelRule& rule, const KernelTable& table);
std::string describe(const KernelElement& element, const KernelSet& set);
std::string describe_definition(const KernelSet& set);
std::string describe(const BaseHook& hook);

}  // namespace gatehouse::fwctl
