// The verbs of `gatehouse`.
#pragma once

#include "core/cli.h"

namespace gatehouse::umbrella {

core::ToolSpec gatehouse_tool();

}  // namespace gatehouse::umbrella
