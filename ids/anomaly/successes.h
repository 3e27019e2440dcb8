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
      : counts_(lines_for(cells)), pairs_(lines_for(cells) / 4), services_(lines_for(cells) / 4) {}

  static std::size_t bytes(std::size_t cells) {
    return lines_for(cells) * sizeof(Line) + 2 * Bits::bytes(lines_for(cells) / 4);
  }

  void add(std::uint64_t source, std::uint64_t pair, std::int64_t now_us) {
    age(now_us);
    if (!pairs_.add(pair)) return;
    if (++entered_ > in_use_ * kCrowded && in_use_ < counts_.size()) spread();
    Line& line = counts_[line_of(source)];
    for (std::size_t row = 0; row < 2; ++row) {
      std::uint8_t& cell = line.bytes[cell_of(source, row)];
      if (cell != UINT8_MAX) ++cell;
    }
  }
  void archive(StateArchive& a) {
    a.array(counts_);
    a.value(in_use_, [this](std::uint64_t n) { return std::has_single_bit(n) && n <= counts_.size(); });
    a.value(entered_);
    pairs_.archive(a);
    services_.archive(a);
    a.value(aged_us_, sound_time);
  }
  // For an add() that comes soon.
  void prefetch(std::uint64_t source, std::uint64_t pair) const {
    prefetch_line(&counts_[line_of(source)]);
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
    const Line& line = counts_[line_of(source)];
    return std::min(line.bytes[cell_of(source, 0)], line.bytes[cell_of(source, 1)]);
  }
  bool knows_service(std::uint64_t service) const { return services_.has(service); }
  // As add() was told of it, and not very long ago.
  bool knows_pair(std::uint64_t pair) const { return pairs_.has(pair); }

 private:
  // Two rows of cells, each of 32 in turn: both cells of a source lie in one cache line.
  static constexpr std::size_t kRow = 32, kLeast = 1'024, kMostLines = 1U << 15U;
  // Distinct successes for each line, before there are more lines.
  static constexpr std::uint64_t kFirstLines = 256, kCrowded = 4;
  static constexpr std::size_t kFirstBits = 256;  // lines of them
  struct Line {
    std::array<std::uint8_t, 2 * kRow> bytes;
    static bool sound() { return true; }
  };
  static std::size_t lines_for(std::size_t cells) {
    return std::min(std::bit_ceil(std::max(cells, kLeast)) / kRow, kMostLines);
  }

  // A set that forgets: two generations of bits, the older one goes when the newer is full. The first begins
  // small and grows, so that what a network needs on a usual day stays in the cache.
  class Bits {
   public:
    explicit Bits(std::size_t lines)
        : now_(lines), before_(lines), now_lines_(std::min(lines, kFirstBits)), before_lines_(lines) {}
    static std::size_t bytes(std::size_t lines) { return 2 * lines * sizeof(Words); }
    void archive(StateArchive& a) {
      const auto some = [this](std::uint64_t n) { return std::has_single_bit(n) && n <= now_.size(); };
      a.array(now_);
      a.array(before_);
      a.value(now_lines_, some);
      a.value(before_lines_, some);
      a.value(added_);
      a.value(turned_);
    }
    bool has(std::uint64_t hash) const {
      return is_in(now_[hash & (now_lines_ - 1)], hash) || (turned_ != 0 && was_in(hash));
    }
    void prefetch(std::uint64_t hash) const { prefetch_line(&now_[hash & (now_lines_ - 1)]); }
    bool add(std::uint64_t hash) {
      Words& line = now_[hash & (now_lines_ - 1)];
      if (is_in(line, hash)) return false;
      const bool known = turned_ != 0 && was_in(hash);
      line.bits[hash >> 61U] |= std::uint64_t{1} << (hash >> 55U & 63U);
      line.bits[hash >> 52U & 7U] |= std::uint64_t{1} << (hash >> 46U & 63U);
      line.bits[hash >> 43U & 7U] |= std::uint64_t{1} << (hash >> 37U & 63U);
      if (++added_ > most()) make_room();
      return !known;
    }

   private:
    struct Words {  // the three bits of a hash lie in one cache line
      std::array<std::uint64_t, 8> bits;
      static bool sound() { return true; }
    };
    static bool is_in(const Words& line, std::uint64_t hash) {
      return (line.bits[hash >> 61U] >> (hash >> 55U & 63U) &
              line.bits[hash >> 52U & 7U] >> (hash >> 46U & 63U) &
              line.bits[hash >> 43U & 7U] >> (hash >> 37U & 63U) & 1U) != 0;
    }
    bool was_in(std::uint64_t hash) const { return is_in(before_[hash & (before_lines_ - 1)], hash); }
    // Half of the bits; of one that grows one in twenty, and half as many again for each time others were
    // copied there, so that hardly ever one seems to be there that is not.
    std::uint64_t most() const { return now_lines_ * (now_lines_ == now_.size() ? 128 : 8); }
    // Twice as many lines, the new ones with what the others have: where a hash is looked for, it is.
    void make_room() {
      if (now_lines_ == now_.size()) return turn();
      std::copy_n(now_.begin(), now_lines_, now_.begin() + now_lines_);
      now_lines_ *= 2;
    }
    void turn() {
      before_ = std::exchange(now_, core::LazyArray<Words>(now_.size()));
      before_lines_ = std::exchange(now_lines_, now_.size());
      added_ = 0;
      turned_ = 1;
    }

    core::LazyArray<Words> now_, before_;
    std::uint64_t now_lines_, before_lines_;  // in use
    std::uint64_t added_ = 0;
    std::uint8_t turned_ = 0;  // not 0: there was a generation before
  };

  // Twice as many lines. Who shared one has what was counted there in both: too much, never too little.
  void spread() {
    std::copy_n(counts_.begin(), in_use_, counts_.begin() + in_use_);
    in_use_ *= 2;
  }

  // A scanner cannot live on yesterday's good name.
  static constexpr std::int64_t kHalfLifeUs = 3600LL * 1'000'000;
  void age(std::int64_t now_us) {
    if (now_us - aged_us_ < kHalfLifeUs) return;
    if (std::exchange(aged_us_, now_us) == 0) return;
    for (std::size_t i = 0; i < in_use_; ++i) {
      for (std::uint8_t& cell : counts_[i].bytes) cell /= 2;
    }
  }
  std::size_t line_of(std::uint64_t source) const { return source & (in_use_ - 1); }
  static std::size_t cell_of(std::uint64_t source, std::size_t row) {
    return row * kRow + (row == 0 ? source >> 40U : source >> 48U) % kRow;
  }

  core::LazyArray<Line> counts_;
  std::uint64_t in_use_ = std::min<std::uint64_t>(kFirstLines, counts_.size());  // lines
  std::uint64_t entered_ = 0;
  Bits pairs_, services_;
  std::int64_t aged_us_ = 0;
};

}  // namespace gatehouse::ids::anomaly
