// Who takes part in one attack: up to 64 addresses with counts, the rest as an estimate.
#pragma once

#include <algorithm>
#include <array>
#include <cstdint>
#include <utility>

#include "core/ip.h"
#include "ids/anomaly/distinct.h"
#include "ids/anomaly/state.h"

namespace gatehouse::ids::anomaly {

class AddressCounts {
 public:
  static constexpr std::size_t kMost = 64;

  void add(std::uint64_t hash, const core::IpAddress& address, std::uint32_t count = 1) {
    total_ += count;
    distinct_.add(hash);
    // Full, and most are strangers: one in four is looked up, so that a forged flood costs little.
    if (used_ == kMost && unnamed_ * 2 > total_ && (total_ & 3U) != 0) {
      unnamed_ += count;
      return;
    }
    std::size_t at = (hash >> 32) % kSlots;
    for (std::size_t step = 0; step < kProbe; ++step, at = (at + 1) % kSlots) {
      std::uint8_t& slot = slots_[at];
      if (slot == 0) {
        if (used_ == kMost) break;
        named_[used_++] = {address, count};
        slot = used_;
        return;
      }
      if (Named& n = named_[slot - 1U]; n.address == address) {
        n.count += count;
        return;
      }
    }
    unnamed_ += count;
  }
  // Fills `out` with those of at least `least`, most first; returns how many.
  std::size_t list(std::array<core::IpAddress, kMost>& out, std::uint32_t least = 1) const {
    std::array<const Named*, kMost> found{};
    std::size_t n = 0;
    for (std::size_t i = 0; i < used_; ++i) {
      if (named_[i].count >= least) found[n++] = &named_[i];
    }
    std::sort(found.begin(), found.begin() + n, [](const Named* a, const Named* b) {
      return a->count != b->count ? a->count > b->count : a->address < b->address;
    });
    for (std::size_t i = 0; i < n; ++i) out[i] = found[i]->address;
    return n;
  }
  std::uint32_t count_of(const core::IpAddress& address) const {
    for (std::size_t i = 0; i < used_; ++i) {
      if (named_[i].address == address) return named_[i].count;
    }
    return 0;
  }
  std::uint32_t largest() const {
    std::uint32_t most = 0;
    for (std::size_t i = 0; i < used_; ++i) most = std::max(most, named_[i].count);
    return most;
  }
  // Few enough to be real: addresses that are forged at random hardly come twice.
  bool repeats() const { return unnamed_ * 5 <= total_ && total_ >= used_ * 4ULL; }
  std::uint64_t distinct() const { return distinct_.estimate(); }
  // How many came from somebody who had come before; too few rather than too many.
  std::uint64_t again() const { return total_ - used_ - unnamed_; }
  std::uint64_t total() const { return total_; }
  std::size_t named() const { return used_; }
  bool sound() const {
    return used_ <= kMost && distinct_.sound() && are_slots_sound() &&
           std::all_of(named_.begin(), named_.begin() + used_,
                       [](const Named& n) { return n.count != 0 && anomaly::sound(n.address); });
  }
  // Most have one or two names, and it is often done: only what is in use is written to.
  void clear() {
    std::fill_n(named_.begin(), used_, Named{});
    slots_.fill(0);
    distinct_.clear();
    total_ = unnamed_ = 0;
    used_ = 0;
  }

 private:
  static constexpr std::size_t kSlots = 128, kProbe = 8;
  struct Named {
    core::IpAddress address;
    std::uint32_t count = 0;
  };
  // Each name has one slot.
  bool are_slots_sound() const {
    std::array<bool, kMost> seen{};
    std::size_t taken = 0;
    for (const std::uint8_t slot : slots_) {
      if (slot == 0) continue;
      if (slot > used_ || std::exchange(seen[slot - 1U], true)) return false;
      ++taken;
    }
    return taken == used_;
  }
  std::uint64_t total_ = 0, unnamed_ = 0;
  Distinct<16> distinct_;
  std::uint8_t used_ = 0;
  std::array<std::uint8_t, kSlots> slots_{};  // by hash: one more than where it is among the named; 0: free
  std::array<Named, kMost> named_{};          // as they came, so that few of them take few lines
};

}  // namespace gatehouse::ids::anomaly
