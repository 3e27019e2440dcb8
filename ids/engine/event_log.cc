#include "ids/engine/event_log.h"

#include <algorithm>

#include "ids/anomaly/sids.h"
#include "ids/decode/events.h"
#include "ids/flow/stream_events.h"
#include "ids/flow/tcp.h"

namespace gatehouse::ids::engine {
namespace {

// Parsers whose events the field writes in capitals.
constexpr std::string_view kUpperCaseEvents[] = {"http", "smtp", "ftp", "applayer"};

std::string_view direction_name(Direction direction) {
  return direction == Direction::to_server ? "to_server" : "to_client";
}

std::string_view link_name(int link_type) {
  switch (link_type) {
    case 0:
      return "NULL";
    case 1:
      return "EN10MB";
    case 9:
      return "PPP";
    case 12:
    case 101:
      return "RAW";
    case 104:
      return "C_HDLC";
    case 113:
      return "LINUX_SLL";
    case 228:
      return "IPv4";
    case 229:
      return "IPv6";
    case 276:
      return "LINUX_SLL2";
    default:
      return {};
  }
}

bool has_ports(std::uint8_t protocol) {
  return protocol == kProtoTcp || protocol == kProtoUdp || protocol == kProtoSctp;
}

}  // namespace

std::string_view packet_source_name(const Packet& packet) {
  switch (packet.origin) {
    case PacketOrigin::wire:
      return "wire/pcap";
    case PacketOrigin::defrag:
      return "defrag";
    case PacketOrigin::flow_end:
      return "stream (flow timeout)";
    case PacketOrigin::tunnel:
      break;
  }
  switch (packet.tunnel) {
    case TunnelKind::gre:
      return "gre tunnel";
    case TunnelKind::ipv4:
      return "ipv4 tunnel";
    case TunnelKind::ipv6:
      return "ipv6 tunnel";
    case TunnelKind::vxlan:
      return "vxlan encapsulation";
    case TunnelKind::geneve:
      return "geneve encapsulation";
    case TunnelKind::teredo:
      return "teredo tunnel";
    case TunnelKind::erspan:
      return "erspan";
    case TunnelKind::nsh:
      return "nsh";
    case TunnelKind::none:
      break;
  }
  return "wire/pcap";
}

EventLog::EventLog(const Settings& settings, OutputPort& port, std::string interface)
    : settings_(settings),
      port_(port),
      interface_(std::move(interface)),
      writer_(settings.eve.options),
      alerts_(settings.eve.enabled("alert")),
      anomalies_(settings.eve.enabled("anomaly")),
      flows_(settings.eve.enabled("flow")),
      files_(settings.eve.enabled("files")) {}

void EventLog::common(alert::EventHeader& h, const Packet& packet, const Flow* flow) const {
  h.time_us = packet.time_us;
  h.pcap_cnt = live() ? 0 : packet.number;
  h.in_iface = interface_;
  h.pkt_src = packet_source_name(packet);
  h.vlan = std::span(packet.vlan).first(packet.vlan_count);
  if (packet.has_ether) {
    h.ether_source = &packet.ether_source;
    h.ether_destination = &packet.ether_destination;
  }
  if (flow == nullptr) return;
  h.flow_id = flow->id;
  if (const AppFlow* app = app_flow(*flow); app != nullptr && app->proto != kAppUnknown)
    h.app_proto = app_proto_name(app->proto);
}

alert::EventHeader EventLog::packet_header(const Packet& packet, const Flow* flow) const {
  if (packet.origin == PacketOrigin::flow_end && flow != nullptr)
    return flow_header(*flow, packet, packet.direction);
  alert::EventHeader h;
  h.source = packet.source;
  h.destination = packet.destination;
  h.protocol = packet.protocol;
  if (packet.has_transport && has_ports(packet.protocol)) {
    h.has_ports = true;
    h.source_port = packet.source_port;
    h.destination_port = packet.destination_port;
  }
  if (packet.is_icmp()) {
    h.has_icmp = true;
    h.icmp_type = packet.icmp.type;
    h.icmp_code = packet.icmp.code;
  }
  common(h, packet, flow);
  return h;
}

// `from`: the side that stands first; to_server means the client does.
alert::EventHeader EventLog::flow_header(const Flow& flow, const Packet& packet, Direction from) const {
  alert::EventHeader h;
  const bool client_first = from == Direction::to_server;
  h.source = client_first ? flow.key.client : flow.key.server;
  h.destination = client_first ? flow.key.server : flow.key.client;
  h.protocol = flow.key.protocol;
  h.has_ports = has_ports(flow.key.protocol);
  if (h.has_ports) {
    h.source_port = client_first ? flow.key.client_port : flow.key.server_port;
    h.destination_port = client_first ? flow.key.server_port : flow.key.client_port;
  }
  if (flow.key.protocol == kProtoIcmp || flow.key.protocol == kProtoIcmp6) {
    h.has_icmp = true;
    h.icmp_type = flow.icmp_type[index(from)];
    h.icmp_code = flow.icmp_code[index(from)];
  }
  common(h, packet, &flow);
  if (packet.vlan_count == 0) {
    std::size_t tags = 0;
    while (tags < flow.key.vlan.size() && flow.key.vlan[tags] != 0) ++tags;
    h.vlan = std::span(flow.key.vlan).first(tags);
  }
  return h;
}

alert::FlowFields EventLog::flow_fields(const Flow& flow) const {
  alert::FlowFields f;
  f.packets_to_server = flow.counters[0].packets;
  f.packets_to_client = flow.counters[1].packets;
  f.bytes_to_server = flow.counters[0].bytes;
  f.bytes_to_client = flow.counters[1].bytes;
  f.start_us = flow.first_us;
  f.end_us = flow.last_us;
  f.source = flow.key.client;
  f.destination = flow.key.server;
  f.has_ports = has_ports(flow.key.protocol);
  f.source_port = flow.key.client_port;
  f.destination_port = flow.key.server_port;
  return f;
}

void EventLog::alert(const Packet& packet, const Flow* flow, const Match& match,
                     const std::vector<std::string>& flowbit_names, ByteView stream) {
  ++counters_.alerts;
  if (!alerts_) return;
  const RuleMeta& meta = match.rule->meta;
  alert::EventHeader header = packet.origin == PacketOrigin::flow_end && flow != nullptr
                                  ? flow_header(*flow, packet, match.direction)
                                  : packet_header(packet, flow);
  header.event_type = "alert";
  header.direction = flow == nullptr ? std::string_view{} : direction_name(match.direction);
  if (match.tx != nullptr) header.tx_id = match.tx->id;

  alert::AlertFields fields;
  fields.gid = meta.gid;
  fields.sid = meta.sid;
  fields.rev = meta.rev;
  fields.signature = meta.message;
  fields.category = meta.class_description;
  fields.severity = meta.priority;
  fields.target_is_source = match.rule->target_is_source;
  if (settings_.eve.alert_metadata) fields.metadata = meta.metadata;

  writer_.begin(header);
  writer_.alert(fields, header);
  if (match.tx != nullptr) protocol_object(*flow, *match.tx);
  if (flow != nullptr) {
    if (settings_.eve.alert_flow_metadata && !flow->flowbits.empty()) {
      core::JsonWriter& json = writer_.member("metadata").begin_object();
      json.key("flowbits").begin_array();
      for (const std::uint32_t bit : flow->flowbits) {
        if (bit < flowbit_names.size()) json.string(flowbit_names[bit]);
      }
      json.end_array().end_object();
    }
    writer_.flow_so_far(flow_fields(*flow));
  }
  if (settings_.eve.alert_verdict) {
    const bool dropped = match.rule->action == RuleAction::drop || match.rule->action == RuleAction::reject;
    const std::string_view verdict = match.rule->action == RuleAction::pass ? "pass"
                                     : dropped                              ? "drop"
                                                                            : "alert";
    writer_.member("verdict").begin_object().field("action", verdict).end_object();
  }
  alert::PayloadFields payload;
  payload.from_stream = match.from_stream || match.tx != nullptr;
  payload.payload = payload.from_stream && !stream.empty() ? stream : packet.payload;
  if (payload.payload.size() > settings_.eve.payload_buffer_bytes)
    payload.payload = payload.payload.first(settings_.eve.payload_buffer_bytes);
  payload.frame = packet.frame;
  payload.link_type = packet.link_type;
  payload.link_name = link_name(packet.link_type);
  writer_.payload(payload);
  port_.write(EventKind::alert, writer_.end());
}

void EventLog::anomaly_line(const alert::EventHeader& header, const alert::AnomalyFields& fields,
                            const Packet& packet) {
  ++counters_.anomalies;
  writer_.begin(header);
  writer_.anomaly(fields);
  if (settings_.eve.anomaly_packet)
    writer_.packet({{}, packet.frame, false, packet.link_type, link_name(packet.link_type)});
  port_.write(EventKind::anomaly, writer_.end());
}

void EventLog::decode_events(const Packet& packet, const Flow* flow) {
  if (!anomalies_ || !settings_.eve.anomaly_decode) return;
  alert::EventHeader header = packet_header(packet, flow);
  header.event_type = "anomaly";
  for (std::uint8_t i = 0; i < packet.event_count; ++i) {
    scratch_ = "decoder.";
    scratch_ += decode_event_name(packet.events[i]);
    anomaly_line(header, {"decode", scratch_, {}}, packet);
  }
}

void EventLog::stream_events(const Packet& packet, const Flow* flow) {
  if (!anomalies_ || !settings_.eve.anomaly_stream) return;
  alert::EventHeader header = packet_header(packet, flow);
  header.event_type = "anomaly";
  for (std::uint8_t i = 0; i < packet.stream_event_count; ++i) {
    scratch_ = "stream.";
    scratch_ += stream_event_name(packet.stream_events[i]);
    anomaly_line(header, {"stream", scratch_, {}}, packet);
  }
}

void EventLog::app_anomalies(const Packet& packet, Flow& flow, const Transaction* tx,
                             std::span<const AppEvent> events, std::span<const std::string_view> names,
                             std::string_view layer) {
  if (!anomalies_ || !settings_.eve.anomaly_applayer) return;
  alert::EventHeader header = packet_header(packet, &flow);
  header.event_type = "anomaly";
  if (tx != nullptr) header.tx_id = tx->id;
  for (const AppEvent event : events) {
    if (event >= names.size()) continue;
    // "http.request_header_invalid": the protocol stands in app_proto already.
    const std::size_t dot = names[event].find('.');
    const std::string_view prefix =
        dot == std::string_view::npos ? std::string_view("applayer") : names[event].substr(0, dot);
    scratch_ = dot == std::string_view::npos ? names[event] : names[event].substr(dot + 1);
    if (std::find(std::begin(kUpperCaseEvents), std::end(kUpperCaseEvents), prefix) !=
        std::end(kUpperCaseEvents)) {
      for (char& c : scratch_) c = c >= 'a' && c <= 'z' ? static_cast<char>(c - 'a' + 'A') : c;
    }
    anomaly_line(header, {"applayer", scratch_, layer}, packet);
  }
}

void EventLog::application(const Packet& packet, Flow& flow, bool last) {
  AppFlow* app = app_flow(flow);
  if (app == nullptr) return;
  if (app->events_logged < app->detection_events.size()) {
    app_anomalies(packet, flow, nullptr, std::span(app->detection_events).subspan(app->events_logged),
                  detection_event_names(), "proto_detect");
    app->events_logged = app->detection_events.size();
  }
  if (app->session == nullptr || app->proto == kAppUnknown || app->proto == kAppFailed) return;
  const ParserDescriptor& parser = parser_of(app->proto);
  for (const auto& tx : app->session->transactions()) {
    if (tx->events_logged < tx->events.size()) {
      app_anomalies(packet, flow, tx.get(), std::span(tx->events).subspan(tx->events_logged),
                    parser.event_names, "proto_parser");
      tx->events_logged = tx->events.size();
    }
    if (!tx->logged && (last || parser.ready_to_log == nullptr || parser.ready_to_log(*tx))) {
      tx->logged = true;
      transaction(packet, flow, *tx);
    }
    files(packet, flow, *tx, last);
  }
}

// A message on its own (DNS in the v3 layout) is told from its sender's side.
bool EventLog::wants(const Transaction& tx, Direction from) const {
  (void)tx;
  if (from == Direction::to_server) return settings_.eve.dns_requests;
  return settings_.eve.dns_responses;
}

void EventLog::transaction(const Packet& packet, const Flow& flow, const Transaction& tx) {
  const ParserDescriptor& parser = parser_of(app_flow(flow)->proto);
  if (parser.event_type.empty() || parser.write_log == nullptr || !settings_.eve.enabled(parser.event_type))
    return;
  const bool one_message = tx.skip_inspect[0] != tx.skip_inspect[1];
  const Direction sender = one_message && tx.skip_inspect[0] ? Direction::to_client : Direction::to_server;
  if (parser.name == "dns" && one_message && !wants(tx, sender)) return;
  const bool sender_first = one_message && !(parser.name == "dns" && settings_.eve.log.dns_version == 2);
  alert::EventHeader header = flow_header(flow, packet, sender_first ? sender : Direction::to_server);
  header.event_type = parser.event_type;
  header.app_proto = {};
  header.tx_id = tx.id;
  ++counters_.transactions;
  writer_.begin(header);
  protocol_object(flow, tx);
  port_.write(EventKind::transaction, writer_.end());
}

void EventLog::protocol_object(const Flow& flow, const Transaction& tx) {
  const ParserDescriptor& parser = parser_of(app_flow(flow)->proto);
  if (parser.event_type.empty() || parser.write_log == nullptr) return;
  core::JsonWriter& json = writer_.member(parser.event_type).begin_object();
  parser.write_log(tx, settings_.eve.log, json);
  json.end_object();
}

void EventLog::files(const Packet& packet, const Flow& flow, Transaction& tx, bool last) {
  for (TransferredFile& file : tx.files) {
    if (file.logged || (file.state == FileState::open && !last)) continue;
    file.logged = true;
    ++counters_.files;
    if (!files_) continue;
    alert::EventHeader header = flow_header(flow, packet, file.direction);
    header.event_type = "fileinfo";
    writer_.begin(header);
    protocol_object(flow, tx);
    core::JsonWriter& json = writer_.member("fileinfo").begin_object();
    constexpr std::string_view kStates[] = {"UNKNOWN", "CLOSED", "TRUNCATED", "ERROR"};
    json.field("filename", file.name);
    json.field("gaps", file.gaps);
    // A file the end of the flow cut off is truncated.
    json.field("state",
               file.state == FileState::open ? kStates[2] : kStates[static_cast<std::size_t>(file.state)]);
    json.field("stored", false);
    json.field("size", file.size);
    json.field("tx_id", tx.id);
    json.end_object();
    port_.write(EventKind::transaction, writer_.end());
  }
}

void EventLog::flow_end(const Flow& flow) {
  ++counters_.flows;
  if (!flows_) return;
  Packet none;
  none.time_us = flow.last_us;
  alert::EventHeader header = flow_header(flow, none, Direction::to_server);
  header.event_type = "flow";
  header.pkt_src = {};
  header.pcap_cnt = 0;
  alert::FlowFields fields = flow_fields(flow);
  fields.state = to_string(flow.state);
  fields.reason = to_string(flow.end_reason);
  fields.alerted = flow.alerted;
  if (flow.drop) {
    fields.action = "drop";
  } else if (flow.pass) {
    fields.action = "pass";
  }
  writer_.begin(header);
  if (const AppFlow* app = app_flow(flow); app != nullptr) {
    for (const Direction d : {Direction::to_server, Direction::to_client}) {
      const AppProto detected = app->detected[index(d)];
      if (detected != kAppUnknown && detected != app->proto)
        writer_.member(d == Direction::to_server ? "app_proto_ts" : "app_proto_tc")
            .string(app_proto_name(detected));
    }
  }
  writer_.flow(fields);
  if (flow.key.protocol == kProtoTcp) {
    alert::TcpFields tcp;
    tcp.flags_to_server = flow.tcp_flags[0];
    tcp.flags_to_client = flow.tcp_flags[1];
    if (flow.tcp != nullptr) tcp.state = to_string(flow.tcp->state());
    writer_.tcp(tcp);
  }
  port_.write(EventKind::flow, writer_.end());
}

void EventLog::detection(const anomaly::Detection& d, std::uint64_t pcap_cnt) {
  ++counters_.detections;
  if (!alerts_) return;
  alert::EventHeader header;
  header.event_type = "alert";
  header.time_us = d.time_us;
  header.pcap_cnt = live() ? 0 : pcap_cnt;
  header.in_iface = interface_;
  // A family without an address of its own (a spoofed flood has no source) shows the unspecified one.
  header.source = d.source;
  header.destination = d.target;
  if (header.source.version == 0) header.source.version = d.target.version;
  if (header.destination.version == 0) header.destination.version = d.source.version;
  header.protocol = d.protocol;
  alert::AlertFields fields;
  fields.gid = anomaly::kDetectionGid;
  fields.sid = d.sid;
  fields.rev = 1;
  fields.signature = d.message;
  fields.category =
      d.klass.starts_with("dos.") ? "Attempted Denial of Service" : "Detection of a Network Scan";
  fields.severity = d.severity;
  alert::DetectionFields detection;
  detection.klass = d.klass;
  detection.sources = d.sources;
  detection.targets = d.targets;
  detection.sources_total = d.sources_total;
  detection.targets_total = d.targets_total;
  detection.evidence = d.evidence;
  detection.window_us = d.window_us;
  detection.confidence = d.confidence;
  detection.update = d.update;
  writer_.begin(header);
  writer_.alert(fields, header);
  writer_.detection(detection);
  port_.write(EventKind::alert, writer_.end());
}

}  // namespace gatehouse::ids::engine
