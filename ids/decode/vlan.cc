// Tags between the Ethernet addresses and the payload: IEEE 802.1Q and 802.1ad, 802.1ah, VN-Tag.
#include "ids/decode/layers.h"

namespace gatehouse::ids {

using namespace decode_event;

void decode_vlan(DecodeContext& context, ByteView bytes) {
  core::ByteReader reader(bytes);
  const std::uint16_t tag = reader.u16();
  const std::uint16_t type = reader.u16();
  if (!reader.ok()) return context.invalid(vlan_header_too_small);
  Packet& packet = context.packet;
  if (packet.vlan_count == packet.vlan.size()) return context.invalid(vlan_too_many_layers);
  packet.vlan[packet.vlan_count++] = tag & 0x0fff;
  if (packet.vlan_count == 1) ++context.counters.vlan;
  if (packet.vlan_count == 2) ++context.counters.vlan_qinq;
  if (packet.vlan_count == 3) ++context.counters.vlan_qinqinq;
  // Below 0x0600 the field is a length (IEEE 802.3 3.2.6), as spanning tree uses it.
  if (type < 0x0600) return context.event(vlan_unknown_type);
  decode_ether_type(context, type, reader.rest());
}

// IEEE 802.1ah: instance tag, then the customer's addresses and type.
void decode_mac_in_mac(DecodeContext& context, ByteView bytes) {
  core::ByteReader reader(bytes);
  reader.skip(4 + 12);
  const std::uint16_t type = reader.u16();
  if (!reader.ok()) return context.invalid(ieee8021ah_header_too_small);
  decode_ether_type(context, type, reader.rest());
}

// IEEE 802.1BR / VN-Tag: 4 bytes of tag, then the type.
void decode_vntag(DecodeContext& context, ByteView bytes) {
  core::ByteReader reader(bytes);
  reader.skip(4);
  const std::uint16_t type = reader.u16();
  if (!reader.ok()) return context.invalid(vntag_header_too_small);
  ++context.counters.vntag;
  if (type < 0x0600) return context.invalid(vntag_unknown_type);
  decode_ether_type(context, type, reader.rest());
}

}  // namespace gatehouse::ids
