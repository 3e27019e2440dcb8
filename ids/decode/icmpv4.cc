// ICMP for IPv4 (RFC 792 and later), and the packet that errors of both versions quote.
#include <algorithm>

#include "ids/decode/checksum.h"
#include "ids/decode/layers.h"

namespace gatehouse::ids {
namespace {

using namespace decode_event;

// The highest code of each type (IANA icmp-parameters); -1: the type is not assigned.
int highest_code(std::uint8_t type) {
  switch (type) {
    case 0:
      return 0;  // echo reply
    case 3:
      return 15;  // destination unreachable
    case 4:
      return 0;  // source quench
    case 5:
      return 3;  // redirect
    case 8:
      return 0;  // echo
    case 9:
      return 16;  // router advertisement: 0 and 16
    case 10:
      return 0;  // router solicitation
    case 11:
      return 1;  // time exceeded
    case 12:
      return 2;  // parameter problem
    case 13:
    case 14:
    case 15:
    case 16:
    case 17:
    case 18:
      return 0;  // timestamp, information, mask
    default:
      return -1;
  }
}

bool is_error(std::uint8_t type) {
  return type == 3 || type == 4 || type == 5 || type == 11 || type == 12;
}

bool has_identifier(std::uint8_t type) {
  return type == 0 || type == 8 || (type >= 13 && type <= 18);
}

// Some messages have more fixed fields than the common eight bytes.
std::size_t header_size(ByteView bytes) {
  switch (bytes[0]) {
    case 9:  // RFC 1256: number of addresses and size of an entry in 32-bit words
      return 8 + std::size_t{bytes[4]} * bytes[5] * 4;
    case 13:
    case 14:
      return 20;
    case 17:
    case 18:
      return 12;
    default:
      return 8;
  }
}

void read_quoted(DecodeContext& context, ByteView quoted) {
  if (quoted.size() < 20) return context.event(icmpv4_ipv4_trunc_pkt);
  if (quoted[0] >> 4 != 4) return context.event(icmpv4_ipv4_unknown_ver);
  context.packet.icmp.embedded = quoted;
  read_embedded(context.packet, quoted);
}

}  // namespace

void decode_icmpv4(DecodeContext& context, ByteView bytes) {
  ++context.counters.icmpv4;
  if (bytes.size() < 8) return context.invalid(icmpv4_pkt_too_small);
  Packet& packet = context.packet;
  IcmpHeader& icmp = packet.icmp;
  icmp.type = bytes[0];
  icmp.code = bytes[1];
  packet.has_transport = true;
  packet.transport_header = bytes.first(std::min(header_size(bytes), bytes.size()));
  packet.payload = bytes.subspan(8);
  if (has_identifier(icmp.type)) {
    core::ByteReader reader(bytes.subspan(4));
    icmp.id = reader.u16();
    icmp.sequence = reader.u16();
  }
  const int highest = highest_code(icmp.type);
  const bool known = highest >= 0 && icmp.code <= highest;
  if (highest < 0) {
    context.event(icmpv4_unknown_type);
  } else if (icmp.code > highest || (icmp.type == 9 && icmp.code != 0 && icmp.code != 16)) {
    context.event(icmpv4_unknown_code);
  }
  // What a message with an unknown code carries is anybody's guess.
  if (known && is_error(icmp.type)) read_quoted(context, packet.payload);
  if (context.validate && !checksum_ok(ones_complement_sum(bytes))) packet.bad_checksum = true;
}

void read_embedded(Packet& packet, ByteView quoted) {
  IcmpHeader& icmp = packet.icmp;
  const bool v6 = quoted[0] >> 4 == 6;
  const std::size_t header = v6 ? 40 : static_cast<std::size_t>(quoted[0] & 15) * 4;
  if (header < 20 || header > quoted.size()) return;
  icmp.embedded_version = v6 ? 6 : 4;
  icmp.embedded_protocol = v6 ? quoted[6] : quoted[9];
  icmp.embedded_source = IpAddress::from_bytes(v6 ? quoted.subspan(8, 16) : quoted.subspan(12, 4));
  icmp.embedded_destination = IpAddress::from_bytes(v6 ? quoted.subspan(24, 16) : quoted.subspan(16, 4));
  core::ByteReader reader(quoted.subspan(header));
  const bool has_ports = icmp.embedded_protocol == kProtoTcp || icmp.embedded_protocol == kProtoUdp ||
                         icmp.embedded_protocol == kProtoSctp;
  if (!has_ports) return;
  icmp.embedded_source_port = reader.u16();
  icmp.embedded_destination_port = reader.u16();
  // Without ports the quoted packet names no flow.
  if (!reader.ok()) icmp.embedded_version = 0;
}

}  // namespace gatehouse::ids
