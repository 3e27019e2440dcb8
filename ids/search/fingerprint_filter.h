// Where one of many windows of four bytes may begin: a table of words in which each sets two bits.
#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

#include "ids/search/window_table.h"

namespace gatehouse::ids {

// A literal with this many windows one behind the other is met by one of them when every so many-th position
// is looked at, wherever it begins.
inline constexpr std::size_t kStride = 4;

class FingerprintFilter {
 public:
  // `stride`: 1 or kStride.
  explicit FingerprintFilter(std::size_t stride) : stride_(stride) {}
  // As print_of() gives it; twice is once.
  void add(std::uint32_t print) { building_.push_back(print); }
  void build();
  bool empty() const { return words_.empty() && building_.empty(); }
  std::size_t stride() const { return stride_; }
  // The shortest literal with a window on every multiple of the stride.
  std::size_t span() const { return kWindowBytes + stride_ - 1; }
  const std::uint32_t* words() const { return words_.data(); }
  unsigned shift() const { return shift_; }
  std::size_t memory_bytes() const { return words_.size() * sizeof(std::uint32_t); }

  // The upper bits of a print choose the word, at most 13; those below them the two bits in it.
  static std::uint32_t bits(std::uint32_t print) {
    return 1U << (print >> 14U & 31U) | 1U << (print >> 9U & 31U);
  }

 private:
  std::size_t stride_;
  std::vector<std::uint32_t> building_, words_;
  unsigned shift_ = 0;
};

}  // namespace gatehouse::ids
