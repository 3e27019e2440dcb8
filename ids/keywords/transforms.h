// What the families of transform keywords share.
#pragma once

#include "ids/keywords/values.h"

namespace gatehouse::ids {

// The list a transform applies to; null, and reported, when it stands in the wrong place. A transform
// after the contents of a plain buffer speaks of the same buffer anew.
BufferMatch* transform_target(RuleBuilder& builder, const lang::RuleOption& option);

// -1: no hex digit.
int hex_digit(std::uint8_t c);

}  // namespace gatehouse::ids
