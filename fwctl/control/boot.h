// The way from nothing to a policy at boot, on which the ruleset is never empty.
#pragma once

#include <functional>
#include <string>

#include "core/result.h"
#include "fwctl/journal/journal.h"
#include "fwctl/model/base.h"
#include "fwctl/netlink/kernel.h"

namespace gatehouse::fwctl {

// Drops everything but neighbour discovery and the entrance. A table that is there already stays: then
// false.
core::Result<bool> put_base(Kernel& kernel, const std::optional<AdminEntrance>& entrance);
// That base is what is in force. Asks for little memory, and for the last time: `kernel` is spent.
bool base_stands(Kernel& kernel, const std::optional<AdminEntrance>& entrance);

// What the journal says was last brought into force; a change that was never confirmed is taken back first,
// as after a reboot its time is over. False when the journal has nothing.
core::Result<bool> put_last(Kernel& kernel, const Journal& journal);

// The exit status of `work`, done in a child: what is too large for the memory there is, or ends in a crash,
// takes only the child with it. Why it ended is logged, and the status is then kExitNo.
core::Result<int> in_a_child(const std::function<core::Result<int>()>& work);

}  // namespace gatehouse::fwctl
