// A short name for what a table does.
#pragma once

#include <string>

#include "fwctl/compile/kernel_table.h"

namespace gatehouse::fwctl {

// Equal for tables that do the same (comments and counts do not matter), 16 hexadecimal digits. Tells
// accidents apart; who wants two tables of one digest can make them.
std::string digest(const KernelTable& table);

}  // namespace gatehouse::fwctl
