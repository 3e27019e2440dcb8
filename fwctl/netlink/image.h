// A table as bytes for a file: the kernel's own messages, framed and summed.
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "core/result.h"
#include "fwctl/compile/transaction.h"
#include "fwctl/netlink/kernel.h"

namespace gatehouse::fwctl {

// `making` makes the table from nothing.
core::Result<RulesetCopy> image_of(const Transaction& making);

std::string to_bytes(const RulesetCopy& image);
// Refuses bytes whose framing or sum is not right. The sum finds accidents, not forgeries: what is read must
// come from a file that only root may write.
core::Result<RulesetCopy> parse_image(std::string_view bytes);

// What the one table of the image does; nothing when there are no messages.
core::Result<std::optional<KernelTable>> decode_image(const RulesetCopy& image);

}  // namespace gatehouse::fwctl
