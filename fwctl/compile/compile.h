// Normal form to kernel form.
#pragma once

#include "fwctl/compile/kernel_table.h"
#include "fwctl/model/ruleset.h"

namespace gatehouse::fwctl {

// Cannot fail: a Ruleset from build_ruleset() always has a kernel form.
KernelTable compile(const Ruleset& ruleset);

// How a field is loaded into a register; `level` is of a control group.
Expression load_field(Field field, Slot to, std::uint32_t level = 0);

}  // namespace gatehouse::fwctl
