// The header of a rule: action, protocol, addresses, ports, direction.
#pragma once

#include "ids/keywords/groups.h"
#include "ids/keywords/keyword.h"

namespace gatehouse::ids {

// The parsers a protocol's name in the rule language stands for, its own first; empty: there is none.
std::vector<AppProto> protocols_named(std::string_view name);

// Fills the header part of builder.rule; reports what is wrong.
void check_header(RuleBuilder& builder, GroupResolver& groups);

}  // namespace gatehouse::ids
