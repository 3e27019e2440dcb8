#include <bit>

#include "ids/flow/stream_buffer.h"

namespace gatehouse::ids {
namespace {

std::size_t class_of(std::size_t bytes, std::size_t smallest) {
  if (bytes <= smallest) return 0;
  return static_cast<std::size_t>(std::bit_width((bytes - 1) / smallest));
}

}  // namespace

StreamPool::Block StreamPool::take(std::size_t bytes) {
  const std::size_t size_class = class_of(bytes, kSmallest);
  if (size_class >= kClasses) return {};
  const std::size_t capacity = kSmallest << size_class;
  if (in_use_ + capacity > limit_) return {};
  in_use_ += capacity;
  auto& spare = spare_[size_class];
  Block block;
  block.capacity = static_cast<std::uint32_t>(capacity);
  if (spare.empty()) {
    block.data.reset(
        new std::uint8_t[capacity]);  // uninitialised on purpose: it is written before it is read
  } else {
    block.data = std::move(spare.back());
    spare.pop_back();
    spare_bytes_ -= capacity;
  }
  return block;
}

void StreamPool::give_back(Block& block) {
  if (block.data == nullptr) return;
  in_use_ -= block.capacity;
  if (spare_bytes_ + block.capacity <= kMostSpare) {
    spare_bytes_ += block.capacity;
    spare_[class_of(block.capacity, kSmallest)].push_back(std::move(block.data));
  }
  block = {};
}

}  // namespace gatehouse::ids
