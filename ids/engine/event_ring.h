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

// One producer, one consumer, no locks. The bytes of the lines lie one behind the other, so that a file can
// take many of them at once; what each is, and how long, stands in a ring of its own. Each side keeps what it
// last saw of the other's position and looks again only when that does not do: the two would otherwise take
// the same cache lines from each other with every line of text.
class EventRing {
 public:
  // Rounded up to a power of two. There is room for as many lines as have kLineBytes on average.
  explicit EventRing(std::size_t capacity_bytes);

  // False: no room (the line may also be longer than the ring will ever hold: see fits()).
  // `reserve`: bytes that must stay free behind it, for lines that matter more.
  bool push(EventKind kind, std::string_view line, std::size_t reserve = 0);
  bool fits(std::size_t line_bytes) const { return line_bytes <= capacity_; }
  std::size_t capacity() const { return capacity_; }
  // The producer's view: what is not read yet takes half of the room.
  bool is_half_full();
  // Hands up to `most` lines, the oldest first, to `use(EventKind, std::string_view)`: where they lie or, if
  // one lies around the end of the ring, in `room` (there is at most one such). They stay until release().
  // How many there were.
  template <class Use>
  int read(int most, std::string& room, Use&& use) {
    int taken = 0;
    for (; taken < most; ++taken, ++read_) {
      if (read_ == tail_seen_) {
        tail_seen_ = tail_.load(std::memory_order_acquire);
        if (read_ == tail_seen_) break;
      }
      const std::uint32_t line = lines_[read_ & line_mask_];
      use(static_cast<EventKind>(line & kKindMask), line_at(read_bytes_, line >> kKindBits, room));
      read_bytes_ += line >> kKindBits;
    }
    return taken;
  }
  // Gives the room of all that was read back to the producer.
  void release();

 private:
  static constexpr std::size_t kLineBytes = 64;
  static constexpr std::uint32_t kKindBits = 3, kKindMask = (1U << kKindBits) - 1;
  static_assert(kEventKinds <= kKindMask + 1);
  bool looks_half_full(std::uint64_t tail) const {
    return tail - head_seen_ > line_mask_ / 2 || tail_bytes_ - head_bytes_seen_ > capacity_ / 2;
  }
  void look_at_head();
  bool has_room(std::uint64_t tail, std::size_t bytes) const {
    return tail - head_seen_ <= line_mask_ && bytes <= capacity_ - (tail_bytes_ - head_bytes_seen_);
  }
  std::size_t place(std::uint64_t at) const { return at & (capacity_ - 1); }
  std::string_view line_at(std::uint64_t at, std::size_t size, std::string& room) const;

  std::size_t capacity_, line_mask_;
  std::unique_ptr<char[]> bytes_;
  std::unique_ptr<std::uint32_t[]> lines_;  // length and kind
  // Positions count lines and bytes since the start and never wrap; each is written by one side only.
  alignas(64) std::atomic<std::uint64_t> head_{0};  // consumer, as the next three
  std::atomic<std::uint64_t> head_bytes_{0};
  std::uint64_t read_ = 0, read_bytes_ = 0;
  std::uint64_t tail_seen_ = 0;
  alignas(64) std::atomic<std::uint64_t> tail_{0};  // producer, as the next two
  std::uint64_t tail_bytes_ = 0;
  std::uint64_t head_seen_ = 0, head_bytes_seen_ = 0;
};

}  // namespace gatehouse::ids::engine
