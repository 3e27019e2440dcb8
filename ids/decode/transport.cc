// The choice of the transport header, and the small ones.
#include "ids/decode/layers.h"

namespace gatehouse::ids {

using namespace decode_event;

void decode_transport(DecodeContext& context, std::uint8_t protocol, ByteView bytes) {
  switch (protocol) {
    case kProtoTcp:
      return decode_tcp(context, bytes);
    case kProtoUdp:
      return decode_udp(context, bytes);
    case kProtoIcmp:
      return decode_icmpv4(context, bytes);
    case kProtoIcmp6:
      return decode_icmpv6(context, bytes);
    case kProtoSctp:
      return decode_sctp(context, bytes);
    case kProtoEsp:
      return decode_esp(context, bytes);
    case kProtoGre:
      return decode_gre(context, bytes);
    case kProtoIpIp:
    case kProtoIpv6:
      return decode_ip_in_ip(context, protocol, bytes);
    default:
      // IPv6 has no other way to say that a next header makes no sense.
      if (context.packet.ip_version == 6) context.event(ipv6_unknown_next_header);
  }
}

// RFC 9260 3.1: ports, verification tag, checksum (CRC32c, not verified).
void decode_sctp(DecodeContext& context, ByteView bytes) {
  ++context.counters.sctp;
  core::ByteReader reader(bytes);
  const std::uint16_t source = reader.u16();
  const std::uint16_t destination = reader.u16();
  reader.skip(8);
  if (!reader.ok()) return context.invalid(sctp_pkt_too_small);
  Packet& packet = context.packet;
  packet.has_transport = true;
  packet.source_port = source;
  packet.destination_port = destination;
  packet.transport_header = bytes.first(12);
  packet.payload = bytes.subspan(12);
}

// RFC 4303 2: security parameters index and sequence number; the rest is encrypted.
void decode_esp(DecodeContext& context, ByteView bytes) {
  ++context.counters.esp;
  if (bytes.size() < 8) return context.invalid(esp_pkt_too_small);
  Packet& packet = context.packet;
  packet.has_transport = true;
  packet.transport_header = bytes.first(8);
  packet.payload = bytes.subspan(8);
}

}  // namespace gatehouse::ids
