#include "ids/decode/decoder.h"

#include <algorithm>

#include "ids/decode/layers.h"

namespace gatehouse::ids {
namespace {

constexpr std::uint64_t kChecksumSample = 1'000;
constexpr std::uint64_t kChecksumBadShare = 10;  // one in ten

// What an inner packet takes over from the frame it came in.
void inherit(Packet& inner, const Packet& outer) {
  inner.number = outer.number;
  inner.time_us = outer.time_us;
  inner.link_type = outer.link_type;
  inner.tunnel_depth = outer.tunnel_depth;
  inner.ether_source = outer.ether_source;
  inner.ether_destination = outer.ether_destination;
  inner.ether_type = outer.ether_type;
  inner.has_ether = outer.has_ether;
  inner.vlan = outer.vlan;
  inner.vlan_count = outer.vlan_count;
}

}  // namespace

Decoder::Decoder(DecoderOptions options)
    : options_(std::move(options)), validate_(options_.checksum != ChecksumMode::no) {
  counters_.events.resize(decode_event::kCount);
}

void Decoder::decode(const RawPacket& raw, PacketHandler& handler) {
  Packet packet;
  packet.number = raw.number;
  packet.time_us = raw.time_us;
  packet.link_type = raw.link_type;
  packet.frame = raw.data;
  packet.wire_length = raw.wire_length;
  ++counters_.packets;
  counters_.bytes += raw.wire_length;
  counters_.max_packet = std::max<std::uint64_t>(counters_.max_packet, raw.wire_length);
  DecodeContext context = context_of(packet);
  decode_link(context, raw.data, raw.link_type);
  judge_checksums(context);
  finish(context, handler);
}

void Decoder::decode_datagram(ByteView frame, std::size_t ip_offset, const Packet& last,
                              PacketHandler& handler) {
  Packet packet;
  inherit(packet, last);
  packet.origin = PacketOrigin::defrag;
  packet.tunnel = last.tunnel;
  packet.frame = frame;
  packet.wire_length = static_cast<std::uint32_t>(frame.size());
  DecodeContext context = context_of(packet);
  decode_ip(context, frame.subspan(ip_offset));
  finish(context, handler);
}

void Decoder::decode_inner(const Packet& outer, const InnerPacket& inner, PacketHandler& handler) {
  Packet packet;
  inherit(packet, outer);
  packet.origin = PacketOrigin::tunnel;
  packet.tunnel = inner.kind;
  ++packet.tunnel_depth;
  packet.frame = inner.data;
  packet.wire_length = static_cast<std::uint32_t>(inner.data.size() + inner.counted_header);
  DecodeContext context = context_of(packet);
  if (inner.ether_type == kEtherTransparent) {
    decode_ethernet(context, inner.data);
  } else {
    decode_ether_type(context, inner.ether_type, inner.data);
  }
  finish(context, handler);
}

void Decoder::finish(DecodeContext& context, PacketHandler& handler) {
  Packet& packet = context.packet;
  if (packet.bad_checksum) ++counters_.bad_checksum;
  const bool opens = context.inner.kind != TunnelKind::none;
  const bool too_deep = opens && packet.tunnel_depth >= options_.max_tunnel_depth;
  if (too_deep) {
    context.event(decode_event::tunnel_too_many_layers);
    ++counters_.too_many_layers;
  }
  handler.on_packet(packet);
  // An outer packet that does not add up was not accepted by the tunnel's end either.
  if (opens && !too_deep && !packet.bad_checksum) decode_inner(packet, context.inner, handler);
}

DecodeContext Decoder::context_of(Packet& packet) {
  return {packet, options_, counters_, validate_, samples_checksums() && options_.from_interface};
}

bool Decoder::samples_checksums() const {
  return options_.checksum == ChecksumMode::automatic && checksum_seen_ < kChecksumSample;
}

void Decoder::judge_checksums(const DecodeContext& context) {
  if (!samples_checksums()) return;
  ++checksum_seen_;
  if (context.packet.bad_checksum || context.unfinished) ++checksum_bad_;
  if (checksum_seen_ == kChecksumSample && checksum_bad_ * kChecksumBadShare > kChecksumSample)
    validate_ = false;
}

}  // namespace gatehouse::ids
