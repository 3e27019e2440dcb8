// Bringing back a table from its image.
#pragma once

#include "core/result.h"
#include "fwctl/netlink/kernel.h"

namespace gatehouse::fwctl {

// Afterwards the table does what it did when the image was made; without messages there is none. In place
// where that can be, so that no packet sees anything between.
// `boot` is the start of the machine in which the image was made: one of another start that asks for control
// groups is refused, since their numbers are those of other groups now.
core::Status restore(Kernel& kernel, const RulesetCopy& image, const std::string& boot);

// Refuses such a table.
core::Status check_groups(const KernelTable& table, const std::string& boot);

}  // namespace gatehouse::fwctl
