// PPP (RFC 1661, framing of RFC 1662) and PPPoE (RFC 2516).
#include "ids/decode/layers.h"

namespace gatehouse::ids {
namespace {

using namespace decode_event;

constexpr std::uint16_t kPppIpv4 = 0x0021, kPppVanJacobson = 0x002f, kPppIpv6 = 0x0057;
constexpr std::uint16_t kPppMpls = 0x0281, kPppMplsMulticast = 0x0283;

// Network protocols and their control protocols that we know of but do not read
// (IANA ppp-numbers): data 0x00xx with compression, NCPs 0x80xx, link layer 0xc0xx.
bool known_protocol(std::uint16_t protocol) {
  switch (protocol) {
    case 0x002b:  // IPX
    case 0x002d:  // Van Jacobson compressed TCP/IP
    case 0x0023:
    case 0x0025:
    case 0x0027:
    case 0x0029:
    case 0x0033:
    case 0x003d:
    case 0x004f:
    case 0x0201:
    case 0x0203:
    case 0x8021:
    case 0x8023:
    case 0x8025:
    case 0x8027:
    case 0x8029:
    case 0x802b:
    case 0x802d:
    case 0x8031:
    case 0x8033:
    case 0x804f:
    case 0x8057:
    case 0x80fd:
    case 0x8281:
    case 0xc021:
    case 0xc023:
    case 0xc025:
    case 0xc027:
    case 0xc223:
    case 0xc281:
    case 0xc283:
    case 0xc481:
      return true;
    default:
      return false;
  }
}

void decode_ppp_payload(DecodeContext& context, std::uint16_t protocol, ByteView payload) {
  switch (protocol) {
    case kPppIpv4:
      if (payload.size() < 20) return context.invalid(ppp_ip4_pkt_too_small);
      return decode_ipv4(context, payload);
    case kPppVanJacobson:
      // Van Jacobson uncompressed: an IPv4 packet whose protocol field holds a connection number.
      if (payload.size() < 40) return context.invalid(ppp_vju_pkt_too_small);
      if (payload[0] >> 4 == 4) return decode_ipv4(context, payload);
      return;
    case kPppIpv6:
      if (payload.size() < 40) return context.invalid(ppp_ip6_pkt_too_small);
      return decode_ipv6(context, payload);
    case kPppMpls:
    case kPppMplsMulticast:
      return decode_mpls(context, payload);
    default:
      // RFC 1661 2: 0x8000 to 0xffff are control protocols: nothing is missed by not reading them.
      if (protocol >= 0x8000 && known_protocol(protocol)) return;
      if (known_protocol(protocol)) return context.event(ppp_unsup_proto);
      context.invalid(ppp_wrong_type);
  }
}

// RFC 1661 2: the protocol field is one byte when its low bit is set.
void decode_ppp_protocol(DecodeContext& context, core::ByteReader reader, DecodeEvent too_small) {
  std::uint16_t protocol = reader.u8();
  if ((protocol & 1) == 0) protocol = static_cast<std::uint16_t>(protocol << 8 | reader.u8());
  if (!reader.ok()) return context.invalid(too_small);
  decode_ppp_payload(context, protocol, reader.rest());
}

}  // namespace

void decode_ppp(DecodeContext& context, ByteView bytes) {
  if (!context.enter()) return;
  ++context.counters.ppp;
  core::ByteReader reader(bytes);
  // RFC 1662 3.1: address and control field may be left out by agreement.
  if (bytes.size() >= 2 && bytes[0] == 0xff && bytes[1] == 0x03) reader.skip(2);
  decode_ppp_protocol(context, reader, ppp_pkt_too_small);
}

void decode_pppoe_session(DecodeContext& context, ByteView bytes) {
  ++context.counters.pppoe;
  core::ByteReader reader(bytes);
  reader.skip(1);  // version and type
  const std::uint8_t code = reader.u8();
  reader.skip(4);  // session, length
  if (!reader.ok()) return context.invalid(pppoe_pkt_too_small);
  if (code != 0) return context.invalid(pppoe_wrong_code);
  decode_ppp_protocol(context, reader, pppoe_pkt_too_small);
}

void decode_pppoe_discovery(DecodeContext& context, ByteView bytes) {
  ++context.counters.pppoe;
  core::ByteReader reader(bytes);
  reader.skip(1);
  const std::uint8_t code = reader.u8();
  reader.skip(2);
  const std::uint16_t length = reader.u16();
  if (!reader.ok()) return context.invalid(pppoe_pkt_too_small);
  // PADI, PADO, PADR, PADS, PADT (RFC 2516 5.1 to 5.5).
  const bool known = code == 0x09 || code == 0x07 || code == 0x19 || code == 0x65 || code == 0xa7;
  if (!known) return context.invalid(pppoe_wrong_code);
  if (length > reader.remaining()) return context.invalid(pppoe_malformed_tags);
  core::ByteReader tags(reader.bytes(length));
  while (!tags.at_end()) {
    tags.skip(2);
    tags.skip(tags.u16());
    if (!tags.ok()) return context.invalid(pppoe_malformed_tags);
  }
}

}  // namespace gatehouse::ids
