#include "ids/engine/event_ring.h"

#include <algorithm>
#include <bit>
#include <cstring>

namespace gatehouse::ids::engine {

EventRing::EventRing(std::size_t capacity_bytes)
    : capacity_(std::bit_ceil(std::max<std::size_t>(capacity_bytes, 4096))), bytes_(new char[capacity_]) {}

void EventRing::copy_in(std::uint64_t at, const void* from, std::size_t size) {
  const std::size_t start = place(at);
  const std::size_t first = std::min(size, capacity_ - start);
  std::memcpy(bytes_.get() + start, from, first);
  std::memcpy(bytes_.get(), static_cast<const char*>(from) + first, size - first);
}

void EventRing::copy_out(std::uint64_t at, void* to, std::size_t size) const {
  const std::size_t start = place(at);
  const std::size_t first = std::min(size, capacity_ - start);
  std::memcpy(to, bytes_.get() + start, first);
  std::memcpy(static_cast<char*>(to) + first, bytes_.get(), size - first);
}

bool EventRing::push(EventKind kind, std::string_view line, std::size_t reserve) {
  const std::uint64_t tail = tail_.load(std::memory_order_relaxed);
  const std::size_t need = line.size() + kHeader;
  if (need + reserve > capacity_ - (tail - head_seen_)) {
    head_seen_ = head_.load(std::memory_order_acquire);
    if (need + reserve > capacity_ - (tail - head_seen_)) return false;
  }
  const auto length = static_cast<std::uint32_t>(line.size());
  copy_in(tail, &length, sizeof length);
  copy_in(tail + 4, &kind, 1);
  copy_in(tail + kHeader, line.data(), line.size());
  tail_.store(tail + need, std::memory_order_release);
  return true;
}

std::string_view EventRing::line_at(std::uint64_t at, std::size_t size, std::string& room) const {
  const std::size_t start = place(at);
  if (size <= capacity_ - start) return {bytes_.get() + start, size};
  room.resize(size);
  copy_out(at, room.data(), size);
  return room;
}

}  // namespace gatehouse::ids::engine
