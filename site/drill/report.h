// The drill's result for people, for programs, and as one page to hand on.
#pragma once

#include <string>

#include "site/drill/drill.h"

namespace gatehouse::drill {

std::string to_text(const DrillResult& result);
std::string to_json(const DrillResult& result);
// One self-contained page: no script, nothing loaded from elsewhere.
std::string to_html(const DrillResult& result);

}  // namespace gatehouse::drill
