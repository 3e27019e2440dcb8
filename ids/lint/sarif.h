// Diagnostics as a SARIF 2.1.0 log, which code review tools read.
#pragma once

#include <string>
#include <string_view>

#include "core/diag.h"

namespace gatehouse::ids::lint {

std::string to_sarif(const core::Diagnostics& diagnostics, std::string_view tool_version);

}  // namespace gatehouse::ids::lint
