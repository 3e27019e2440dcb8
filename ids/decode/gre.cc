// GRE (RFC 2784, 2890; the routing field of RFC 1701), its PPTP version (RFC 2637), and ERSPAN
// (draft-foschiano-erspan), which travels in GRE.
#include "ids/decode/layers.h"

namespace gatehouse::ids {
namespace {

using namespace decode_event;

constexpr std::uint16_t kChecksum = 0x8000, kRouting = 0x4000, kKey = 0x2000, kSequence = 0x1000,
                        kStrictSource = 0x0800;
constexpr std::uint16_t kRecursion = 0x0700, kAcknowledgment = 0x0080, kVersion = 0x0007;

// RFC 1701: address family, offset, length, routing data, until a family of zero.
bool skip_source_routes(core::ByteReader& reader) {
  for (;;) {
    const std::uint16_t family = reader.u16();
    reader.skip(1);
    const std::uint8_t length = reader.u8();
    if (!reader.ok()) return false;
    if (family == 0 && length == 0) return true;
    reader.skip(length);
  }
}

// Returns false after reporting what is wrong.
bool read_version0(DecodeContext& context, core::ByteReader& reader, std::uint16_t flags) {
  if ((flags & kRecursion) != 0) {
    context.invalid(gre_version0_recur);
    return false;
  }
  if ((flags & 0x00f8) != 0) {
    context.invalid(gre_version0_flags);
    return false;
  }
  if ((flags & (kChecksum | kRouting)) != 0) reader.skip(4);
  if ((flags & kKey) != 0) reader.skip(4);
  if ((flags & kSequence) != 0) reader.skip(4);
  if (!reader.ok()) {
    context.invalid(gre_version0_hdr_too_big);
    return false;
  }
  if ((flags & kRouting) != 0 && !skip_source_routes(reader)) {
    context.invalid(gre_version0_malformed_sre_hdr);
    return false;
  }
  return true;
}

bool read_version1(DecodeContext& context, core::ByteReader& reader, std::uint16_t flags,
                   std::uint16_t protocol) {
  struct Rule {
    bool broken;
    DecodeEvent event;
  };
  const Rule rules[] = {
      {(flags & kChecksum) != 0, gre_version1_chksum},  {(flags & kRouting) != 0, gre_version1_route},
      {(flags & kStrictSource) != 0, gre_version1_ssr}, {(flags & kRecursion) != 0, gre_version1_recur},
      {(flags & 0x0078) != 0, gre_version1_flags},      {protocol != kEtherPpp, gre_version1_wrong_protocol},
      {(flags & kKey) == 0, gre_version1_no_key},
  };
  for (const Rule& rule : rules) {
    if (!rule.broken) continue;
    context.invalid(rule.event);
    return false;
  }
  reader.skip(4);
  if ((flags & kSequence) != 0) reader.skip(4);
  if ((flags & kAcknowledgment) != 0) reader.skip(4);
  if (reader.ok()) return true;
  context.invalid(gre_version1_hdr_too_big);
  return false;
}

// Type I has no header, type II eight bytes with the VLAN of the mirrored port.
void open_erspan(DecodeContext& context, bool has_sequence, ByteView bytes) {
  ++context.counters.erspan;
  Packet& packet = context.packet;
  if (!has_sequence) {
    if (context.options.erspan_type1) context.inner = {bytes, TunnelKind::erspan, kEtherTransparent, 0};
    return;
  }
  core::ByteReader reader(bytes);
  const std::uint16_t first = reader.u16();
  reader.skip(6);
  if (!reader.ok()) return context.invalid(erspan_header_too_small);
  if (first >> 12 != 1) return context.event(erspan_unsupported_version);
  const std::uint16_t vlan = first & 0x0fff;
  if (vlan != 0) {
    if (packet.vlan_count == packet.vlan.size()) return context.event(erspan_too_many_vlan_layers);
    packet.vlan[packet.vlan_count++] = vlan;
  }
  // The field counts the header as part of the mirrored frame.
  context.inner = {reader.rest(), TunnelKind::erspan, kEtherTransparent, 8};
}

}  // namespace

void decode_gre(DecodeContext& context, ByteView bytes) {
  ++context.counters.gre;
  core::ByteReader reader(bytes);
  const std::uint16_t flags = reader.u16();
  const std::uint16_t protocol = reader.u16();
  if (!reader.ok()) return context.invalid(gre_pkt_too_small);
  switch (flags & kVersion) {
    case 0:
      if (!read_version0(context, reader, flags)) return;
      break;
    case 1:
      if (!read_version1(context, reader, flags, protocol)) return;
      break;
    default:
      return context.invalid(gre_wrong_version);
  }
  const ByteView payload = reader.rest();
  switch (protocol) {
    case kEtherErspan:
      return open_erspan(context, (flags & kSequence) != 0, payload);
    case kEtherIpv4:
    case kEtherIpv6:
    case kEtherPpp:
    case kEtherVlan:
    case kEtherTransparent:
    case kEtherArp:
      context.inner = {payload, TunnelKind::gre, protocol, 0};
      return;
    default:
      return;
  }
}

}  // namespace gatehouse::ids
