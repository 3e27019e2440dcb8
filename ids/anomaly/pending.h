// Connection attempts that wait for their outcome: fixed size, ordered by time.
#pragma once

#include <bit>
#include <cstdint>

#include "ids/anomaly/lazy_array.h"
#include "ids/anomaly/observation.h"
#include "ids/anomaly/state.h"

namespace gatehouse::ids::anomaly {

// How far an attempt has come.
enum class Stage : std::uint8_t { open, retried, silent, refused, unreachable, answered, done };

struct Attempt {
  std::uint64_t key = 0;  // hash of both ends; 0: free
  std::int64_t time_us = 0;
  IpAddress client, server;
  std::uint16_t server_port = 0;
  std::uint8_t flags = 0;  // TCP flags of the first packet
  std::uint8_t protocol = 0;
  Stage stage = Stage::open;
  bool sound() const {
    return sound_time(time_us) && anomaly::sound(client) && anomaly::sound(server) && stage <= Stage::done;
  }
};

// A ring of attempts and an index into it. When the ring is full the oldest attempt is forgotten:
// under a flood nobody learns what became of each single SYN, and the flood detector does not need it.
class PendingAttempts {
 public:
  explicit PendingAttempts(std::size_t capacity)
      : ring_(std::bit_ceil(capacity)), index_(ring_.size() * 2), mask_(ring_.size() - 1) {}

  static std::size_t bytes(std::size_t capacity) {
    return std::bit_ceil(capacity) * (sizeof(Attempt) + 2 * sizeof(std::uint32_t));
  }
  // To be filled in.
  Attempt& add(std::uint64_t key) {
    if (ends_.tail - ends_.head == ring_.size()) pop();
    const std::uint64_t slot = ends_.tail++ & mask_;
    index_[position(key)] = static_cast<std::uint32_t>(slot) + 1;
    __builtin_prefetch(&ring_[(slot + 8) & mask_], 1);
    return ring_[slot];
  }
  // Null when it is not there (any more). A second attempt that falls on the same index cell hides
  // the first one, which then just times out as silent.
  Attempt* find(std::uint64_t key) {
    const std::uint32_t slot = index_[position(key)];
    return slot != 0 && ring_[slot - 1].key == key ? &ring_[slot - 1] : nullptr;
  }
  void archive(StateArchive& a) {
    a.array(ring_);
    a.array(index_, [this](std::uint32_t slot) { return slot <= ring_.size(); });
    a.value(ends_, [this](const Ends& e) {
      return e.head <= e.tail && e.tail - e.head <= ring_.size() && e.cursor <= e.tail && e.tail >> 62U == 0;
    });
  }
  // For a find() or add() that comes soon.
  void prefetch(std::uint64_t key) const { __builtin_prefetch(&index_[position(key)], 1); }
  void prefetch_found(std::uint64_t key) const {
    if (const std::uint32_t slot = index_[position(key)]; slot != 0) __builtin_prefetch(&ring_[slot - 1], 1);
  }
  const Attempt* find(std::uint64_t key) const { return const_cast<PendingAttempts*>(this)->find(key); }
  bool empty() const { return ends_.head == ends_.tail; }
  Attempt& oldest() { return ring_[ends_.head & mask_]; }
  void pop() { ring_[ends_.head++ & mask_].key = 0; }
  // Calls `f` for attempts from the cursor on, oldest first, until it returns false.
  template <class F>
  void from_cursor(F&& f) {
    if (ends_.cursor < ends_.head) ends_.cursor = ends_.head;
    while (ends_.cursor < ends_.tail && f(ring_[ends_.cursor & mask_])) ++ends_.cursor;
  }

 private:
  std::size_t position(std::uint64_t key) const { return (key >> 20) & (index_.size() - 1); }

  LazyArray<Attempt> ring_;
  LazyArray<std::uint32_t> index_;  // position in the ring + 1; 0: none
  std::uint64_t mask_;
  struct Ends {
    std::uint64_t head = 0, tail = 0, cursor = 0;
  };
  Ends ends_;
};

}  // namespace gatehouse::ids::anomaly
