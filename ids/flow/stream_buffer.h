// The bytes one end has sent and that are still needed: held in order as far as they arrived in
// order, in separate blocks beyond the first hole. Offsets count from the first payload byte.
#pragma once

#include <array>
#include <cstdint>
#include <memory>
#include <vector>

#include "core/bytes.h"
#include "ids/flow/os_policy.h"

namespace gatehouse::ids {

using core::ByteView;

// Memory for stream bytes, recycled between sessions. Refuses to hand out more than its limit.
class StreamPool {
 public:
  struct Block {
    std::unique_ptr<std::uint8_t[]> data;
    std::uint32_t capacity = 0;
  };

  explicit StreamPool(std::uint64_t limit_bytes) : limit_(limit_bytes) {}

  // At least `bytes` of room, uninitialised; an empty block when the limit forbids it.
  Block take(std::size_t bytes);
  void give_back(Block& block);
  std::uint64_t in_use() const { return in_use_; }

 private:
  static constexpr std::size_t kSmallest = 2048;
  static constexpr std::size_t kClasses = 14;  // 2 KiB to 16 MiB
  static constexpr std::uint64_t kMostSpare = 32U << 20U;

  std::uint64_t limit_;
  std::uint64_t in_use_ = 0;
  std::uint64_t spare_bytes_ = 0;
  std::array<std::vector<std::unique_ptr<std::uint8_t[]>>, kClasses> spare_;
};

struct StreamInsert {
  enum class Refusal : std::uint8_t { none, memory, too_many_segments };
  Refusal refusal = Refusal::none;
  bool stored = false;     // at least one byte was new or replaced
  bool overlap = false;    // shares bytes with what is held
  bool different = false;  // and the shared bytes differ
};

class StreamBuffer {
 public:
  StreamBuffer() = default;
  StreamBuffer(const StreamBuffer&) = delete;
  StreamBuffer& operator=(const StreamBuffer&) = delete;

  // Limits of one insert() call; the same for all calls on one stream.
  struct Limits {
    std::size_t most_bytes = 4U << 20U;
    std::size_t most_blocks = 1'024;
    OsPolicy policy = OsPolicy::bsd;
    bool compare = true;
  };

  // Stores what of `data` lies at or after delivered(). Overlaps are decided byte by byte between
  // the segment that holds a byte and the one that arrives.
  StreamInsert insert(StreamPool& pool, std::uint64_t offset, ByteView data, const Limits& limits);

  // Bytes below were handed on.
  std::uint64_t delivered() const { return delivered_; }
  // The end of what is there without a hole.
  std::uint64_t edge() const { return base_ + size_; }
  // Where the bytes after the first hole begin; edge() when nothing is held there.
  std::uint64_t next_held() const { return blocks_.empty() ? edge() : blocks_.front().begin; }
  // The end of the last byte held.
  std::uint64_t last_held() const {
    return blocks_.empty() ? edge() : blocks_.back().begin + blocks_.back().size;
  }
  bool empty() const { return delivered_ == edge() && blocks_.empty(); }
  std::size_t held_bytes() const { return size_ + block_bytes_; }
  // The most parts the bytes were in at once, counting only holes of some size.
  // Were bytes of the beginning released already?
  bool dropped_any() const { return dropped_; }
  unsigned most_regions() const { return most_regions_; }

  // In-order bytes from delivered() to `upto` at most. The view lives until the next change.
  ByteView deliverable(std::uint64_t upto) const;
  // They were delivered. Keeps them when `keep`: for inspection, until release().
  void mark_delivered(StreamPool& pool, std::uint64_t upto, bool keep);
  // Gives up on the hole before `offset` (> edge(), <= next_held() when something is held there).
  // All in-order bytes must have been delivered.
  void skip_to(StreamPool& pool, std::uint64_t offset);
  // Delivered bytes that release() has not dropped yet lie in windows between gaps: the first one that
  // ends behind `from`, else the last.
  struct Window {
    ByteView data;
    std::uint64_t offset = 0;
    bool gap_follows = false;
  };
  Window kept(std::uint64_t from = 0) const {
    for (const Parked& p : parked_) {
      if (p.begin + p.size > from) return {{p.block.data.get() + p.head, p.size}, p.begin, true};
    }
    return {{memory_.data.get() + head_, static_cast<std::size_t>(delivered_ - base_)}, base_, false};
  }
  // Everything held, delivered or not, in order: `use(offset, bytes)`.
  template <class Use>
  void visit(Use&& use) const {
    for (const Parked& p : parked_) use(p.begin, ByteView(p.block.data.get() + p.head, p.size));
    if (size_ != 0) use(base_, ByteView(memory_.data.get() + head_, size_));
    for (const Held& h : blocks_) use(h.begin, ByteView(h.block.data.get(), h.size));
  }
  // Kept bytes below `upto` are done with; before a gap all of them are, whatever `upto` says,
  // because nothing can match across it.
  void release(StreamPool& pool, std::uint64_t upto);
  // Drops everything and starts at `offset`.
  void reset(StreamPool& pool, std::uint64_t offset = 0);

 private:
  // Which segment a held byte came from: overlap decisions compare segments, not bytes.
  struct Piece {
    std::uint64_t begin, end;
    OverlapRange segment;
  };
  // Kept bytes that a gap separates from the in-order ones.
  struct Parked {
    std::uint64_t begin;
    std::uint32_t head, size;
    StreamPool::Block block;
  };
  struct Held {
    std::uint64_t begin;
    std::uint32_t size;
    StreamPool::Block block;
  };

  bool reserve(StreamPool& pool, std::size_t more, std::size_t most);
  bool insert_in_order(StreamPool& pool, ByteView data, const Limits& limits);
  void insert_overlapping(StreamPool& pool, std::uint64_t offset, ByteView data, const Limits& limits,
                          StreamInsert& result);
  bool store_new(StreamPool& pool, std::uint64_t begin, ByteView data, const Limits& limits,
                 StreamInsert& result);
  bool append(StreamPool& pool, ByteView data, const Limits& limits);
  void overwrite(std::uint64_t begin, ByteView data);
  bool equals(std::uint64_t begin, ByteView data) const;
  std::uint8_t* at(std::uint64_t offset, std::size_t& available) const;
  void absorb(StreamPool& pool, const Limits& limits);
  void drop_pieces_before(std::uint64_t offset);
  void drop_delivered(StreamPool& pool, std::uint64_t upto);

  StreamPool::Block memory_;
  std::uint32_t head_ = 0;  // of base_ in memory_
  std::uint32_t size_ = 0;  // in-order bytes from base_
  std::uint64_t base_ = 0;
  std::uint64_t delivered_ = 0;
  void count_regions();

  std::size_t block_bytes_ = 0;
  unsigned most_regions_ = 1;
  bool dropped_ = false;
  std::vector<Parked> parked_;
  std::vector<Held> blocks_;   // sorted, disjoint, all beyond edge()
  std::vector<Piece> pieces_;  // sorted, disjoint, all at or after delivered_
  std::vector<Piece> scratch_;
};

}  // namespace gatehouse::ids
