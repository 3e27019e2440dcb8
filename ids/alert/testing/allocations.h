// For tests: how often this test program has allocated so far.
#pragma once

#include <cstddef>

namespace gatehouse::ids::alert {

std::size_t allocations();

}  // namespace gatehouse::ids::alert
