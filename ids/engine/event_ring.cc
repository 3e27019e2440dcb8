#include "ids/engine/event_ring.h"

#include <algorithm>
#include <bit>
#include <cstring>

namespace gatehouse::ids::engine {

EventRing::EventRing(std::size_t capacity_bytes)
    : capacity_(std::bit_ceil(std::clamp<std::size_t>(capacity_bytes, 4096, 1U << 28U))),
      line_mask_(capacity_ / kLineBytes - 1),
      bytes_(new char[capacity_]),
      lines_(new std::uint32_t[capacity_ / kLineBytes]) {}

bool EventRing::push(EventKind kind, std::string_view line, std::size_t reserve) {
  const std::uint64_t tail = tail_.load(std::memory_order_relaxed);
  if (!has_room(tail, line.size() + reserve)) {
    look_at_head();
    if (!has_room(tail, line.size() + reserve)) return false;
  }
  const std::size_t start = place(tail_bytes_), first = std::min(line.size(), capacity_ - start);
  std::memcpy(bytes_.get() + start, line.data(), first);
  std::memcpy(bytes_.get(), line.data() + first, line.size() - first);
  lines_[tail & line_mask_] =
      static_cast<std::uint32_t>(line.size()) << kKindBits | static_cast<std::uint32_t>(kind);
  tail_bytes_ += line.size();
  tail_.store(tail + 1, std::memory_order_release);
  return true;
}

void EventRing::look_at_head() {
  head_seen_ = head_.load(std::memory_order_acquire);
  head_bytes_seen_ = head_bytes_.load(std::memory_order_acquire);
}

bool EventRing::is_half_full() {
  const std::uint64_t tail = tail_.load(std::memory_order_relaxed);
  if (!looks_half_full(tail)) return false;
  look_at_head();
  return looks_half_full(tail);
}

void EventRing::release() {
  head_bytes_.store(read_bytes_, std::memory_order_release);
  head_.store(read_, std::memory_order_release);
}

std::string_view EventRing::line_at(std::uint64_t at, std::size_t size, std::string& room) const {
  const std::size_t start = place(at);
  if (size <= capacity_ - start) return {bytes_.get() + start, size};
  room.assign(bytes_.get() + start, capacity_ - start);
  room.append(bytes_.get(), size - (capacity_ - start));
  return room;
}

}  // namespace gatehouse::ids::engine
