// Counts distinct things in a few words: one bit per hash.
#pragma once

#include <array>
#include <bit>
#include <cmath>
#include <cstdint>

namespace gatehouse::ids::anomaly {

template <std::size_t kWords>
class Distinct {
 public:
  static constexpr std::size_t kBits = kWords * 64;

  // True: this was not counted before (or shares no bit with anything that was).
  bool add(std::uint64_t hash) {
    std::uint64_t& word = words_[(hash >> 6) % kWords];
    const std::uint64_t bit = std::uint64_t{1} << (hash & 63);
    if ((word & bit) != 0) return false;
    word |= bit;
    ++set_;
    return true;
  }
  bool has(std::uint64_t hash) const { return (words_[(hash >> 6) % kWords] >> (hash & 63) & 1U) != 0; }
  unsigned bits_set() const { return set_; }
  // Linear counting; a full bitmap answers with its largest useful estimate.
  std::uint64_t estimate() const { return kEstimates[set_]; }
  bool sound() const {
    int bits = 0;
    for (const std::uint64_t word : words_) bits += std::popcount(word);
    return static_cast<unsigned>(bits) == set_;
  }
  void clear() { *this = Distinct{}; }

 private:
  static std::array<std::uint16_t, kBits + 1> estimates() {
    std::array<std::uint16_t, kBits + 1> table{};
    for (std::size_t set = 0; set <= kBits; ++set) {
      const double free = set == kBits ? 0.5 : static_cast<double>(kBits - set);
      table[set] = static_cast<std::uint16_t>(
          set < 8 ? set : std::lround(-static_cast<double>(kBits) * std::log(free / kBits)));
    }
    return table;
  }
  static inline const std::array<std::uint16_t, kBits + 1> kEstimates = estimates();

  std::array<std::uint64_t, kWords> words_{};
  unsigned set_ = 0;
};

}  // namespace gatehouse::ids::anomaly
