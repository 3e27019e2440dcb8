// Events about single packets: ARP messages, and TCP packets beside the session they belong to.
#include <utility>

#include "core/bytes.h"
#include "ids/alert/text.h"
#include "ids/engine/event_facts.h"
#include "ids/engine/event_log.h"
#include "ids/flow/stream_events.h"
#include "ids/flow/tcp.h"

namespace gatehouse::ids::engine {
namespace {

using core::JsonWriter;

std::string_view arp_operation(std::uint16_t operation) {
  switch (operation) {
    case 1:
      return "request";
    case 2:
      return "reply";
    case 3:
      return "request_reverse";
    case 4:
      return "reply_reverse";
    default:
      return "unknown";
  }
}

void mac_field(JsonWriter& json, core::JsonName name, ByteView bytes) {
  std::array<std::uint8_t, 6> mac{};
  std::copy(bytes.begin(), bytes.end(), mac.begin());
  json.put_field(name, [&](char* to) { return alert::put_mac(to, mac); });
}

void address_field(JsonWriter& json, std::string_view name, ByteView bytes) {
  std::string text;
  for (const std::uint8_t byte : bytes) {
    if (!text.empty()) text += '.';
    text += std::to_string(byte);
  }
  json.field(name, text);
}

void write_headers(JsonWriter& json, const Packet& packet) {
  const std::size_t length = packet.ip_header.size() + packet.ip_payload.size();
  if (packet.ip_version == 4) {
    json.field("len", length).field("tos", packet.tos).field("ttl", packet.ttl).field("ipid", packet.ip_id);
  } else {
    constexpr std::size_t kFixedHeader = 40;  // RFC 8200 3: the length field counts what follows it
    json.field("len", length > kFixedHeader ? length - kFixedHeader : 0).field("tc", packet.tos);
    json.field("hoplimit", packet.ttl);
  }
  const TcpHeader& tcp = packet.tcp;
  json.field("tcpseq", tcp.sequence).field("tcpack", tcp.acknowledgment).field("tcpwin", tcp.window);
  const auto flag = [&](std::string_view name, std::uint8_t bit) {
    json.field(name, (tcp.flags & bit) != 0);
  };
  flag("syn", kTcpSyn);
  flag("ack", kTcpAck);
  flag("psh", kTcpPsh);
  flag("rst", kTcpRst);
  flag("urg", kTcpUrg);
  flag("fin", kTcpFin);
  json.field("tcpurgp", tcp.urgent);
}

void write_peer(JsonWriter& json, std::string_view name, const TcpPeer& peer) {
  json.key(name).begin_object();
  json.field("isn", peer.isn).field("next_seq", peer.next_seq).field("last_ack", peer.last_ack);
  json.field("next_win", peer.next_win).field("window", peer.window).field("wscale", peer.wscale);
  json.key("flags").begin_array();
  if (peer.timestamps) json.string("timestamp");
  if (peer.rst_sent) json.string("rst_recv");
  json.end_array().end_object();
}

void write_session(JsonWriter& json, const TcpSession& session, TcpState before) {
  json.field("state", to_string(session.state()));
  if (session.state() != before) json.field("pstate", to_string(before));
  const TcpPeer& client = session.peer(Direction::to_server);
  const TcpPeer& server = session.peer(Direction::to_client);
  json.key("flags").begin_object().key("flags").begin_array();
  if (session.midstream()) json.string("midstream");
  if (client.timestamps && server.timestamps) json.string("timestamp");
  if (client.has_wscale) json.string("server_wscale");
  if (client.syn_data || session.syn_data_ignored()) json.string("tcp_fast_open");
  if (session.syn_data_ignored()) json.string("tfo_data_ignored");
  json.end_array().end_object();
  write_peer(json, "client", client);
  write_peer(json, "server", server);
}

bool has_event(const Packet& packet, std::uint16_t event) {
  for (std::uint8_t i = 0; i < packet.stream_event_count; ++i) {
    if (packet.stream_events[i] == event) return true;
  }
  return false;
}

}  // namespace

void EventLog::metadata(const Packet& packet, const Flow* flow) {
  if (!metadata_) return;
  alert::EventHeader header = packet_header(packet, flow);
  header.event_type = "metadata";
  writer_.begin(header);
  flowbits(flow);
  port_.write(EventKind::transaction, writer_.end());
}

void EventLog::arp(const Packet& packet) {
  alert::EventHeader header = packet_header(packet, nullptr);
  header.event_type = "arp";
  writer_.begin(header);
  JsonWriter& json = writer_.member("arp").begin_object();
  // RFC 826: hardware and protocol, their sizes, the operation, then both ends.
  const ByteView b = packet.arp;
  json.field("hw_type", "ethernet").field("proto_type", "ipv4");
  json.field("opcode", arp_operation(static_cast<std::uint16_t>(b[6] << 8 | b[7])));
  mac_field(json, "src_mac", b.subspan(8, 6));
  address_field(json, "src_ip", b.subspan(14, 4));
  mac_field(json, "dest_mac", b.subspan(18, 6));
  address_field(json, "dest_ip", b.subspan(24, 4));
  json.end_object();
  port_.write(EventKind::transaction, writer_.end());
}

void EventLog::stream_packet(const Packet& packet, const Flow& flow, TcpState before) {
  const StreamEventSettings& wanted = settings_.eve.stream;
  const TcpState after = flow.tcp == nullptr ? TcpState::none : flow.tcp->state();
  const bool spurious = has_event(packet, stream_event::k_pkt_spurious_retransmission);
  const bool due = wanted.all || (wanted.event_set && packet.stream_event_count != 0) ||
                   (wanted.state_update && before != after) || (wanted.spurious_retransmission && spurious);
  if (!due) return;
  alert::EventHeader header = packet_header(packet, &flow);
  header.event_type = "stream_tcp";
  header.app_proto = {};
  header.direction = direction_name(packet.direction);
  writer_.begin(header);
  JsonWriter& json = writer_.member("stream_tcp").begin_object();
  json.key("packet").begin_object();
  write_headers(json, packet);
  json.key("flags").begin_array();
  if (has_event(packet, stream_event::k_pkt_retransmission)) json.string("retransmission");
  if (spurious) json.string("spurious_retransmission");
  if (packet.stream_event_count != 0) json.string("event_set");
  if (before != after) json.string("state_update");
  json.end_array().end_object();
  json.key("session").begin_object();
  if (flow.tcp != nullptr) write_session(json, *flow.tcp, before);
  json.end_object();
  if (packet.stream_event_count != 0) {
    json.key("events").begin_array();
    for (std::uint8_t i = 0; i < packet.stream_event_count; ++i) {
      scratch_ = "stream.";
      scratch_ += stream_event_name(packet.stream_events[i]);
      json.string(scratch_);
    }
    json.end_array();
  }
  json.end_object();
  port_.write(EventKind::transaction, writer_.end());
}

}  // namespace gatehouse::ids::engine
