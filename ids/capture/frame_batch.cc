#include "ids/capture/frame_batch.h"

namespace gatehouse::ids {
namespace {

class Appender : public PacketSink {
 public:
  explicit Appender(FrameBatch& batch) : batch_(batch) {}
  void on_packet(const RawPacket& packet) override { batch_.add(packet); }

 private:
  FrameBatch& batch_;
};

}  // namespace

void FrameBatch::add_view(const RawPacket& packet, std::size_t offset) {
  frames_.push_back({packet.time_us, packet.number, static_cast<std::uint32_t>(offset),
                     static_cast<std::uint32_t>(packet.data.size()), packet.wire_length, packet.link_type});
}

void FrameBatch::add(const RawPacket& packet) {
  add_view(packet, bytes_.size());
  bytes_.insert(bytes_.end(), packet.data.begin(), packet.data.end());
}

RawPacket FrameBatch::operator[](std::size_t at) const {
  const Frame& frame = frames_[at];
  RawPacket packet;
  packet.data = core::ByteView(bytes_).subspan(frame.offset, frame.size);
  packet.wire_length = frame.wire_length;
  packet.time_us = frame.time_us;
  packet.number = frame.number;
  packet.link_type = frame.link_type;
  return packet;
}

core::Result<SourceState> Source::read(FrameBatch& batch) {
  constexpr unsigned kAtOnce = 16;
  batch.clear();
  Appender appender(batch);
  while (!batch.full()) {
    GH_TRY(const SourceState state, dispatch(appender, kAtOnce));
    if (state != SourceState::more) return state;
  }
  return SourceState::more;
}

}  // namespace gatehouse::ids
