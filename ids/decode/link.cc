// Link types other than Ethernet, and the choice among all.
#include <bit>

#include "ids/decode/layers.h"

namespace gatehouse::ids {
namespace {

using namespace decode_event;

// BSD loopback: the address family in the byte order of the machine that captured.
void decode_null(DecodeContext& context, ByteView bytes) {
  ++context.counters.null;
  core::ByteReader reader(bytes);
  std::uint32_t family = reader.u32_le();
  if (!reader.ok()) return context.invalid(ltnull_pkt_too_small);
  if (family > 0xffff) family = __builtin_bswap32(family);
  switch (family) {
    case 2:
      return decode_ipv4(context, reader.rest());
    case 10:  // Linux
    case 24:  // NetBSD, OpenBSD
    case 28:  // FreeBSD
    case 30:  // macOS
      return decode_ipv6(context, reader.rest());
    default:
      context.invalid(ltnull_unsupported_type);
  }
}

// LINKTYPE_LINUX_SLL: packet type, ARPHRD type, address length and address, protocol.
void decode_sll(DecodeContext& context, ByteView bytes) {
  ++context.counters.sll;
  core::ByteReader reader(bytes);
  reader.skip(14);
  const std::uint16_t type = reader.u16();
  if (!reader.ok()) return context.invalid(sll_pkt_too_small);
  decode_ether_type(context, type, reader.rest());
}

// LINKTYPE_LINUX_SLL2: the protocol comes first, 20 bytes in all.
void decode_sll2(DecodeContext& context, ByteView bytes) {
  ++context.counters.sll;
  core::ByteReader reader(bytes);
  const std::uint16_t type = reader.u16();
  reader.skip(18);
  if (!reader.ok()) return context.invalid(sll2_pkt_too_small);
  decode_ether_type(context, type, reader.rest());
}

// Cisco HDLC: address, control, Ethernet type.
void decode_cisco_hdlc(DecodeContext& context, ByteView bytes) {
  ++context.counters.chdlc;
  core::ByteReader reader(bytes);
  reader.skip(2);
  const std::uint16_t type = reader.u16();
  if (!reader.ok()) return context.invalid(chdlc_pkt_too_small);
  decode_ether_type(context, type, reader.rest());
}

}  // namespace

void decode_link(DecodeContext& context, ByteView bytes, int link_type) {
  switch (link_type) {
    case kLinkEthernet:
      return decode_ethernet(context, bytes);
    case kDltRaw:
    case kDltRawFile:
    case 14:  // DLT_RAW of OpenBSD
    case kDltIpv4:
    case kDltIpv6:
      ++context.counters.raw;
      return decode_ip(context, bytes);
    case kDltNull:
    case kDltLoop:
      return decode_null(context, bytes);
    case kDltLinuxSll:
      return decode_sll(context, bytes);
    case kDltLinuxSll2:
      return decode_sll2(context, bytes);
    case kDltPpp:
    case kDltPppSerial:
      return decode_ppp(context, bytes);
    case kDltCiscoHdlc:
      return decode_cisco_hdlc(context, bytes);
    default:
      ++context.counters.unknown_link;
      ++context.counters.invalid;
  }
}

void decode_ip(DecodeContext& context, ByteView bytes) {
  const unsigned version = bytes.empty() ? 0 : bytes[0] >> 4;
  if (version == 4) return decode_ipv4(context, bytes);
  if (version == 6) return decode_ipv6(context, bytes);
  context.invalid(ipraw_invalid_ip_version);
}

}  // namespace gatehouse::ids
