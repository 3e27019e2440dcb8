// Frames that outlive the callback: with their bytes, in one piece, so that several may work through them.
#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

#include "ids/capture/source.h"

namespace gatehouse::ids {

class FrameBatch {
 public:
  // A source fills in about so many bytes: they stay in a processor's own cache until they are looked at.
  static constexpr std::size_t kBytes = 256U << 10U;

  // Copies the frame.
  void add(const RawPacket& packet);
  bool full() const { return bytes_.size() >= kBytes || frames_.size() >= kMostFrames; }
  bool empty() const { return frames_.empty(); }
  std::size_t size() const { return frames_.size(); }
  // Lives as long as the batch is not changed.
  RawPacket operator[](std::size_t at) const;
  void deliver(PacketSink& sink) const {
    for (std::size_t i = 0; i < size(); ++i) sink.on_packet((*this)[i]);
  }
  // The memory stays.
  void clear() {
    bytes_.clear();
    frames_.clear();
  }

  // For a source that reads straight into a batch: `bytes` become the batch's, what it had comes back.
  void swap_bytes(std::vector<std::uint8_t>& bytes) { bytes_.swap(bytes); }
  // `packet.data` begins at `offset` of what will be the bytes.
  void add_view(const RawPacket& packet, std::size_t offset);

 private:
  // Records may be empty: 16 bytes of a file each.
  static constexpr std::size_t kMostFrames = kBytes / 16;
  struct Frame {
    std::int64_t time_us = 0;
    std::uint64_t number = 0;
    std::uint32_t offset = 0, size = 0, wire_length = 0;
    int link_type = 0;
  };
  std::vector<std::uint8_t> bytes_;
  std::vector<Frame> frames_;
};

}  // namespace gatehouse::ids
