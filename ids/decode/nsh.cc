// Network Service Header (RFC 8300).
#include "ids/decode/layers.h"

namespace gatehouse::ids {

using namespace decode_event;

void decode_nsh(DecodeContext& context, ByteView bytes) {
  ++context.counters.nsh;
  core::ByteReader reader(bytes);
  const std::uint16_t first = reader.u16();
  const std::uint8_t meta_type = reader.u8() & 0x0f;
  const std::uint8_t next = reader.u8();
  reader.skip(4);
  if (!reader.ok()) return context.invalid(nsh_header_too_small);
  const std::size_t length = static_cast<std::size_t>(first & 0x3f) * 4;
  if (first >> 14 != 0) return context.event(nsh_unsupported_version);
  if (length > bytes.size() || length < 8) return context.invalid(nsh_bad_header_length);
  if (meta_type == 0 || meta_type == 0x0f) return context.event(nsh_reserved_type);
  if (meta_type == 1 && length != 24) return context.invalid(nsh_bad_header_length);
  if (meta_type > 2) return context.event(nsh_unsupported_type);
  const ByteView payload = bytes.subspan(length);
  switch (next) {
    case 1:
      return decode_ipv4(context, payload);
    case 2:
      return decode_ipv6(context, payload);
    case 3:
      return decode_ethernet(context, payload);
    case 5:
      return decode_mpls(context, payload);
    default:
      context.event(nsh_unknown_payload);
  }
}

}  // namespace gatehouse::ids
