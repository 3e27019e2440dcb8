// The youngest entries, in the order they came, with an index by key. It begins small and grows to its
// capacity only when so many are alive at a time: what a network needs on a usual day stays in the
// processor's cache.
#pragma once

#include <algorithm>
#include <array>
#include <bit>
#include <cstdint>
#include <utility>

#include "core/lazy_array.h"
#include "ids/anomaly/cells.h"
#include "ids/anomaly/prefetch.h"
#include "ids/anomaly/state.h"

namespace gatehouse::ids::anomaly {

// Entry needs `std::uint64_t key` (0: gone, before its time or not) and zero bytes as a default.
template <class Entry>
class RecentRing {
 public:
  explicit RecentRing(std::size_t capacity)
      : ring_(std::bit_ceil(std::max(capacity, kSmallest))), index_(ring_.size() * kCells / kBucket) {}

  static std::size_t bytes(std::size_t capacity) {
    return std::bit_ceil(std::max(capacity, kSmallest)) * (sizeof(Entry) + kCells * sizeof(Bucket) / kBucket);
  }

  // To be filled in, all of it. With no place left the oldest entry goes.
  Entry& add(std::uint64_t key) {
    if (crowded()) {
      if (full()) {
        pop();
      } else {
        resize(span_.size * 2);
      }
    }
    note(key, span_.tail);
    Entry& entry = at(span_.tail++);
    prefetch_line(&at(span_.tail + 4));
    return entry;
  }
  // Null when it is not there (any more). Of two with one key the younger is found.
  Entry* find(std::uint64_t key) {
    const Bucket& bucket = bucket_of(key);
    for (unsigned same = equal_cells(bucket.tags.data(), tag_of(key)); same != 0; same &= same - 1) {
      Entry& entry = at(bucket.numbers[static_cast<std::size_t>(std::countr_zero(same))]);
      if (entry.key == key) return &entry;
    }
    return nullptr;
  }
  const Entry* find(std::uint64_t key) const { return const_cast<RecentRing*>(this)->find(key); }
  // For a find() or add() that comes soon.
  void prefetch(std::uint64_t key) const { prefetch_line(&bucket_of(key)); }

  bool empty() const { return span_.head == span_.tail; }
  // All places in use are taken: it grows with the next one, or loses the oldest.
  bool crowded() const { return span_.tail - span_.head == span_.size; }
  // As large as it gets, and all places are taken.
  bool full() const { return span_.tail - span_.head == ring_.size(); }
  Entry& oldest() { return at(span_.head); }
  void pop() {
    at(span_.head++).key = 0;
    if (span_.size > kSmallest && span_.tail - span_.head < span_.size / 8) resize(span_.size / 2);
  }
  // Entries by number: from head() to before tail().
  std::uint64_t head() const { return span_.head; }
  std::uint64_t tail() const { return span_.tail; }
  Entry& at(std::uint64_t number) { return ring_[number & (span_.size - 1)]; }

  void archive(StateArchive& a) {
    a.array(ring_);
    a.array(index_);
    a.value(span_, [this](const Span& s) {
      return s.head <= s.tail && s.tail - s.head <= s.size && s.tail >> 62U == 0 &&
             std::has_single_bit(s.size) && s.size >= kSmallest && s.size <= ring_.size();
    });
  }

 private:
  // Twice as many cells as places, eight to a cache line: hardly ever does one push out another that is
  // alive.
  static constexpr std::size_t kSmallest = 256, kCells = 2, kBucket = 8;
  struct Bucket {  // in the order of age
    std::array<std::uint32_t, kBucket> tags;
    std::array<std::uint32_t, kBucket> numbers;  // of entries, the lower half
    static bool sound() { return true; }
  };
  struct Span {
    std::uint64_t head = 0, tail = 0;
    std::uint64_t size = kSmallest;  // places in use
  };

  static std::uint32_t tag_of(std::uint64_t key) { return static_cast<std::uint32_t>(key >> 32U); }
  Bucket& bucket_of(std::uint64_t key) { return index_[key & (span_.size * kCells / kBucket - 1)]; }
  const Bucket& bucket_of(std::uint64_t key) const { return const_cast<RecentRing*>(this)->bucket_of(key); }
  // The oldest of the bucket, which may be gone long since, falls off its end.
  void note(std::uint64_t key, std::uint64_t number) {
    Bucket& bucket = bucket_of(key);
    push_front(bucket.tags.data(), tag_of(key));
    push_front(bucket.numbers.data(), static_cast<std::uint32_t>(number));
  }
  void resize(std::uint64_t size) {
    const std::uint64_t before = std::exchange(span_.size, size);
    // Two that are alive are never a multiple of either size apart, so nothing is written over.
    for (std::uint64_t n = span_.head; n < span_.tail; ++n) {
      Entry& from = ring_[n & (before - 1)];
      Entry& to = ring_[n & (size - 1)];
      if (&from == &to) continue;
      to = from;
      from.key = 0;
    }
    std::fill_n(index_.begin(), std::max(size, before) * kCells / kBucket, Bucket{});
    for (std::uint64_t n = span_.head; n < span_.tail; ++n) {
      if (at(n).key != 0) note(at(n).key, n);
    }
  }

  core::LazyArray<Entry> ring_;
  core::LazyArray<Bucket> index_;
  Span span_;
};

}  // namespace gatehouse::ids::anomaly
