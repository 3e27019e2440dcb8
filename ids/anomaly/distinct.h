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
    Part& part = parts_[hash % kBits / kPartBits];
    const unsigned bit = 1U << (hash % kPartBits);
    if ((part & bit) != 0) return false;
    part = static_cast<Part>(part | bit);
    ++set_;
    return true;
  }
  bool has(std::uint64_t hash) const {
    return (parts_[hash % kBits / kPartBits] >> (hash % kPartBits) & 1U) != 0;
  }
  unsigned bits_set() const { return set_; }
  // Linear counting; a full bitmap answers with its largest useful estimate.
  std::uint64_t estimate() const { return kEstimates[set_]; }
  bool sound() const {
    int bits = 0;
    for (const Part part : parts_) bits += std::popcount(part);
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

  // Small ones: tables have seven of these in an entry, and none is padded to eight bytes.
  using Part = std::uint16_t;
  static constexpr std::size_t kPartBits = 16;
  std::array<Part, kBits / kPartBits> parts_{};
  std::uint16_t set_ = 0;
};

}  // namespace gatehouse::ids::anomaly
