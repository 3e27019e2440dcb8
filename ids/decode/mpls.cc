// MPLS label stack (RFC 3032). What is below the last label is not named: it is guessed.
#include "ids/decode/layers.h"

namespace gatehouse::ids {

using namespace decode_event;

void decode_mpls(DecodeContext& context, ByteView bytes) {
  if (!context.enter()) return;
  ++context.counters.mpls;
  core::ByteReader reader(bytes);
  std::uint32_t label = 0;
  bool bottom = false;
  while (!bottom) {
    const std::uint32_t entry = reader.u32();
    if (!reader.ok()) return context.invalid(mpls_header_too_small);
    label = entry >> 12;
    bottom = (entry & 0x100) != 0;
  }
  const ByteView payload = reader.rest();
  // RFC 3032 2.1: 0 and 2 say IPv4 and IPv6, 1 must not be last, 3 must not appear at all.
  if (label == 0) return decode_ipv4(context, payload);
  if (label == 1) return context.invalid(mpls_bad_label_router_alert);
  if (label == 2) return decode_ipv6(context, payload);
  if (label == 3) return context.invalid(mpls_bad_label_implicit_null);
  if (label < 16 && label != 7) context.event(mpls_bad_label_reserved);  // 7: entropy (RFC 6790)
  if (payload.size() < 4) return context.invalid(mpls_pkt_too_small);
  switch (payload[0] >> 4) {
    case 4:
      return decode_ipv4(context, payload);
    case 6:
      return decode_ipv6(context, payload);
    case 0:
      // RFC 4385: a control word begins with 0, an Ethernet frame follows.
      return decode_ethernet(context, payload.subspan(4));
    default:
      context.event(mpls_unknown_payload_type);
  }
}

}  // namespace gatehouse::ids
