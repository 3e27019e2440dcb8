// IP in IP (RFC 2003, 4213, 2473), and tunnels over UDP found by port: VXLAN, Geneve, Teredo.
#include <algorithm>

#include "ids/decode/layers.h"

namespace gatehouse::ids {
namespace {

using namespace decode_event;

bool listed(const std::vector<std::uint16_t>& ports, std::uint16_t port) {
  return std::find(ports.begin(), ports.end(), port) != ports.end();
}

// RFC 7348 5: flags with the I bit, reserved, network identifier, reserved; an Ethernet frame.
void open_vxlan(DecodeContext& context, ByteView payload) {
  core::ByteReader reader(payload);
  const std::uint8_t flags = reader.u8();
  const std::uint32_t reserved = reader.u24();
  reader.skip(4);
  if (!reader.ok() || (flags & 0x08) == 0 || reserved != 0 || reader.remaining() < 14) return;
  ++context.counters.vxlan;
  core::ByteReader frame(reader.rest());
  frame.skip(12);
  const std::uint16_t type = frame.u16();
  switch (type) {
    case kEtherArp:
    case kEtherIpv4:
    case kEtherIpv6:
    case kEtherVlan:
    case kEtherServiceVlan:
    case kEtherQinQ:
      context.inner = {payload.subspan(8), TunnelKind::vxlan, kEtherTransparent, 0};
      return;
    default:
      context.event(vxlan_unknown_payload_type);
  }
}

// RFC 8926 3.4: version, length of the options, flags, protocol, network identifier, options.
void open_geneve(DecodeContext& context, ByteView payload) {
  core::ByteReader reader(payload);
  const std::uint8_t first = reader.u8();
  reader.skip(1);
  const std::uint16_t protocol = reader.u16();
  reader.skip(4);
  reader.skip(static_cast<std::size_t>(first & 0x3f) * 4);
  if (!reader.ok() || first >> 6 != 0) return;
  ++context.counters.geneve;
  switch (protocol) {
    case kEtherTransparent:
    case kEtherArp:
    case kEtherIpv4:
    case kEtherIpv6:
      context.inner = {reader.rest(), TunnelKind::geneve, protocol, 0};
      return;
    default:
      context.event(geneve_unknown_payload_type);
  }
}

// RFC 4380 5.1.1: optional authentication and origin indications, then an IPv6 packet. Taken only
// when the IPv6 header fits exactly, because the port says little.
void open_teredo(DecodeContext& context, ByteView payload) {
  core::ByteReader reader(payload);
  if (payload.size() >= 13 && payload[0] == 0 && payload[1] == 1) {
    reader.skip(2);
    const std::size_t client = reader.u8();
    const std::size_t authentication = reader.u8();
    reader.skip(client + authentication + 9);
  }
  ByteView rest = reader.rest();
  if (rest.size() >= 8 && rest[0] == 0 && rest[1] == 0) rest = rest.subspan(8);
  if (rest.size() < 40 || rest[0] >> 4 != 6) return;
  const std::size_t length = static_cast<std::size_t>(rest[4]) << 8 | rest[5];
  if (length + 40 != rest.size()) return;
  ++context.counters.teredo;
  context.inner = {rest, TunnelKind::teredo, kEtherIpv6, 0};
}

}  // namespace

void decode_udp_tunnel(DecodeContext& context, ByteView payload) {
  const DecoderOptions& options = context.options;
  const Packet& packet = context.packet;
  if (options.vxlan && listed(options.vxlan_ports, packet.destination_port))
    return open_vxlan(context, payload);
  if (options.geneve && listed(options.geneve_ports, packet.destination_port))
    return open_geneve(context, payload);
  const bool teredo = listed(options.teredo_ports, packet.destination_port) ||
                      listed(options.teredo_ports, packet.source_port);
  if (options.teredo && teredo) open_teredo(context, payload);
}

void decode_ip_in_ip(DecodeContext& context, std::uint8_t protocol, ByteView bytes) {
  if (!context.options.ipip) return;
  const bool outer6 = context.packet.ip_version == 6;
  const bool inner6 = protocol == kProtoIpv6;
  const unsigned version = bytes.empty() ? 0 : bytes[0] >> 4;
  if (bytes.size() < (inner6 ? 40U : 20U)) {
    if (outer6) context.invalid(inner6 ? ipv6_ipv6_in_ipv6_too_small : ipv6_ipv4_in_ipv6_too_small);
    return;
  }
  if (version != (inner6 ? 6U : 4U)) {
    if (outer6) context.invalid(inner6 ? ipv6_ipv6_in_ipv6_wrong_version : ipv6_ipv4_in_ipv6_wrong_version);
    return;
  }
  DecoderCounters& counters = context.counters;
  ++(outer6 ? (inner6 ? counters.ipv6_in_ipv6 : counters.ipv4_in_ipv6)
            : (inner6 ? counters.ipv6_in_ipv4 : counters.ipv4_in_ipv4));
  context.inner = {bytes, outer6 ? TunnelKind::ipv6 : TunnelKind::ipv4, inner6 ? kEtherIpv6 : kEtherIpv4, 0};
}

}  // namespace gatehouse::ids
