// A fixed-size bump allocator for what lives as long as one packet or one batch.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>

namespace gatehouse::core {

// Allocates its memory once, at construction. Never throws and never grows: a request that does
// not fit returns null and is counted, and the caller treats it as "this packet needs more than
// we allow". Destructors are not run: only for trivially destructible content.
class Arena {
 public:
  explicit Arena(std::size_t capacity_bytes)
      : memory_(new std::byte[capacity_bytes]), capacity_(capacity_bytes) {}

  void* allocate(std::size_t bytes, std::size_t alignment = alignof(std::max_align_t)) {
    const std::size_t start = (used_ + alignment - 1) / alignment * alignment;
    if (start > capacity_ || bytes > capacity_ - start) {
      ++failures_;
      return nullptr;
    }
    used_ = start + bytes;
    return memory_.get() + start;
  }
  // Room for `count` objects, uninitialised; empty when it does not fit.
  template <class T>
  std::span<T> allocate_array(std::size_t count) {
    static_assert(std::is_trivially_destructible_v<T>);
    if (count > capacity_ / sizeof(T)) {
      ++failures_;
      return {};
    }
    auto* place = static_cast<T*>(allocate(count * sizeof(T), alignof(T)));
    return place == nullptr ? std::span<T>{} : std::span<T>{place, count};
  }
  void reset() { used_ = 0; }

  std::size_t used() const { return used_; }
  std::size_t capacity() const { return capacity_; }
  std::uint64_t failures() const { return failures_; }

 private:
  std::unique_ptr<std::byte[]> memory_;
  std::size_t capacity_;
  std::size_t used_ = 0;
  std::uint64_t failures_ = 0;
};

}  // namespace gatehouse::core
