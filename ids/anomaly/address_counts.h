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
      Slot& slot = slots_[at];
      if (slot.count == 0) {
        if (used_ == kMost) break;
        order_[used_++] = static_cast<std::uint8_t>(at);
        slot = {address, count};
        return;
      }
      if (slot.address == address) {
        slot.count += count;
        return;
      }
    }
    unnamed_ += count;
  }
  // Fills `out` with those of at least `least`, most first; returns how many.
  std::size_t list(std::array<core::IpAddress, kMost>& out, std::uint32_t least = 1) const {
    std::array<const Slot*, kMost> found{};
    std::size_t n = 0;
    for (std::size_t i = 0; i < used_; ++i) {
      if (const Slot& slot = slots_[order_[i]]; slot.count >= least) found[n++] = &slot;
    }
    std::sort(found.begin(), found.begin() + n, [](const Slot* a, const Slot* b) {
      return a->count != b->count ? a->count > b->count : a->address < b->address;
    });
    for (std::size_t i = 0; i < n; ++i) out[i] = found[i]->address;
    return n;
  }
  std::uint32_t count_of(const core::IpAddress& address) const {
    for (std::size_t i = 0; i < used_; ++i) {
      if (const Slot& slot = slots_[order_[i]]; slot.address == address) return slot.count;
    }
    return 0;
  }
  std::uint32_t largest() const {
    std::uint32_t most = 0;
    for (std::size_t i = 0; i < used_; ++i) most = std::max(most, slots_[order_[i]].count);
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
    const auto used = std::count_if(slots_.begin(), slots_.end(), [](const Slot& s) { return s.count != 0; });
    return static_cast<std::size_t>(used) == used_ && used_ <= kMost && distinct_.sound() &&
           is_order_sound() &&
           std::all_of(slots_.begin(), slots_.end(), [](const Slot& s) { return anomaly::sound(s.address); });
  }
  // Most have one or two names, and it is often done: only what is in use is written to.
  void clear() {
    for (std::size_t i = 0; i < used_; ++i) slots_[order_[i]] = {};
    distinct_.clear();
    total_ = unnamed_ = 0;
    used_ = 0;
  }

 private:
  static constexpr std::size_t kSlots = 128, kProbe = 8;
  struct Slot {
    core::IpAddress address;
    std::uint32_t count = 0;
  };
  bool is_order_sound() const {
    std::array<bool, kSlots> seen{};
    return std::all_of(order_.begin(), order_.begin() + used_, [&](std::uint8_t at) {
      return at < kSlots && slots_[at].count != 0 && !std::exchange(seen[at], true);
    });
  }
  std::uint64_t total_ = 0, unnamed_ = 0;
  std::size_t used_ = 0;
  Distinct<16> distinct_;
  std::array<std::uint8_t, kMost> order_{};  // slots in use, as they came
  std::array<Slot, kSlots> slots_{};
};

}  // namespace gatehouse::ids::anomaly
