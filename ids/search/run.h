// Stretches of one and the same byte, letters in either case.
#pragma once

#include <bit>
#include <cstdint>

#include "core/bytes.h"
#include "ids/search/window_table.h"

namespace gatehouse::ids {

struct Run {
  std::size_t begin = 0, end = 0;
};

// Of a folded window: it is four times one byte.
inline bool is_run(std::uint32_t window) {
  return window == std::rotr(window, 8);
}

// How far the run goes on both sides that fills the window at `at`.
inline Run run_at(core::ByteView data, std::size_t at) {
  const std::uint32_t window = window_at(data.data() + at);
  const auto byte = static_cast<std::uint8_t>(window);
  const auto same = [&](std::size_t place) { return (data[place] | (data[place] & 0x40U) >> 1U) == byte; };
  Run run{at, at + kWindowBytes};
  while (run.begin != 0 && same(run.begin - 1)) --run.begin;
  while (run.end + kWindowBytes <= data.size() && window_at(data.data() + run.end) == window)
    run.end += kWindowBytes;
  while (run.end != data.size() && same(run.end)) ++run.end;
  return run;
}

}  // namespace gatehouse::ids
