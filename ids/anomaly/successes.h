// What went well, in a few bytes for each of millions of sources: how many distinct (host, port) a source has
// completed contacts with, and which (host, port) are services that exist. Errs towards "went well".
#pragma once

#include <algorithm>
#include <array>
#include <bit>
#include <cstdint>
#include <utility>

#include "core/lazy_array.h"
#include "ids/anomaly/prefetch.h"
#include "ids/anomaly/state.h"

namespace gatehouse::ids::anomaly {

class Successes {
 public:
  // `cells`: about as many as there are live sources.
  explicit Successes(std::size_t cells)
      : lines_(std::bit_ceil(std::max<std::size_t>(cells, kLeast)) / kRow),
        counts_(lines_ * 2 * kRow),
        pairs_(cells),
        services_(cells) {}

  static std::size_t bytes(std::size_t cells) { return std::bit_ceil(std::max(cells, kLeast)) * 4; }

  void add(std::uint64_t source, std::uint64_t pair, std::int64_t now_us) {
    age(now_us);
    if (!pairs_.add(pair)) return;
    for (std::size_t row = 0; row < 2; ++row) {
      std::uint8_t& cell = counts_[position(source, row)];
      if (cell != UINT8_MAX) ++cell;
    }
  }
  void archive(StateArchive& a) {
    a.array(counts_);
    pairs_.archive(a);
    services_.archive(a);
    a.value(aged_us_, sound_time);
  }
  // For an add() that comes soon.
  void prefetch(std::uint64_t source, std::uint64_t pair) const {
    prefetch_line(&counts_[position(source, 0)]);
    pairs_.prefetch(pair);
  }
  void prefetch_service(std::uint64_t service) const { services_.prefetch(service); }
  void add_service(std::uint64_t service) { services_.add(service); }
  std::uint32_t count(std::uint64_t source) const {
    return std::min(counts_[position(source, 0)], counts_[position(source, 1)]);
  }
  bool knows_service(std::uint64_t service) const { return services_.has(service); }
  // As add() was told of it, and not very long ago.
  bool knows_pair(std::uint64_t pair) const { return pairs_.has(pair); }

 private:
  // Two rows of cells, each of 32 in turn: both cells of a source lie in one cache line.
  static constexpr std::size_t kRow = 32, kLeast = 1024;
  // A set that forgets: two generations of bits, the older one goes when the newer is half full.
  class Bits {
   public:
    explicit Bits(std::size_t cells)
        : lines_(std::bit_ceil(cells) * 4 / 512), now_(lines_), before_(lines_) {}
    void archive(StateArchive& a) {
      a.array(now_);
      a.array(before_);
      a.value(added_);
      a.value(turned_);
    }
    bool has(std::uint64_t hash) const { return in(now_, hash) || (turned_ != 0 && in(before_, hash)); }
    void prefetch(std::uint64_t hash) const { prefetch_line(&now_[hash & (lines_ - 1)]); }
    bool add(std::uint64_t hash) {
      if (in(now_, hash)) return false;
      const bool known = turned_ != 0 && in(before_, hash);
      Line& line = now_[hash & (lines_ - 1)];
      line[hash >> 61U] |= std::uint64_t{1} << (hash >> 55U & 63U);
      line[hash >> 52U & 7U] |= std::uint64_t{1} << (hash >> 46U & 63U);
      if (++added_ > lines_ * 128) {  // a quarter of the bits

        std::swap(before_, now_);
        now_ = core::LazyArray<Line>(lines_);
        added_ = 0;
        turned_ = 1;
      }
      return !known;
    }

   private:
    using Line = std::array<std::uint64_t, 8>;  // both bits of a hash lie in one cache line
    bool in(const core::LazyArray<Line>& bits, std::uint64_t hash) const {
      const Line& line = bits[hash & (lines_ - 1)];
      return (line[hash >> 61U] >> (hash >> 55U & 63U) & line[hash >> 52U & 7U] >> (hash >> 46U & 63U) &
              1U) != 0;
    }

    std::size_t lines_;
    std::uint64_t added_ = 0;
    std::uint8_t turned_ = 0;  // not 0: there was a generation before
    core::LazyArray<Line> now_, before_;
  };

  // A scanner cannot live on yesterday's good name.
  static constexpr std::int64_t kHalfLifeUs = 3600LL * 1'000'000;
  void age(std::int64_t now_us) {
    if (now_us - aged_us_ < kHalfLifeUs) return;
    if (std::exchange(aged_us_, now_us) == 0) return;
    // Reading leaves pages alone that nobody wrote to.
    for (std::uint8_t& cell : counts_) {
      if (cell != 0) cell /= 2;
    }
  }
  std::size_t position(std::uint64_t source, std::size_t row) const {
    const std::uint64_t cell = (row == 0 ? source >> 40U : source >> 48U) % kRow;
    return (source & (lines_ - 1)) * 2 * kRow + row * kRow + cell;
  }

  std::size_t lines_;
  core::LazyArray<std::uint8_t> counts_;
  Bits pairs_, services_;
  std::int64_t aged_us_ = 0;
};

}  // namespace gatehouse::ids::anomaly
