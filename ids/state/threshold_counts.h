// What threshold, detection_filter and rate_filter have counted: a table of fixed size, shared by all
// workers, kept over reloads. Memory is taken page by page, as entries are made; nothing is allocated after
// that.
#pragma once

#include <algorithm>
#include <array>
#include <atomic>
#include <bit>
#include <cstdint>
#include <mutex>

#include "core/lazy_array.h"
#include "ids/flow/hash.h"

namespace gatehouse::ids {

class ThresholdCounts {
 public:
  // Of one threshold for one of what it tracks.
  struct Entry {
    std::uint64_t key = 0;  // 0: free
    std::int64_t start_us = 0;
    std::uint32_t count = 0;
    std::uint32_t next = 0;       // backoff: the match that alerts next
    std::int64_t changed_us = 0;  // rate: since when the new action holds; 0: it does not
  };

  explicit ThresholdCounts(std::size_t entries = 1U << 16U)
      : seed_(seed_or_random(0)), entries_(std::bit_ceil(std::max(entries, kWays))) {}

  // What keys are to be hashed with: who sends the packets must not be able to choose where they are counted.
  std::uint64_t seed() const { return seed_; }

  // use(Entry&) under a lock, on the entry of `key`, which is not 0. One that is not there takes the place of
  // the one with the oldest window in its bucket: that one's count starts anew, so limits err on the side of
  // alerting and thresholds on the side of silence.
  template <class Use>
  auto update(std::uint64_t key, std::int64_t now_us, Use&& use) {
    const std::size_t bucket = (key / kWays) & (entries_.size() / kWays - 1);
    const std::lock_guard lock(locks_[bucket % kLocks]);
    return use(find(bucket * kWays, key, now_us));
  }

  std::uint64_t evictions() const { return evictions_.load(std::memory_order_relaxed); }

 private:
  static constexpr std::size_t kWays = 8, kLocks = 64;

  Entry& find(std::size_t first, std::uint64_t key, std::int64_t now_us) {
    Entry* oldest = &entries_[first];
    for (std::size_t i = 0; i < kWays; ++i) {
      Entry& entry = entries_[first + i];
      if (entry.key == key) return entry;
      if (oldest->key != 0 && (entry.key == 0 || entry.start_us < oldest->start_us)) oldest = &entry;
    }
    if (oldest->key != 0) evictions_.fetch_add(1, std::memory_order_relaxed);
    *oldest = Entry{};
    oldest->key = key;
    oldest->start_us = now_us;
    return *oldest;
  }

  const std::uint64_t seed_;
  core::LazyArray<Entry> entries_;  // few rules have thresholds, and fewer are met
  std::array<std::mutex, kLocks> locks_;
  std::atomic<std::uint64_t> evictions_{0};
};

}  // namespace gatehouse::ids
