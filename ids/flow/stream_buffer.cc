#include "ids/flow/stream_buffer.h"

#include <algorithm>
#include <cstring>

namespace gatehouse::ids {

StreamInsert StreamBuffer::insert(StreamPool& pool, std::uint64_t offset, ByteView data,
                                  const Limits& limits) {
  StreamInsert result;
  if (offset < delivered_) {
    const std::uint64_t old = delivered_ - offset;
    if (old >= data.size()) return result;
    data = data.subspan(static_cast<std::size_t>(old));
    offset = delivered_;
  }
  if (data.empty()) return result;
  // Nearly every segment: next in line, nothing held beyond it.
  if (offset == edge() && blocks_.empty()) {
    // Made at once: read back byte by byte, it would wait for all that was stored before.
    return insert_in_order(pool, data, limits) ? StreamInsert{StreamInsert::Refusal::none, true, false, false}
                                               : StreamInsert{StreamInsert::Refusal::memory};
  }
  // Overlaps split pieces, and each insert() walks over all of them: a cap keeps that bounded.
  if (pieces_.size() >= limits.most_blocks * 4) {
    result.refusal = StreamInsert::Refusal::too_many_segments;
    return result;
  }
  insert_overlapping(pool, offset, data, limits, result);
  absorb(pool, limits);
  return result;
}

bool StreamBuffer::insert_in_order(StreamPool& pool, ByteView data, const Limits& limits) {
  const std::uint64_t begin = edge();
  if (!append(pool, data, limits)) return false;
  const OverlapRange segment{begin, begin + data.size()};
  // One-byte segments must not cost a Piece each for ever: beyond the limit they are taken as one.
  if (pieces_.size() >= limits.most_blocks && pieces_.back().end == begin) {
    pieces_.back().end = segment.end;
    pieces_.back().segment.end = segment.end;
  } else {
    pieces_.push_back({begin, segment.end, segment});
  }
  return true;
}

// Walks over the pieces that the segment meets: takes or leaves what both have, stores the rest.
void StreamBuffer::insert_overlapping(StreamPool& pool, std::uint64_t offset, ByteView data,
                                      const Limits& limits, StreamInsert& result) {
  const OverlapRange segment{offset, offset + data.size()};
  const auto part = [&](std::uint64_t from, std::uint64_t to) {
    return data.subspan(static_cast<std::size_t>(from - offset), static_cast<std::size_t>(to - from));
  };
  scratch_.clear();
  std::uint64_t next = segment.begin;  // the first byte not placed yet
  const auto fill_hole = [&](std::uint64_t to) {
    if (next >= to) return;
    if (store_new(pool, next, part(next, to), limits, result)) scratch_.push_back({next, to, segment});
    next = to;
  };
  for (const Piece& piece : pieces_) {
    const std::uint64_t from = std::max(piece.begin, segment.begin);
    const std::uint64_t to = std::min(piece.end, segment.end);
    if (from >= to) {
      if (piece.begin >= segment.end) fill_hole(segment.end);
      scratch_.push_back(piece);
      continue;
    }
    fill_hole(from);
    result.overlap = true;
    const ByteView arriving = part(from, to);
    if (limits.compare && !equals(from, arriving)) result.different = true;
    if (piece.begin < from) scratch_.push_back({piece.begin, from, piece.segment});
    if (segment_replaces(limits.policy, piece.segment, segment)) {
      overwrite(from, arriving);
      result.stored = true;
      scratch_.push_back({from, to, segment});
    } else {
      scratch_.push_back({from, to, piece.segment});
    }
    if (to < piece.end) scratch_.push_back({to, piece.end, piece.segment});
    next = to;
  }
  fill_hole(segment.end);
  pieces_.swap(scratch_);
}

// Bytes nobody holds yet: after the in-order part, or in a block of their own. A hole between
// blocks is filled by a block, which absorb() joins when its turn comes.
bool StreamBuffer::store_new(StreamPool& pool, std::uint64_t begin, ByteView data, const Limits& limits,
                             StreamInsert& result) {
  if (begin == edge()) {
    if (append(pool, data, limits)) {
      result.stored = true;
      return true;
    }
    result.refusal = StreamInsert::Refusal::memory;
    return false;
  }
  if (blocks_.size() >= limits.most_blocks) {
    result.refusal = StreamInsert::Refusal::too_many_segments;
    return false;
  }
  StreamPool::Block block;
  if (held_bytes() + data.size() <= limits.most_bytes) block = pool.take(data.size());
  if (block.data == nullptr) {
    result.refusal = StreamInsert::Refusal::memory;
    return false;
  }
  std::memcpy(block.data.get(), data.data(), data.size());
  const auto place =
      std::upper_bound(blocks_.begin(), blocks_.end(), begin,
                       [](std::uint64_t offset, const Held& held) { return offset < held.begin; });
  blocks_.insert(place, Held{begin, static_cast<std::uint32_t>(data.size()), std::move(block)});
  block_bytes_ += data.size();
  count_regions();
  result.stored = true;
  return true;
}

void StreamBuffer::count_regions() {
  constexpr std::uint64_t kHole = 256U << 10U;
  unsigned regions = 1;
  std::uint64_t end = edge();
  for (const Held& block : blocks_) {
    if (block.begin > end + kHole) ++regions;
    end = block.begin + block.size;
  }
  most_regions_ = std::max(most_regions_, regions);
}

bool StreamBuffer::append(StreamPool& pool, ByteView data, const Limits& limits) {
  if (!reserve(pool, data.size(), limits.most_bytes)) return false;
  std::memcpy(memory_.data.get() + head_ + size_, data.data(), data.size());
  size_ += static_cast<std::uint32_t>(data.size());
  return true;
}

bool StreamBuffer::reserve(StreamPool& pool, std::size_t more, std::size_t most) {
  if (held_bytes() + more > most) return false;
  if (head_ + size_ + more <= memory_.capacity) return true;
  // Moving down costs at most as many bytes as were consumed since the last time.
  if (size_ + more <= memory_.capacity && head_ >= memory_.capacity / 2) {
    std::memmove(memory_.data.get(), memory_.data.get() + head_, size_);
    head_ = 0;
    return true;
  }
  StreamPool::Block bigger = pool.take(std::max<std::size_t>(size_ + more, std::size_t{size_} * 2));
  if (bigger.data == nullptr) {
    if (size_ + more > memory_.capacity) return false;
    std::memmove(memory_.data.get(), memory_.data.get() + head_, size_);
    head_ = 0;
    return true;
  }
  if (size_ != 0) std::memcpy(bigger.data.get(), memory_.data.get() + head_, size_);
  pool.give_back(memory_);
  memory_ = std::move(bigger);
  head_ = 0;
  return true;
}

// Joins blocks that the in-order part has reached.
void StreamBuffer::absorb(StreamPool& pool, const Limits& limits) {
  std::size_t joined = 0;
  while (joined < blocks_.size() && blocks_[joined].begin == edge()) {
    Held& held = blocks_[joined];
    block_bytes_ -= held.size;  // first, so that a full stream can still be put in order
    if (!append(pool, ByteView(held.block.data.get(), held.size), limits)) {
      block_bytes_ += held.size;
      break;
    }
    pool.give_back(held.block);
    ++joined;
  }
  blocks_.erase(blocks_.begin(), blocks_.begin() + static_cast<std::ptrdiff_t>(joined));
}

// The held byte at `offset`, and how many follow it in the same storage.
std::uint8_t* StreamBuffer::at(std::uint64_t offset, std::size_t& available) const {
  if (offset >= base_ && offset < edge()) {
    const auto index = static_cast<std::size_t>(offset - base_);
    available = size_ - index;
    return memory_.data.get() + head_ + index;
  }
  auto after = std::upper_bound(blocks_.begin(), blocks_.end(), offset,
                                [](std::uint64_t value, const Held& held) { return value < held.begin; });
  const Held& held = *std::prev(after);
  const auto index = static_cast<std::size_t>(offset - held.begin);
  available = held.size - index;
  return held.block.data.get() + index;
}

void StreamBuffer::overwrite(std::uint64_t begin, ByteView data) {
  while (!data.empty()) {
    std::size_t available = 0;
    std::uint8_t* place = at(begin, available);
    const std::size_t count = std::min(available, data.size());
    std::memcpy(place, data.data(), count);
    data = data.subspan(count);
    begin += count;
  }
}

bool StreamBuffer::equals(std::uint64_t begin, ByteView data) const {
  while (!data.empty()) {
    std::size_t available = 0;
    const std::uint8_t* place = at(begin, available);
    const std::size_t count = std::min(available, data.size());
    if (std::memcmp(place, data.data(), count) != 0) return false;
    data = data.subspan(count);
    begin += count;
  }
  return true;
}

ByteView StreamBuffer::deliverable(std::uint64_t upto) const {
  upto = std::min(upto, edge());
  if (upto <= delivered_) return {};
  const auto from = static_cast<std::size_t>(delivered_ - base_);
  return {memory_.data.get() + head_ + from, static_cast<std::size_t>(upto - delivered_)};
}

void StreamBuffer::mark_delivered(StreamPool& pool, std::uint64_t upto, bool keep) {
  delivered_ = std::clamp(upto, delivered_, edge());
  drop_pieces_before(delivered_);
  if (!keep) drop_delivered(pool, delivered_);
}

void StreamBuffer::drop_pieces_before(std::uint64_t offset) {
  std::size_t done = 0;
  while (done < pieces_.size() && pieces_[done].end <= offset) ++done;
  if (done != 0) pieces_.erase(pieces_.begin(), pieces_.begin() + static_cast<std::ptrdiff_t>(done));
  if (!pieces_.empty() && pieces_.front().begin < offset) pieces_.front().begin = offset;
}

void StreamBuffer::skip_to(StreamPool& pool, std::uint64_t offset) {
  if (offset <= edge()) return;
  constexpr std::size_t kMostParked = 8;
  if (size_ != 0 && parked_.size() < kMostParked) {
    parked_.push_back({base_, head_, size_, std::move(memory_)});
    memory_ = {};
  }
  base_ = delivered_ = offset;
  head_ = size_ = 0;
  drop_pieces_before(offset);
  absorb(pool, Limits{});
}

void StreamBuffer::release(StreamPool& pool, std::uint64_t upto) {
  if (parked_.empty()) return drop_delivered(pool, upto);
  dropped_ = true;
  pool.give_back(parked_.front().block);
  parked_.erase(parked_.begin());
}

void StreamBuffer::drop_delivered(StreamPool& pool, std::uint64_t upto) {
  upto = std::min(upto, delivered_);
  if (upto <= base_) return;
  dropped_ = true;
  const auto count = static_cast<std::uint32_t>(upto - base_);
  base_ = upto;
  head_ += count;
  size_ -= count;
  if (size_ != 0) return;
  head_ = 0;
  // An idle stream holds no memory.
  pool.give_back(memory_);
}

void StreamBuffer::reset(StreamPool& pool, std::uint64_t offset) {
  for (Held& held : blocks_) pool.give_back(held.block);
  for (Parked& parked : parked_) pool.give_back(parked.block);
  parked_.clear();
  pool.give_back(memory_);
  blocks_.clear();
  // What a hostile stream made large is not kept for the next one.
  constexpr std::size_t kMostKept = 256;
  if (pieces_.capacity() > kMostKept) pieces_ = {};
  if (scratch_.capacity() > kMostKept) scratch_ = {};
  pieces_.clear();
  block_bytes_ = 0;
  head_ = size_ = 0;
  base_ = delivered_ = offset;
  most_regions_ = 1;
  dropped_ = false;
}

}  // namespace gatehouse::ids
