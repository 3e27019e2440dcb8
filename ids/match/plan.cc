#include "ids/match/plan.h"

namespace gatehouse::ids {

PacketKind kind_of(const Packet& packet) {
  if (packet.is_tcp()) return PacketKind::tcp;
  if (packet.is_udp()) return PacketKind::udp;
  if (packet.is_icmp()) return PacketKind::icmp;
  return PacketKind::other;
}

}  // namespace gatehouse::ids
