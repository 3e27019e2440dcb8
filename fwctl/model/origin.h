// Comments that name the policy line.
#pragma once

#include <string>
#include <string_view>

#include "fwctl/model/ruleset.h"

namespace gatehouse::fwctl {

// `web-mail.yaml:27 service web`: base name and line, then `what`. Bytes that would end or
// garble a quoted nft comment are replaced; cut to kMaxCommentBytes.
Origin make_origin(const core::SourcePos& where, std::string_view what);
// For rules every policy has.
Origin built_in(std::string_view what);

}  // namespace gatehouse::fwctl
