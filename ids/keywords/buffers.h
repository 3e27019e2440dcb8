// The contract of a family of rule buffers: one .cc file exports its rows, registered by
// gatehouse_add_row(ids/keywords/buffer_table NAME): row NAME means
// `std::span<const BufferDescriptor> buffer_family_NAME()`.
#pragma once

#include <span>

#include "ids/keywords/rule.h"
