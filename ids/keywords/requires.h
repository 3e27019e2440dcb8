// requires: conditions under which a rule is to be loaded at all.
#pragma once

#include "ids/keywords/keyword.h"

namespace gatehouse::ids {

enum class Requirement : std::uint8_t { met, unmet, malformed };

// Looks at the `requires` options of a rule before anything else: what is not required is not even
// checked. Malformed values are reported.
Requirement check_requirements(RuleBuilder& builder);

}  // namespace gatehouse::ids
