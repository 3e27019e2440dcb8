// Up to 64 distinct addresses that belong to something: the targets of one scan, the senders in one network.
// Kept in a table of few, for those that have more than their entry holds.
#pragma once

#include <algorithm>
#include <array>
#include <span>

#include "core/ip.h"
#include "ids/anomaly/state.h"

namespace gatehouse::ids::anomaly {

struct AddressList {
  static constexpr std::size_t kMost = 64;
  std::uint64_t tag = 0;
  std::int64_t last_us = 0;
  std::uint16_t used = 0;
  std::array<core::IpAddress, kMost> addresses{};

  void add(const core::IpAddress& address, std::int64_t now_us) {
    last_us = std::max(last_us, now_us);
    const auto end = addresses.begin() + used;
    if (used == kMost || std::find(addresses.begin(), end, address) != end) return;
    addresses[used++] = address;
  }
  std::span<const core::IpAddress> list() const { return std::span(addresses).first(used); }
  // A long list is worth more than a fresh one.
  std::int64_t worth() const { return last_us + std::int64_t{used} * 10'000'000; }
  bool sound() const { return used <= kMost && sound_time(last_us) && anomaly::sound(addresses); }
};

}  // namespace gatehouse::ids::anomaly
