#include "ids/flow/packet_path.h"

#include <utility>

namespace gatehouse::ids {

void PacketPath::process(const RawPacket& raw, PacketHandler& next) {
  next_ = &next;
  defrag_.expire(raw.time_us);
  decoder_.decode(raw, *this);
}

void PacketPath::on_packet(Packet& packet) {
  if (!packet.fragment || packet.bad_checksum) return next_->on_packet(packet);
  auto datagram = defrag_.add(packet);
  next_->on_packet(packet);
  // A datagram may hold a tunnel whose inner packets are fragments: this function again, one
  // level deeper. The decoder bounds the depth.
  if (!datagram) return;
  decoder_.decode_datagram(datagram->frame(), datagram->ip_offset(), packet, *this);
  defrag_.recycle(std::move(*datagram));
}

}  // namespace gatehouse::ids
