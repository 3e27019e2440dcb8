// The header of a rule: action, protocol, addresses, ports, direction.
#pragma once

#include "ids/keywords/groups.h"
#include "ids/keywords/keyword.h"

namespace gatehouse::ids {

// Fills the header part of builder.rule; reports what is wrong.
void check_header(RuleBuilder& builder, GroupResolver& groups);

}  // namespace gatehouse::ids
