// IPv4 (RFC 791).
#include "ids/decode/checksum.h"
#include "ids/decode/layers.h"

namespace gatehouse::ids {

using namespace decode_event;

void decode_ipv4(DecodeContext& context, ByteView bytes) {
  ++context.counters.ipv4;
  if (bytes.size() < 20) return context.invalid(ipv4_pkt_too_small);
  core::ByteReader reader(bytes);
  const std::uint8_t first = reader.u8();
  const std::uint8_t tos = reader.u8();
  const std::uint16_t total = reader.u16();
  const std::uint16_t id = reader.u16();
  const std::uint16_t fragment = reader.u16();
  const std::uint8_t ttl = reader.u8();
  const std::uint8_t protocol = reader.u8();
  reader.skip(2);
  const std::size_t header = static_cast<std::size_t>(first & 15) * 4;
  if (first >> 4 != 4) return context.invalid(ipv4_wrong_ip_version);
  if (header < 20) return context.invalid(ipv4_hlen_too_small);
  if (total < header) return context.invalid(ipv4_iplen_smaller_than_hlen);
  if (total > bytes.size()) return context.invalid(ipv4_trunc_pkt);

  Packet& packet = context.packet;
  packet.ip_version = 4;
  packet.source = IpAddress::from_bytes(reader.bytes(4));
  packet.destination = IpAddress::from_bytes(reader.bytes(4));
  packet.protocol = protocol;
  packet.ttl = ttl;
  packet.tos = tos;
  packet.ip_id = id;
  packet.dont_fragment = (fragment & 0x4000) != 0;
  packet.more_fragments = (fragment & 0x2000) != 0;
  packet.fragment_offset = static_cast<std::uint16_t>((fragment & 0x1fff) * 8);
  packet.ip_header = bytes.first(header);
  packet.ip_payload = bytes.subspan(header, total - header);  // after it: link padding
  packet.payload = packet.ip_payload;
  if (context.validate && !checksum_ok(ones_complement_sum(packet.ip_header))) packet.bad_checksum = true;
  if (header > 20) decode_ipv4_options(context, packet.ip_header.subspan(20));
  if (packet.more_fragments || packet.fragment_offset != 0) {
    packet.fragment = true;
    return;
  }
  if (protocol == kProtoIcmp6) return context.event(ipv4_icmpv6);
  decode_transport(context, protocol, packet.ip_payload);
}

namespace {

// Option types (IANA ip-parameters); the copied flag and class are part of the number.
enum : std::uint8_t {
  kEndOfList = 0,
  kNop = 1,
  kRecordRoute = 7,
  kQuickStart = 25,
  kTimestamp = 68,
  kSecurity = 130,
  kLooseRoute = 131,
  kExtendedSecurity = 133,
  kCipso = 134,
  kStreamId = 136,
  kStrictRoute = 137,
  kRouterAlert = 148
};

bool known_option(std::uint8_t type) {
  switch (type) {
    case kRecordRoute:
    case kQuickStart:
    case kTimestamp:
    case kSecurity:
    case kLooseRoute:
    case kExtendedSecurity:
    case kCipso:
    case kStreamId:
    case kStrictRoute:
    case kRouterAlert:
      return true;
    default:
      return false;
  }
}

// Route options: a pointer to the next slot, counted from the option's first byte, at least 4 and
// at a slot boundary, and whole addresses after it (RFC 791 3.1).
bool malformed_route(ByteView body) {
  if (body.empty() || (body.size() - 1) % 4 != 0) return true;
  const std::uint8_t pointer = body[0];
  return pointer < 4 || pointer % 4 != 0 || pointer > body.size() + 2 + 1;
}

bool malformed_timestamp(ByteView body) {
  if (body.size() < 2) return true;
  const std::uint8_t flag = body[1] & 15;
  const std::size_t entry = flag == 0 ? 4 : 8;
  if (flag != 0 && flag != 1 && flag != 3) return true;
  return body[0] < 5 || (body[0] - 5U) % entry != 0 || body[0] > body.size() + 2 + 1;
}

void check_option(DecodeContext& context, std::uint8_t type, ByteView body) {
  switch (type) {
    case kRecordRoute:
    case kLooseRoute:
    case kStrictRoute:
      if (malformed_route(body)) context.event(ipv4_opt_malformed);
      break;
    case kTimestamp:
      if (malformed_timestamp(body)) context.event(ipv4_opt_malformed);
      break;
    case kStreamId:
    case kRouterAlert:
      if (body.size() != 2) context.event(ipv4_opt_invalid_len);
      break;
    case kSecurity:
      if (body.size() != 9) context.event(ipv4_opt_invalid_len);
      break;
    default:
      break;
  }
}

}  // namespace

void decode_ipv4_options(DecodeContext& context, ByteView options) {
  std::array<bool, 256> seen{};
  core::ByteReader reader(options);
  while (!reader.at_end()) {
    const std::uint8_t type = reader.u8();
    if (type == kEndOfList) return;
    if (type == kNop) continue;
    // One byte cannot be an option with a length: the list should have ended here.
    if (reader.at_end()) return context.event(ipv4_opt_eol_required);
    const std::uint8_t length = reader.u8();
    if (length < 2 || length - 2U > reader.remaining()) return context.event(ipv4_opt_invalid_len);
    const ByteView body = reader.bytes(length - 2U);
    if (!known_option(type)) {
      context.event(ipv4_opt_unknown);
      continue;
    }
    if (seen[type]) context.event(ipv4_opt_duplicate);
    seen[type] = true;
    check_option(context, type, body);
  }
}

}  // namespace gatehouse::ids
