// TCP (RFC 9293) and its options.
#include <algorithm>

#include "ids/decode/checksum.h"
#include "ids/decode/layers.h"

namespace gatehouse::ids {
namespace {

using namespace decode_event;

enum : std::uint8_t {
  kEnd = 0,
  kNop = 1,
  kMss = 2,
  kWindowScale = 3,
  kSackPermitted = 4,
  kSack = 5,
  kTimestamps = 8,
  kMd5 = 19,
  kAuth = 29,
  kFastOpen = 34,
  kExperiment = 254
};

// RFC 7413 4.1.1: a cookie of 4 to 16 bytes, or none to ask for one.
bool fast_open_length(std::size_t cookie) {
  return cookie == 0 || (cookie >= 4 && cookie <= 16 && cookie % 2 == 0);
}

// False: the option's length contradicts its kind.
bool read_option(TcpHeader& tcp, std::uint8_t kind, ByteView body) {
  core::ByteReader reader(body);
  switch (kind) {
    case kMss:
      tcp.mss = reader.u16();
      return body.size() == 2;
    case kWindowScale:
      // RFC 7323 2.3: a shift above 14 counts as 14.
      tcp.window_scale = std::min<std::uint8_t>(reader.u8(), 14);
      tcp.has_window_scale = body.size() == 1;
      return body.size() == 1;
    case kSackPermitted:
      tcp.sack_permitted = body.empty();
      return body.empty();
    case kSack:
      return !body.empty() && body.size() % 8 == 0 && body.size() <= 32;
    case kTimestamps:
      if (body.size() != 8) return false;
      tcp.timestamp = reader.u32();
      tcp.timestamp_echo = reader.u32();
      tcp.has_timestamp = true;
      return true;
    case kMd5:
      return body.size() == 16;
    case kAuth:
      return body.size() >= 2;
    case kFastOpen:
      tcp.has_fast_open = fast_open_length(body.size());
      return tcp.has_fast_open;
    case kExperiment:
      // RFC 6994: a 16-bit id first; 0xf989 is the experimental Fast Open.
      if (body.size() >= 2 && reader.u16() == 0xf989) tcp.has_fast_open = fast_open_length(body.size() - 2);
      return true;
    default:
      return true;
  }
}

// The bit that remembers an option which must not come twice; 0 for the others.
unsigned once_bit(std::uint8_t kind) {
  switch (kind) {
    case kMss:
      return 1;
    case kWindowScale:
      return 2;
    case kSackPermitted:
      return 4;
    case kSack:
      return 8;
    case kTimestamps:
      return 16;
    case kFastOpen:
      return 32;
    default:
      return 0;
  }
}

void read_options(DecodeContext& context, ByteView options) {
  unsigned seen = 0;
  core::ByteReader reader(options);
  while (!reader.at_end()) {
    const std::uint8_t kind = reader.u8();
    if (kind == kEnd) return;
    if (kind == kNop) continue;
    const std::uint8_t length = reader.u8();
    if (!reader.ok() || length < 2 || length - 2U > reader.remaining())
      return context.event(tcp_opt_invalid_len);
    const ByteView body = reader.bytes(length - 2U);
    const unsigned bit = once_bit(kind);
    if ((seen & bit) != 0) {
      // The first one counts, as receivers do it.
      context.event(tcp_opt_duplicate);
      continue;
    }
    seen |= bit;
    if (!read_option(context.packet.tcp, kind, body)) context.event(tcp_opt_invalid_len);
  }
}

}  // namespace

void decode_tcp(DecodeContext& context, ByteView bytes) {
  ++context.counters.tcp;
  if (bytes.size() < 20) return context.invalid(tcp_pkt_too_small);
  Packet& packet = context.packet;
  TcpHeader& tcp = packet.tcp;
  core::ByteReader reader(bytes);
  const std::uint16_t source = reader.u16();
  const std::uint16_t destination = reader.u16();
  tcp.sequence = reader.u32();
  tcp.acknowledgment = reader.u32();
  const std::size_t header = static_cast<std::size_t>(reader.u8() >> 4) * 4;
  tcp.flags = reader.u8();
  tcp.window = reader.u16();
  const std::uint16_t sum = reader.u16();
  tcp.urgent = reader.u16();
  if (header < 20) return context.invalid(tcp_hlen_too_small);
  if (header > bytes.size()) return context.invalid(tcp_invalid_optlen);
  packet.has_transport = true;
  packet.source_port = source;
  packet.destination_port = destination;
  packet.transport_header = bytes.first(header);
  packet.payload = bytes.subspan(header);
  if (header > 20) read_options(context, packet.transport_header.subspan(20));
  if (context.validate) {
    context.judge_checksum(bytes, sum,
                           pseudo_header_sum(packet.source, packet.destination, kProtoTcp, bytes.size()));
  }
}

}  // namespace gatehouse::ids
