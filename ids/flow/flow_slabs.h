// Memory of the flow table's nodes: taken from the heap in slabs, used again and again, returned when the
// table goes. Private to the folder.
#pragma once

#include <cstdint>
#include <memory>
#include <new>
#include <vector>

#include "ids/flow/flow_node.h"

namespace gatehouse::ids {

class FlowSlabs {
 public:
  static constexpr std::size_t kNodes = 64;  // of one slab
  static constexpr std::uint64_t kSlabBytes = kNodes * sizeof(FlowNode);

  bool has_free() const { return !free_.empty(); }
  std::size_t free_nodes() const { return free_.size(); }
  void add_slab() {
    const auto first = static_cast<std::uint32_t>(slabs_.size() * kNodes);
    slabs_.push_back(std::make_unique<Slab>());
    free_.reserve(slabs_.size() * kNodes);
    for (std::uint32_t i = kNodes; i-- > 0;) free_.push_back(first + i);
  }
  // The one freed last, which is still in the cache; has_free() must hold.
  FlowNode* take() {
    const std::uint32_t number = free_.back();
    free_.pop_back();
    FlowNode* const node = new (place(number)) FlowNode;
    node->number = number;
    return node;
  }
  void give_back(FlowNode* node) {
    const std::uint32_t number = node->number;
    node->~FlowNode();
    free_.push_back(number);
  }
  // A node that was taken.
  FlowNode* at(std::uint32_t number) const {
    return std::launder(reinterpret_cast<FlowNode*>(place(number)));
  }

 private:
  struct Slab {
    alignas(FlowNode) std::byte bytes[kSlabBytes];
  };
  std::byte* place(std::uint32_t number) const {
    return slabs_[number / kNodes]->bytes + number % kNodes * sizeof(FlowNode);
  }

  std::vector<std::unique_ptr<Slab>> slabs_;
  std::vector<std::uint32_t> free_;
};

}  // namespace gatehouse::ids
