#include "ids/engine/cut_packets.h"

namespace gatehouse::ids::engine {
namespace {

using anomaly::Contact;
using anomaly::Observation;

constexpr std::size_t kKnown = 8192;
constexpr std::uint64_t kKindUdp = 17, kKindEcho = 1, kKindFragment = 256;
constexpr std::uint8_t kEchoRequest = 8, kEchoReply = 0, kEcho6Request = 128, kEcho6Reply = 129;
constexpr std::uint8_t kFragmentHeader = 44;

}  // namespace

void CutPackets::see(const Packet& packet) {
  if (!packet.has_ether) return;
  const std::size_t link = 14 + std::size_t{packet.vlan_count} * 4;
  if (packet.frame.size() <= link) return;
  if (known_.empty()) known_.resize(kKnown);
  read_ip(packet, packet.frame.subspan(link));
}

void CutPackets::read_ip(const Packet& packet, ByteView ip) {
  Observation o;
  o.time_us = packet.time_us;
  o.packet = packet.number;
  o.cut = true;
  o.bytes = packet.wire_length;
  core::ByteReader reader(ip);
  const std::uint8_t first = reader.u8();
  if (first >> 4U == 4) {
    const std::size_t header = std::size_t{first & 15U} * 4;
    reader.skip(3);
    const std::uint16_t id = reader.u16();
    const std::uint16_t fragment_field = reader.u16();
    reader.skip(1);
    o.protocol = reader.u8();
    reader.skip(2);
    o.client = IpAddress::from_bytes(reader.bytes(4));
    o.server = IpAddress::from_bytes(reader.bytes(4));
    if (!reader.ok() || header < 20 || header > ip.size()) return;
    const bool more = (fragment_field & 0x2000U) != 0;
    const bool begins = (fragment_field & 0x1fffU) == 0;
    if (more || !begins) return fragment(o, id, begins, !more, ip.subspan(header));
    return transport(o, ip.subspan(header));
  }
  if (first >> 4U != 6) return;
  reader.skip(5);
  o.protocol = reader.u8();
  reader.skip(1);
  o.client = IpAddress::from_bytes(reader.bytes(16));
  o.server = IpAddress::from_bytes(reader.bytes(16));
  if (!reader.ok()) return;
  if (o.protocol != kFragmentHeader) return transport(o, ip.subspan(40));
  o.protocol = reader.u8();
  reader.skip(1);
  const std::uint16_t field = reader.u16();
  const std::uint32_t id = reader.u32();
  if (reader.ok()) fragment(o, id, (field & 0xfff8U) == 0, (field & 1U) == 0, ip.subspan(48));
}

CutPackets::Known& CutPackets::known(std::uint64_t key) {
  Known& entry = known_[(key >> 8U) % kKnown];
  if (entry.key != key) {
    entry = Known{};
    entry.key = key;
  }
  return entry;
}

void CutPackets::fragment(Observation& o, std::uint32_t id, bool first, bool last, ByteView payload) {
  const std::uint64_t key = key_of(o.client, static_cast<std::uint16_t>(id), o.server,
                                   static_cast<std::uint16_t>(id >> 16U), kKindFragment);
  Known& entry = known(key);
  if (first) {
    core::ByteReader reader(payload);
    entry.packets = 1;
    entry.from_port = reader.u16();
    entry.to_port = reader.u16();
    o.contact = Contact::fragment;
    return sink_.on_observation(o);
  }
  // Its middle may be missing: what has a beginning and an end is no flood of beginnings.
  if (!last || entry.packets == 0) return;
  o.client_port = entry.from_port;
  o.server_port = entry.to_port;
  entry.key = 0;
  o.contact = Contact::defragmented;
  sink_.on_observation(o);
  if (o.protocol == kProtoUdp) datagram(o);
}

void CutPackets::transport(Observation& o, ByteView payload) {
  if (o.protocol == kProtoIcmp || o.protocol == kProtoIcmp6) return echo(o, payload);
  if (o.protocol != kProtoUdp) return;
  core::ByteReader reader(payload);
  o.client_port = reader.u16();
  o.server_port = reader.u16();
  if (reader.ok()) datagram(o);
}

void CutPackets::datagram(Observation& o) {
  Known& back = known(key_of(o.server, o.server_port, o.client, o.client_port, kKindUdp));
  if (back.packets != 0) {
    if (back.answered) return;
    back.answered = true;
    std::swap(o.client, o.server);
    std::swap(o.client_port, o.server_port);
    o.contact = Contact::udp_answered;
    return sink_.on_observation(o);
  }
  Known& entry = known(key_of(o.client, o.client_port, o.server, o.server_port, kKindUdp));
  ++entry.packets;
  if (entry.answered) return;
  o.contact = entry.packets == 1 ? Contact::udp_attempt : Contact::more;
  o.count = speaks(entry.packets);
  if (o.count != 0) sink_.on_observation(o);
}

void CutPackets::echo(Observation& o, ByteView payload) {
  if (payload.empty()) return;
  const std::uint8_t type = payload[0];
  if (type == kEchoRequest || type == kEcho6Request) {
    Known& entry = known(key_of(o.client, 0, o.server, 0, kKindEcho));
    o.contact = Contact::ping;
    o.value = ++entry.packets;
    o.count = speaks(entry.packets);
    if (o.count != 0) sink_.on_observation(o);
    return;
  }
  if (type != kEchoReply && type != kEcho6Reply) return;
  Known& entry = known(key_of(o.server, 0, o.client, 0, kKindEcho));
  if (entry.packets == 0 || entry.answered) return;
  entry.answered = true;
  std::swap(o.client, o.server);
  o.contact = Contact::ping_answered;
  sink_.on_observation(o);
}

}  // namespace gatehouse::ids::engine
