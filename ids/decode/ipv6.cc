// IPv6 (RFC 8200) and its extension headers.
#include <utility>

#include "ids/decode/layers.h"

namespace gatehouse::ids {
namespace {

using namespace decode_event;

// What the walk over the extension headers remembers.
struct Chain {
  unsigned hop_by_hop = 0, routing = 0, fragment = 0, destination = 0, authentication = 0, count = 0;
};

enum : std::uint8_t { kPad1 = 0, kPadN = 1, kRouterAlert6 = 5, kJumbo = 0xc2, kHomeAddress = 0xc9 };

// RFC 8200 4.2. `unknown` and `padding` are the events of the header that carries the options.
void check_options(DecodeContext& context, ByteView options, DecodeEvent unknown, DecodeEvent padding) {
  core::ByteReader reader(options);
  bool only_padding = true;
  while (!reader.at_end()) {
    const std::uint8_t type = reader.u8();
    if (type == kPad1) continue;
    const std::uint8_t length = reader.u8();
    if (!reader.ok() || length > reader.remaining()) return context.event(ipv6_exthdr_invalid_optlen);
    reader.skip(length);
    if (type == kPadN) {
      if (length == 0) context.event(ipv6_zero_len_padn);
      continue;
    }
    only_padding = false;
    const bool wrong_length = (type == kRouterAlert6 && length != 2) || (type == kJumbo && length != 4) ||
                              (type == kHomeAddress && length != 16);
    if (wrong_length) return context.event(ipv6_exthdr_invalid_optlen);
    if (type != kRouterAlert6 && type != kJumbo && type != kHomeAddress) context.event(unknown);
  }
  if (only_padding) context.event(padding);
}

// RFC 8200 4.5. True: this is a piece of a datagram, and nothing after the header can be read.
bool read_fragment_header(DecodeContext& context, ByteView header, std::size_t payload_size) {
  Packet& packet = context.packet;
  core::ByteReader reader(header);
  packet.protocol = reader.u8();
  const std::uint8_t reserved = reader.u8();
  const std::uint16_t field = reader.u16();
  packet.ip_id = reader.u32();
  packet.fragment_offset = field & 0xfff8;
  packet.more_fragments = (field & 1) != 0;
  if (reserved != 0 || (field & 6) != 0) context.event(ipv6_fh_non_zero_reserved_field);
  if (!packet.more_fragments && packet.fragment_offset == 0) {
    context.event(ipv6_exthdr_useless_fh);  // an atomic fragment (RFC 6946)
    return false;
  }
  // All but the last piece must be a multiple of eight bytes long.
  if (packet.more_fragments && payload_size % 8 != 0) context.invalid(ipv6_frag_invalid_length);
  return true;
}

// The length in bytes of the extension header at `bytes`; 0 when it is cut.
std::size_t extension_size(std::uint8_t type, ByteView bytes) {
  if (bytes.size() < 8) return 0;
  std::size_t size = (bytes[1] + 1U) * 8U;
  if (type == kProtoAh) size = (bytes[1] + 2U) * 4U;
  if (type == kProtoFragment) size = 8;
  return size <= bytes.size() ? size : 0;
}

bool is_extension(std::uint8_t type) {
  switch (type) {
    case kProtoHopByHop:
    case kProtoRouting:
    case kProtoFragment:
    case kProtoDestination:
    case kProtoAh:
    case kProtoMobility:
    case kProtoHip:
    case kProtoShim6:
      return true;
    default:
      return false;
  }
}

// The events of one extension header. True: stop here, the packet is a fragment.
bool check_extension(DecodeContext& context, Chain& chain, std::uint8_t type, ByteView header,
                     std::size_t payload_size) {
  switch (type) {
    case kProtoHopByHop:
      if (++chain.hop_by_hop > 1) context.event(ipv6_exthdr_dupl_hh);
      check_options(context, header.subspan(2), ipv6_hopopts_unknown_opt, ipv6_hopopts_only_padding);
      return false;
    case kProtoDestination:
      // Twice is right: before a routing header and before the payload (RFC 8200 4.1).
      if (++chain.destination > 2) context.event(ipv6_exthdr_dupl_dh);
      check_options(context, header.subspan(2), ipv6_dstopts_unknown_opt, ipv6_dstopts_only_padding);
      return false;
    case kProtoRouting:
      if (++chain.routing > 1) context.event(ipv6_exthdr_dupl_rh);
      if (header[2] == 0) context.event(ipv6_rh_type_0);  // deprecated by RFC 5095
      return false;
    case kProtoAh:
      if (++chain.authentication > 1) context.event(ipv6_exthdr_dupl_ah);
      if (header[2] != 0 || header[3] != 0) context.event(ipv6_exthdr_ah_res_not_null);
      return false;
    case kProtoFragment:
      // A second one is read too: only an atomic first one lets the walk come here.
      if (++chain.fragment > 1) context.event(ipv6_exthdr_dupl_fh);
      return read_fragment_header(context, header, payload_size);
    default:
      return false;
  }
}

// Reads the chain; sets protocol, ip_header and ip_payload. False: nothing after it can be read.
bool walk_extensions(DecodeContext& context, ByteView bytes) {
  constexpr unsigned kMostExtensions = 32;
  Packet& packet = context.packet;
  Chain chain;
  std::uint8_t type = bytes[6];
  std::size_t at = 40;
  while (is_extension(type)) {
    const std::size_t size = extension_size(type, bytes.subspan(at));
    if (size == 0 || ++chain.count > kMostExtensions) {
      context.invalid(ipv6_trunc_exthdr);
      return false;
    }
    const bool stop =
        check_extension(context, chain, type, bytes.subspan(at, size), bytes.size() - at - size);
    const std::uint8_t header_type = std::exchange(type, bytes[at]);
    at += size;
    packet.protocol = type;
    packet.ip_header = bytes.first(at);
    packet.ip_payload = bytes.subspan(at);
    packet.payload = packet.ip_payload;
    if (stop) {
      packet.fragment = true;
      return false;
    }
    // RFC 7112: the header chain must be whole where the fragment header stands.
    if (header_type == kProtoFragment && at == bytes.size()) {
      context.invalid(ipv6_trunc_exthdr);
      return false;
    }
  }
  return true;
}

}  // namespace

void decode_ipv6(DecodeContext& context, ByteView bytes) {
  ++context.counters.ipv6;
  if (bytes.size() < 40) return context.invalid(ipv6_pkt_too_small);
  core::ByteReader reader(bytes);
  const std::uint32_t first = reader.u32();
  const std::size_t length = reader.u16();
  const std::uint8_t next = reader.u8();
  const std::uint8_t hop_limit = reader.u8();
  if (first >> 28 != 6) return context.invalid(ipv6_wrong_ip_version);
  if (length > bytes.size() - 40) return context.invalid(ipv6_trunc_pkt);

  Packet& packet = context.packet;
  packet.ip_version = 6;
  packet.source = IpAddress::from_bytes(reader.bytes(16));
  packet.destination = IpAddress::from_bytes(reader.bytes(16));
  packet.protocol = next;
  packet.ttl = hop_limit;
  packet.tos = static_cast<std::uint8_t>(first >> 20);
  packet.ip_header = bytes.first(40);
  packet.ip_payload = bytes.subspan(40, length);
  packet.payload = packet.ip_payload;
  if (!walk_extensions(context, bytes.first(40 + length))) return;
  switch (packet.protocol) {
    case kProtoIcmp:
      return context.event(ipv6_icmpv4);
    case kProtoNone:
      if (!packet.ip_payload.empty()) context.event(ipv6_data_after_none_header);
      return;
    default:
      decode_transport(context, packet.protocol, packet.ip_payload);
  }
}

}  // namespace gatehouse::ids
