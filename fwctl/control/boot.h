// The way from nothing to a policy at boot, on which the ruleset is never empty.
#pragma once

#include <string>

#include "core/result.h"
#include "fwctl/journal/journal.h"
#include "fwctl/model/base.h"
#include "fwctl/netlink/kernel.h"

namespace gatehouse::fwctl {

// Drops everything but neighbour discovery and the entrance. A table that is there already stays: then
// false.
core::Result<bool> put_base(Kernel& kernel, const std::optional<AdminEntrance>& entrance);

// What the journal says was last brought into force; a change that was never confirmed is taken back first,
// as after a reboot its time is over. False when the journal has nothing.
core::Result<bool> put_last(Kernel& kernel, const Journal& journal);

}  // namespace gatehouse::fwctl
