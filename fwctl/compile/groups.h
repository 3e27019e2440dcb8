// Control groups in a table. Their numbers are of one start of the machine, and of one life of the group.
#pragma once

#include <cstdint>
#include <set>

#include "fwctl/compile/kernel_table.h"

namespace gatehouse::fwctl {

// A rule asks in which group the program behind a packet is.
bool asks_for_groups(const KernelTable& table);

// The groups that the keys of our maps name.
std::set<std::uint64_t> groups_in(const KernelTable& table);

}  // namespace gatehouse::fwctl
