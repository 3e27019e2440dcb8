// UDP (RFC 768).
#include "ids/decode/checksum.h"
#include "ids/decode/layers.h"

namespace gatehouse::ids {

using namespace decode_event;

void decode_udp(DecodeContext& context, ByteView bytes) {
  ++context.counters.udp;
  if (bytes.size() < 8) return context.invalid(udp_hlen_too_small);
  Packet& packet = context.packet;
  core::ByteReader reader(bytes);
  const std::uint16_t source = reader.u16();
  const std::uint16_t destination = reader.u16();
  const std::uint16_t length = reader.u16();
  const std::uint16_t sum = reader.u16();
  if (length > bytes.size()) return context.invalid(udp_pkt_too_small);
  if (length < 8) return context.invalid(udp_len_invalid);
  // The IP packet is longer than the datagram: the rest is nobody's payload.
  if (length != bytes.size()) context.event(udp_len_invalid);
  packet.has_transport = true;
  packet.source_port = source;
  packet.destination_port = destination;
  packet.transport_header = bytes.first(8);
  packet.payload = bytes.subspan(8, length - 8U);
  // Zero says "not computed" in IPv4; in IPv6 tunnels may do so (RFC 6936).
  if (context.validate && sum != 0) {
    context.judge_checksum(bytes.first(length), sum,
                           pseudo_header_sum(packet.source, packet.destination, kProtoUdp, length));
  }
  decode_udp_tunnel(context, packet.payload);
}

}  // namespace gatehouse::ids
