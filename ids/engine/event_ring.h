// A bounded queue of event lines between one worker and the writer thread.
#pragma once

#include <atomic>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>

namespace gatehouse::ids::engine {

// What an event is; decides what a full spool gives up first. The order is that of EVE types, not of
// importance.
enum class EventKind : std::uint8_t { alert, anomaly, transaction, flow, stats };
inline constexpr std::size_t kEventKinds = 5;

// One producer, one consumer, no locks. Bytes in a ring: u32 length, u8 kind, the line.
class EventRing {
 public:
  explicit EventRing(std::size_t capacity_bytes);

  // False: no room (the line may also be longer than the ring will ever hold: see fits()).
  // `reserve`: bytes that must stay free behind it, for lines that matter more.
  bool push(EventKind kind, std::string_view line, std::size_t reserve = 0);
  bool fits(std::size_t line_bytes) const { return line_bytes + kHeader <= capacity_; }
  std::size_t capacity() const { return capacity_; }
  // Hands the oldest line to `use(EventKind, std::string_view)`, where it lies or, if it lies around the end
  // of the ring, in `room`, and takes it out. False: there was none.
  template <class Use>
  bool pop(std::string& room, Use&& use) {
    const std::uint64_t head = head_.load(std::memory_order_relaxed);
    if (head == tail_.load(std::memory_order_acquire)) return false;
    std::uint32_t length = 0;
    EventKind kind{};
    copy_out(head, &length, sizeof length);
    copy_out(head + 4, &kind, 1);
    use(kind, line_at(head + kHeader, length, room));
    head_.store(head + kHeader + length, std::memory_order_release);
    return true;
  }
  bool empty() const {
    return head_.load(std::memory_order_acquire) == tail_.load(std::memory_order_acquire);
  }

 private:
  static constexpr std::size_t kHeader = 5;
  void copy_in(std::size_t at, const void* from, std::size_t size);
  void copy_out(std::size_t at, void* to, std::size_t size) const;
  std::string_view line_at(std::size_t at, std::size_t size, std::string& room) const;

  std::size_t capacity_;
  std::unique_ptr<char[]> bytes_;
  // Positions count bytes since the start and never wrap; each is written by one side only.
  alignas(64) std::atomic<std::uint64_t> head_{0};  // consumer
  alignas(64) std::atomic<std::uint64_t> tail_{0};  // producer
};

}  // namespace gatehouse::ids::engine
