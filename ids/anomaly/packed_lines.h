// An array of cache lines of which few are used: each is given out with its first use, one after the other,
// so that few of them take few pages.
#pragma once

#include <array>
#include <bit>
#include <cstdint>

#include "core/lazy_array.h"
#include "ids/anomaly/prefetch.h"
#include "ids/anomaly/state.h"

namespace gatehouse::ids::anomaly {

// Line: plain data, of zeros as long as nobody wrote to it.
template <class Line>
class PackedLines {
 public:
  static constexpr std::size_t kMost = 1U << 15U;

  // `lines`: at most kMost.
  explicit PackedLines(std::size_t lines) : places_(lines), lines_(lines) {}

  // What one line takes.
  static constexpr std::size_t bytes() { return sizeof(Line) + sizeof(std::uint16_t); }

  // Null: nobody wrote to it.
  const Line* find(std::size_t at) const { return places_[at] == 0 ? nullptr : &lines_[places_[at] - 1U]; }
  Line& get(std::size_t at) {
    if (places_[at] == 0) places_[at] = static_cast<std::uint16_t>(++used_);
    return lines_[places_[at] - 1U];
  }
  void prefetch(std::size_t at) const {
    if (places_[at] != 0) prefetch_line(&lines_[places_[at] - 1U]);
  }
  template <class F>
  void each(F&& f) {
    for (std::size_t i = 0; i < used_; ++i) f(lines_[i]);
  }

  void archive(StateArchive& a) {
    const std::uint32_t used = a.value(used_, [this](std::uint32_t n) { return n <= lines_.size(); });
    std::uint32_t given = 0;
    a.array(places_, [&](std::uint16_t place) {
      given += place != 0;
      return place <= used;
    });
    // More would be given out than there are.
    if (!a.saving() && !a.failed() && given != used) a.refuse("lines of a table are not counted rightly");
    a.array(lines_);
  }

 private:
  core::LazyArray<std::uint16_t> places_;  // one more than where it lies; 0: nowhere yet
  core::LazyArray<Line> lines_;
  std::uint32_t used_ = 0;
};

}  // namespace gatehouse::ids::anomaly
