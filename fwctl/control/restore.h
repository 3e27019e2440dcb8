// Bringing back a table from its image.
#pragma once

#include "core/result.h"
#include "fwctl/netlink/kernel.h"

namespace gatehouse::fwctl {

// Afterwards the table does what it did when the image was made; without messages there is none. In place
// where that can be, so that no packet sees anything between.
core::Status restore(Kernel& kernel, const RulesetCopy& image);

}  // namespace gatehouse::fwctl
