// ICMP for IPv6 (RFC 4443, 4861, 2710, 3810 and others).
#include "ids/decode/checksum.h"
#include "ids/decode/layers.h"

namespace gatehouse::ids {
namespace {

using namespace decode_event;

constexpr std::uint8_t kPacketTooBig = 2, kEchoRequest = 128, kEchoReply = 129;

// The highest code of each type (IANA icmpv6-parameters); -1: the type is not assigned.
int highest_code(std::uint8_t type) {
  switch (type) {
    case 1:
      return 8;  // destination unreachable
    case kPacketTooBig:
      return 0;
    case 3:
      return 1;  // time exceeded
    case 4:
      return 10;  // parameter problem
    case kEchoRequest:
    case kEchoReply:
      return 0;
    case 130:
    case 131:
    case 132:
      return 0;  // multicast listener
    case 133:
    case 134:
    case 135:
    case 136:
    case 137:
      return 0;  // neighbour discovery
    case 138:
      return 255;  // router renumbering: 0, 1, 255
    case 139:
    case 140:
      return 2;  // node information
    case 141:
    case 142:
    case 143:
      return 0;
    case 144:
    case 145:
    case 146:
    case 147:
    case 148:
    case 149:
      return 0;
    case 151:
    case 152:
    case 153:
      return 0;  // multicast router discovery
    case 154:
      return 5;  // FMIPv6
    case 155:
      return 255;  // RPL
    case 156:
    case 157:
    case 158:
    case 159:
      return 255;
    case 160:
    case 161:
      return 255;  // extended echo
    default:
      return -1;
  }
}

bool is_experimental(std::uint8_t type) {
  return type == 100 || type == 101 || type == 200 || type == 201;
}

void check_type(DecodeContext& context) {
  const IcmpHeader& icmp = context.packet.icmp;
  const int highest = highest_code(icmp.type);
  if (highest >= 0) {
    if (icmp.code > highest) context.event(icmpv6_unknown_code);
    return;
  }
  if (is_experimental(icmp.type)) return context.event(icmpv6_experimentation_type);
  // RFC 4443 2.1: 0 to 127 are errors; what is not assigned there cannot be told from noise.
  context.event(icmp.type > 4 && icmp.type < 127 ? icmpv6_unassigned_type : icmpv6_unknown_type);
}

void read_quoted(DecodeContext& context, ByteView quoted) {
  if (quoted.size() < 40) return context.event(icmpv6_ipv6_trunc_pkt);
  if (quoted[0] >> 4 != 6) return context.event(icmpv6_ipv6_unknown_version);
  context.packet.icmp.embedded = quoted;
  read_embedded(context.packet, quoted);
}

}  // namespace

void decode_icmpv6(DecodeContext& context, ByteView bytes) {
  ++context.counters.icmpv6;
  if (bytes.size() < 8) return context.invalid(icmpv6_pkt_too_small);
  Packet& packet = context.packet;
  IcmpHeader& icmp = packet.icmp;
  icmp.type = bytes[0];
  icmp.code = bytes[1];
  packet.has_transport = true;
  packet.transport_header = bytes.first(8);
  packet.payload = bytes.subspan(8);
  core::ByteReader reader(bytes.subspan(4));
  if (icmp.type == kEchoRequest || icmp.type == kEchoReply) {
    icmp.id = reader.u16();
    icmp.sequence = reader.u16();
  }
  if (icmp.type == kPacketTooBig) icmp.mtu = reader.u32();
  check_type(context);
  // RFC 2710 3: listener messages never leave the link.
  if (icmp.type >= 130 && icmp.type <= 132 && packet.ttl != 1)
    context.event(icmpv6_mld_message_with_invalid_hl);
  if (icmp.type >= 1 && icmp.type <= 4) read_quoted(context, packet.payload);
  if (context.validate) {
    const std::uint32_t pseudo =
        pseudo_header_sum(packet.source, packet.destination, kProtoIcmp6, bytes.size());
    if (!checksum_ok(ones_complement_sum(bytes, pseudo))) packet.bad_checksum = true;
  }
}

}  // namespace gatehouse::ids
