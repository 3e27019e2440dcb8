#include "ids/match/plan.h"

namespace gatehouse::ids {

PacketKind kind_of(const Packet& packet) {
  if (packet.is_tcp()) return PacketKind::tcp;
  if (packet.is_udp()) return PacketKind::udp;
  if (packet.is_icmp()) return PacketKind::icmp;
  return PacketKind::other;
}

bool counts_positions(const Rule& rule) {
  for (const BufferMatch& list : rule.buffers) {
    for (const BufferOp& op : list.ops) {
      const ContentOp& c = op.content;
      if (op.kind() == BufferOp::Kind::content && (c.has_offset || c.has_depth || c.startswith)) return true;
    }
  }
  return false;
}

}  // namespace gatehouse::ids
