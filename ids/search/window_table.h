// The literals that have a window of bytes, by the print of that window.
#pragma once

#include <cstdint>
#include <cstring>
#include <string_view>
#include <vector>

#include "core/bytes.h"

namespace gatehouse::ids {

using core::ByteView;

// A window is that many bytes at most.
inline constexpr std::size_t kWindowBytes = 4;

// Upper and lower case become one; so do a few other bytes from 0x40 on, which only costs a compare.
inline std::uint32_t fold_window(std::uint32_t window) {
  return window | (window & 0x40404040U) >> 1U;
}

// The folded window at `place`; of less than four bytes, if `width` says so.
inline std::uint32_t window_at(const std::uint8_t* place, std::size_t width = kWindowBytes) {
  std::uint32_t window = 0;
  if (width == kWindowBytes) {
    std::memcpy(&window, place, kWindowBytes);
  } else {
    for (std::size_t i = 0; i < width; ++i) window |= std::uint32_t{place[i]} << 8U * i;
  }
  return fold_window(window);
}

// A window as a number of which the upper bits are well mixed.
inline constexpr std::uint32_t kPrintFactor = 0x9e3779b1U;
inline std::uint32_t print_of(std::uint32_t window) {
  return window * kPrintFactor;
}
inline std::uint32_t print_of(const std::uint8_t* place, std::size_t width = kWindowBytes) {
  return print_of(window_at(place, width));
}

inline constexpr std::size_t kLongestLiteral = 255;

// Open addressing; what one position asks for lies in one cache line nearly always. Most windows lie in
// something else than their literal: so four more bytes of that, as far from the window as can be, are kept
// here, too.
class WindowTable {
 public:
  struct Entry {
    std::uint32_t print = 0;
    std::uint32_t literal = kFree;
    std::uint32_t check = 0;    // folded
    std::uint8_t offset = 0;    // of the window in the literal
    std::uint8_t size = 0;      // of the literal
    std::uint8_t check_at = 0;  // offset into the literal
    bool checked : 1 = false;   // there are so many bytes
    bool goes_on : 1 = false;   // some whose place is here lie behind the next one

    static constexpr std::uint32_t kFree = 0xffffffff;
    // `place`: where the literal would begin, and `size` bytes from there are data.
    bool may_lie_at(const std::uint8_t* place) const {
      return !checked || window_at(place + check_at) == check;
    }
  };

  // `text`: the literal, at most kLongestLiteral bytes; its window begins at `offset`.
  void add(std::uint32_t print, std::uint32_t literal, std::string_view text, std::size_t offset);
  void build();
  std::size_t memory_bytes() const { return entries_.size() * sizeof(Entry); }
  void prefetch(std::uint32_t print) const { __builtin_prefetch(&entries_[print >> shift_]); }
  // Can one of the literals with the window at `at` lie there? Errs on one side, and decides without
  // branches: most windows lie in something else, and in no order that a processor could foresee. The table
  // is not empty and its literals are of kWindowBytes at least.
  bool may_find(std::uint32_t print, ByteView data, std::size_t at) const {
    const std::uint32_t home = print >> shift_;
    const Entry& first = entries_[home];
    return (int{first.goes_on} | int{agrees(first, print, data, at)} |
            int{agrees(entries_[(home + 1) & mask_], print, data, at)}) != 0;
  }
  bool empty() const { return entries_.empty(); }
  // Calls `f(entry)` for each literal whose window has this print, as they were added.
  template <class F>
  void find(std::uint32_t print, F&& f) const {
    if (entries_.empty()) return;
    for (std::uint32_t i = print >> shift_; entries_[i].literal != Entry::kFree; i = (i + 1) & mask_) {
      if (entries_[i].print == print) f(entries_[i]);
    }
  }

 private:
  static bool agrees(const Entry& entry, std::uint32_t print, ByteView data, std::size_t at) {
    const std::size_t check = at + entry.check_at - entry.offset;  // before the data it wraps beyond the end
    const bool inside = check < data.size() && data.size() - check >= kWindowBytes;
    return (entry.print == print) & inside & (window_at(data.data() + (inside ? check : at)) == entry.check);
  }

  std::vector<Entry> building_;
  std::vector<Entry> entries_;  // never full
  std::uint32_t shift_ = 31, mask_ = 0;
};

}  // namespace gatehouse::ids
