// IEEE 802.3 / Ethernet II, and what its type field selects.
#include <algorithm>

#include "ids/decode/layers.h"

namespace gatehouse::ids {

using namespace decode_event;

void decode_ethernet(DecodeContext& context, ByteView bytes) {
  ++context.counters.ethernet;
  core::ByteReader reader(bytes);
  const ByteView destination = reader.bytes(6);
  const ByteView source = reader.bytes(6);
  const std::uint16_t type = reader.u16();
  if (!reader.ok()) return context.invalid(ethernet_pkt_too_small);
  Packet& packet = context.packet;
  std::copy(destination.begin(), destination.end(), packet.ether_destination.begin());
  std::copy(source.begin(), source.end(), packet.ether_source.begin());
  packet.has_ether = true;
  packet.ether_type = type;
  decode_ether_type(context, type, reader.rest());
}

void decode_ether_type(DecodeContext& context, std::uint16_t ether_type, ByteView bytes) {
  if (!context.enter()) return;
  switch (ether_type) {
    case kEtherIpv4:
      return decode_ipv4(context, bytes);
    case kEtherIpv6:
      return decode_ipv6(context, bytes);
    case kEtherVlan:
    case kEtherServiceVlan:
    case kEtherQinQ:
      return decode_vlan(context, bytes);
    case kEtherProviderBackbone:
      return decode_mac_in_mac(context, bytes);
    case kEtherVnTag:
      return decode_vntag(context, bytes);
    case kEtherArp:
      return decode_arp(context, bytes);
    case kEtherPpp:
      return decode_ppp(context, bytes);
    case kEtherPppoeSession:
      return decode_pppoe_session(context, bytes);
    case kEtherPppoeDiscovery:
      return decode_pppoe_discovery(context, bytes);
    case kEtherMpls:
    case kEtherMplsMulticast:
      return decode_mpls(context, bytes);
    case kEtherNsh:
      return decode_nsh(context, bytes);
    case kEtherTransparent:
      return decode_ethernet(context, bytes);
    case kEtherFabricPath:
      // Cisco FabricPath: 2 bytes of tag, then an Ethernet frame.
      if (bytes.size() < 2) return context.invalid(dce_pkt_too_small);
      return decode_ethernet(context, bytes.subspan(2));
    default:
      ++context.counters.unknown_ethertype;
      context.event(ethernet_unknown_ethertype);
  }
}

void decode_arp(DecodeContext& context, ByteView bytes) {
  ++context.counters.arp;
  core::ByteReader reader(bytes);
  const std::uint16_t hardware = reader.u16();
  const std::uint16_t protocol = reader.u16();
  const std::uint8_t hardware_size = reader.u8();
  const std::uint8_t protocol_size = reader.u8();
  const std::uint16_t operation = reader.u16();
  if (!reader.ok()) return context.invalid(arp_pkt_too_small);
  if (hardware != 1) return context.event(arp_unsupported_hardware);
  if (protocol != kEtherIpv4) return context.event(arp_unsupported_protocol);
  if (hardware_size != 6) return context.event(arp_invalid_hardware_size);
  if (protocol_size != 4) return context.event(arp_invalid_protocol_size);
  if (reader.remaining() < 20) return context.invalid(arp_invalid_pkt);
  // RFC 826 request and reply, RFC 903 reverse, RFC 2390 inverse.
  const bool known = operation == 1 || operation == 2 || operation == 3 || operation == 4 || operation == 8 ||
                     operation == 9;
  if (!known) return context.event(arp_unsupported_opcode);
  context.packet.arp = bytes.first(28);
}

}  // namespace gatehouse::ids
