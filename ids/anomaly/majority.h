// Majority vote over hashes (Boyer and Moore): what most of them are, if most are the same.
#pragma once

#include <cstdint>

namespace gatehouse::ids::anomaly {

struct Majority {
  std::uint64_t value = 0;
  std::uint32_t votes = 0;  // those for it less those against it
  void add(std::uint64_t v) {
    if (votes == 0) value = v;
    votes = value == v ? votes + 1 : votes - 1;
  }
};

}  // namespace gatehouse::ids::anomaly
