// Caps of the rule language: far above any rule in use, low enough that hostile text stays cheap.
#pragma once

#include <cstddef>

namespace gatehouse::ids::lang {

inline constexpr std::size_t kMaxRuleBytes = 64 * 1024;
inline constexpr std::size_t kMaxOptions = 1024;
inline constexpr std::size_t kMaxGroupItems = 4096;
inline constexpr unsigned kMaxGroupDepth = 16;

}  // namespace gatehouse::ids::lang
