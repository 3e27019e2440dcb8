// What went well, in a few bytes for each of millions of sources: how many distinct (host, port) a source has
// completed contacts with, and which (host, port) are services that exist. Errs towards "went well".
#pragma once

#include <algorithm>
#include <array>
#include <bit>
#include <cstdint>
#include <utility>

#include "ids/anomaly/packed_lines.h"

namespace gatehouse::ids::anomaly {

class Successes {
 public:
  // `cells`: about as many as there are live sources.
  explicit Successes(std::size_t cells)
      : lines_(lines_for(cells)), counts_(lines_), pairs_(lines_), services_(lines_) {}

  static std::size_t bytes(std::size_t cells) {
    return lines_for(cells) * (PackedLines<Counts>::bytes() + 2 * Bits::bytes());
  }

  void add(std::uint64_t source, std::uint64_t pair, std::int64_t now_us) {
    age(now_us);
    if (!pairs_.add(pair)) return;
    Counts& line = counts_.get(line_of(source));
    for (std::size_t row = 0; row < 2; ++row) {
      std::uint8_t& cell = line[cell_of(source, row)];
      if (cell != UINT8_MAX) ++cell;
    }
  }
  void archive(StateArchive& a) {
    counts_.archive(a);
    pairs_.archive(a);
    services_.archive(a);
    a.value(aged_us_, sound_time);
  }
  // For an add() that comes soon.
  void prefetch(std::uint64_t source, std::uint64_t pair) const {
    counts_.prefetch(line_of(source));
    pairs_.prefetch(pair);
  }
  // For questions whether they are known.
  void prefetch_known(std::uint64_t service, std::uint64_t pair) const {
    services_.prefetch(service);
    pairs_.prefetch(pair);
  }
  void prefetch_service(std::uint64_t service) const { services_.prefetch(service); }
  void add_service(std::uint64_t service) { services_.add(service); }
  std::uint32_t count(std::uint64_t source) const {
    const Counts* line = counts_.find(line_of(source));
    return line == nullptr ? 0 : std::min((*line)[cell_of(source, 0)], (*line)[cell_of(source, 1)]);
  }
  bool knows_service(std::uint64_t service) const { return services_.has(service); }
  // As add() was told of it, and not very long ago.
  bool knows_pair(std::uint64_t pair) const { return pairs_.has(pair); }

 private:
  // Two rows of cells, each of 32 in turn: both cells of a source lie in one cache line.
  static constexpr std::size_t kRow = 32, kLeast = 1024;
  using Counts = std::array<std::uint8_t, 2 * kRow>;
  static std::size_t lines_for(std::size_t cells) {
    return std::min(std::bit_ceil(std::max(cells, kLeast)) / kRow, PackedLines<Counts>::kMost);
  }
  // A set that forgets: two generations of bits, the older one goes when the newer is half full.
  class Bits {
   public:
    // A quarter of the lines of the counts, and a quarter of those for the first generation.
    explicit Bits(std::size_t lines)
        : lines_(lines / 4), now_{Lines(lines_), lines_ / 4}, before_{Lines(lines_), lines_} {}
    static constexpr std::size_t bytes() { return 2 * PackedLines<Line>::bytes() / 4; }
    void archive(StateArchive& a) {
      for (Generation* g : {&now_, &before_}) {
        g->lines.archive(a);
        a.value(g->used, [this](std::uint64_t n) { return std::has_single_bit(n) && n <= lines_; });
      }
      a.value(added_);
      a.value(turned_);
    }
    bool has(std::uint64_t hash) const { return in(now_, hash) || (turned_ != 0 && in(before_, hash)); }
    void prefetch(std::uint64_t hash) const { now_.lines.prefetch(hash & (now_.used - 1)); }
    bool add(std::uint64_t hash) {
      if (in(now_, hash)) return false;
      const bool known = turned_ != 0 && in(before_, hash);
      Line& line = now_.lines.get(hash & (now_.used - 1));
      line[hash >> 61U] |= std::uint64_t{1} << (hash >> 55U & 63U);
      line[hash >> 52U & 7U] |= std::uint64_t{1} << (hash >> 46U & 63U);
      if (++added_ > most()) {
        std::swap(before_, now_);
        now_ = {Lines(lines_), lines_};
        added_ = 0;
        turned_ = 1;
      }
      return !known;
    }

   private:
    using Line = std::array<std::uint64_t, 8>;  // both bits of a hash lie in one cache line
    using Lines = PackedLines<Line>;
    struct Generation {
      Lines lines;
      std::uint64_t used;  // of them
    };
    // Half of the bits; of the first generation, which is small so that it stays in the cache, one in
    // sixteen.
    std::uint64_t most() const { return now_.used * (now_.used == lines_ ? 128 : 16); }
    static bool in(const Generation& bits, std::uint64_t hash) {
      const Line* found = bits.lines.find(hash & (bits.used - 1));
      if (found == nullptr) return false;
      const Line& line = *found;
      return (line[hash >> 61U] >> (hash >> 55U & 63U) & line[hash >> 52U & 7U] >> (hash >> 46U & 63U) &
              1U) != 0;
    }

    std::size_t lines_;
    std::uint64_t added_ = 0;
    std::uint8_t turned_ = 0;  // not 0: there was a generation before
    Generation now_, before_;
  };

  // A scanner cannot live on yesterday's good name.
  static constexpr std::int64_t kHalfLifeUs = 3600LL * 1'000'000;
  void age(std::int64_t now_us) {
    if (now_us - aged_us_ < kHalfLifeUs) return;
    if (std::exchange(aged_us_, now_us) == 0) return;
    counts_.each([](Counts& line) {
      for (std::uint8_t& cell : line) cell /= 2;
    });
  }
  std::size_t line_of(std::uint64_t source) const { return source & (lines_ - 1); }
  static std::size_t cell_of(std::uint64_t source, std::size_t row) {
    return row * kRow + (row == 0 ? source >> 40U : source >> 48U) % kRow;
  }

  std::size_t lines_;
  PackedLines<Counts> counts_;
  Bits pairs_, services_;
  std::int64_t aged_us_ = 0;
};

}  // namespace gatehouse::ids::anomaly
