// Which node holds a flow, by the hash of its tuple. Private to the folder.
//
// Open addressing with linear probing: a slot is the hash and the number of the node, eight to a cache
// line, so that a packet of a new flow is known to be one after a single miss, and no node is touched
// but the one that is meant. The hash has a secret seed (hash.h): nobody can pick long runs.
#pragma once

#include <cstdint>
#include <vector>

namespace gatehouse::ids {

class FlowIndex {
 public:
  static constexpr std::uint32_t kNone = 0xffff'ffffU;
  static constexpr std::size_t kSlotBytes = 8;

  explicit FlowIndex(std::size_t slots) : slots_(slots), mask_(static_cast<std::uint32_t>(slots - 1)) {}

  std::size_t slots() const { return slots_.size(); }
  // At most three quarters are used: beyond that runs become long.
  bool full() const { return used_ >= slots_.size() / 4 * 3; }

  // `is_it(node)`: called for each node whose hash is equal.
  template <class Predicate>
  std::uint32_t find(std::uint32_t hash, Predicate&& is_it) const {
    for (std::uint32_t at = hash & mask_; slots_[at].node != kNone; at = (at + 1) & mask_) {
      if (slots_[at].hash == hash && is_it(slots_[at].node)) return slots_[at].node;
    }
    return kNone;
  }
  // There must be room: !full().
  void insert(std::uint32_t hash, std::uint32_t node) {
    std::uint32_t at = hash & mask_;
    while (slots_[at].node != kNone) at = (at + 1) & mask_;
    slots_[at] = {hash, node};
    ++used_;
  }
  void erase(std::uint32_t hash, std::uint32_t node);
  // Twice as many slots.
  void grow();
  void prefetch(std::uint32_t hash) const { __builtin_prefetch(&slots_[hash & mask_]); }

 private:
  struct Slot {
    std::uint32_t hash = 0;
    std::uint32_t node = kNone;
  };
  static_assert(sizeof(Slot) == kSlotBytes);

  std::vector<Slot> slots_;  // a power of two
  std::uint32_t mask_;
  std::size_t used_ = 0;
};

}  // namespace gatehouse::ids
