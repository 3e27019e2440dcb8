#include "ids/flow/flow_index.h"

#include <utility>

namespace gatehouse::ids {

// What follows in the same run moves up: no marks of erased slots are left behind.
void FlowIndex::erase(std::uint32_t hash, std::uint32_t node) {
  std::uint32_t hole = hash & mask_;
  while (slots_[hole].node != node) {
    if (slots_[hole].node == kNone) return;
    hole = (hole + 1) & mask_;
  }
  --used_;
  for (std::uint32_t at = (hole + 1) & mask_; slots_[at].node != kNone; at = (at + 1) & mask_) {
    // It may move to the hole when its home does not lie behind it.
    const std::uint32_t home = slots_[at].hash & mask_;
    if (((at - home) & mask_) < ((at - hole) & mask_)) continue;
    slots_[hole] = slots_[at];
    hole = at;
  }
  slots_[hole] = {};
}

void FlowIndex::grow() {
  std::vector<Slot> old(slots_.size() * 2);
  old.swap(slots_);
  mask_ = static_cast<std::uint32_t>(slots_.size() - 1);
  used_ = 0;
  for (const Slot& slot : old) {
    if (slot.node != kNone) insert(slot.hash, slot.node);
  }
}

}  // namespace gatehouse::ids
