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

// One producer, one consumer, no locks. Bytes in a ring: u32 length, u8 kind, the line. Each side keeps what
// it last saw of the other's position and looks again only when that does not do: the two would otherwise
// take the same cache lines from each other with every line of text.
class EventRing {
 public:
  // Rounded up to a power of two.
  explicit EventRing(std::size_t capacity_bytes);

  // False: no room (the line may also be longer than the ring will ever hold: see fits()).
  // `reserve`: bytes that must stay free behind it, for lines that matter more.
  bool push(EventKind kind, std::string_view line, std::size_t reserve = 0);
  bool fits(std::size_t line_bytes) const { return line_bytes + kHeader <= capacity_; }
  std::size_t capacity() const { return capacity_; }
  // Hands up to `most` lines, the oldest first, to `use(EventKind, std::string_view)`, where they lie or, if
  // one lies around the end of the ring, in `room`, and then takes them out. How many there were.
  template <class Use>
  int take(int most, std::string& room, Use&& use) {
    std::uint64_t at = head_.load(std::memory_order_relaxed);
    int taken = 0;
    for (; taken < most; ++taken) {
      if (at == tail_seen_) {
        tail_seen_ = tail_.load(std::memory_order_acquire);
        if (at == tail_seen_) break;
      }
      std::uint32_t length = 0;
      EventKind kind{};
      copy_out(at, &length, sizeof length);
      copy_out(at + 4, &kind, 1);
      use(kind, line_at(at + kHeader, length, room));
      at += kHeader + length;
    }
    if (taken != 0) head_.store(at, std::memory_order_release);
    return taken;
  }

 private:
  static constexpr std::size_t kHeader = 5;
  std::size_t place(std::uint64_t at) const { return at & (capacity_ - 1); }
  void copy_in(std::uint64_t at, const void* from, std::size_t size);
  void copy_out(std::uint64_t at, void* to, std::size_t size) const;
  std::string_view line_at(std::uint64_t at, std::size_t size, std::string& room) const;

  std::size_t capacity_;
  std::unique_ptr<char[]> bytes_;
  // Positions count bytes since the start and never wrap; each is written by one side only.
  alignas(64) std::atomic<std::uint64_t> head_{0};  // consumer
  std::uint64_t tail_seen_ = 0;                     // consumer
  alignas(64) std::atomic<std::uint64_t> tail_{0};  // producer
  std::uint64_t head_seen_ = 0;                     // producer
};

}  // namespace gatehouse::ids::engine
