#include "ids/engine/event_log.h"

#include <algorithm>
#include <utility>

#include "ids/anomaly/sids.h"
#include "ids/decode/events.h"
#include "ids/flow/stream_events.h"
#include "ids/flow/tcp.h"
#include "ids/parsers/dns_transaction.h"

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

// What flow and netflow events tell and the flow itself does not know. Made only when configured.
class FlowFacts : public FlowAttachment {
 public:
  static constexpr std::size_t kMostMacs = 8;
  struct Macs {
    std::array<std::array<std::uint8_t, 6>, kMostMacs> seen{};
    std::size_t count = 0;
    void add(const std::array<std::uint8_t, 6>& mac) {
      const auto end = seen.begin() + static_cast<std::ptrdiff_t>(count);
      if (count < kMostMacs && std::find(seen.begin(), end, mac) == end) seen[count++] = mac;
    }
    std::span<const std::array<std::uint8_t, 6>> all() const { return std::span(seen).first(count); }
  };
  std::array<Macs, 2> macs;                                  // of the client's and of the server's side
  std::array<std::uint8_t, 2> min_ttl{255, 255}, max_ttl{};  // per direction
};

// A TCP flow whose handshake we did not see: followed all the same, or not.
bool begun_unseen(const Flow& flow) {
  if (flow.key.protocol != kProtoTcp) return false;
  if (flow.tcp != nullptr) return flow.tcp->midstream();
  return ((flow.tcp_flags[0] | flow.tcp_flags[1]) & kTcpAck) != 0;
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
      files_(settings.eve.enabled("files")),
      netflows_(settings.eve.enabled("netflow")) {
  alert_options_ = settings.eve.log;
  alert_options_.dns_version = 3;
}

void EventLog::note(const Packet& packet, Flow* flow) {
  if (packet.tunnel_depth == 0) {
    carrier_ = {packet.source,
                packet.destination,
                packet.source_port,
                packet.destination_port,
                packet.has_transport && has_ports(packet.protocol),
                packet.protocol,
                0};
  }
  if (flow == nullptr || (!netflows_ && !settings_.eve.options.ethernet)) return;
  if (flow->facts == nullptr) flow->facts = std::make_unique<FlowFacts>();
  auto& facts = static_cast<FlowFacts&>(*flow->facts);
  const std::size_t side = index(packet.direction);
  facts.min_ttl[side] = std::min(facts.min_ttl[side], packet.ttl);
  facts.max_ttl[side] = std::max(facts.max_ttl[side], packet.ttl);
  if (!packet.has_ether) return;
  facts.macs[side].add(packet.ether_source);
  facts.macs[1 - side].add(packet.ether_destination);
}

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

void EventLog::alert(const Packet& packet, const Flow* flow, const Match& match, ByteView stream) {
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
  if (packet.tunnel_depth > 0) {
    alert::TunnelFields tunnel = carrier_;
    tunnel.depth = packet.tunnel_depth;
    writer_.tunnel(tunnel);
  }
  if (match.tx != nullptr) protocol_object(*flow, *match.tx, alert_options_);
  if (flow != nullptr) {
    if (settings_.eve.alert_flow_metadata) flowbits(*flow);
    writer_.flow_so_far(flow_fields(*flow));
  }
  if (settings_.eve.alert_verdict) {
    // The verdict is that on the packet: a pass rule may have come after this one.
    const bool dropped = match.rule->action == RuleAction::drop || match.rule->action == RuleAction::reject;
    const bool passed = flow != nullptr && flow->pass;
    const std::string_view verdict = passed ? "pass" : dropped ? "drop" : "alert";
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
    anomaly_line(header, {"decode", scratch_, {}, {}}, packet);
  }
}

void EventLog::stream_events(const Packet& packet, const Flow* flow) {
  if (!anomalies_ || !settings_.eve.anomaly_stream) return;
  alert::EventHeader header = packet_header(packet, flow);
  header.event_type = "anomaly";
  for (std::uint8_t i = 0; i < packet.stream_event_count; ++i) {
    scratch_ = "stream.";
    scratch_ += stream_event_name(packet.stream_events[i]);
    anomaly_line(header, {"stream", scratch_, {}, {}}, packet);
  }
}

void EventLog::app_anomalies(const Packet& packet, Flow& flow, const Transaction* tx,
                             std::span<const AppEvent> events, std::span<const std::string_view> names,
                             std::string_view layer) {
  if (!anomalies_ || !settings_.eve.anomaly_applayer) return;
  alert::EventHeader header = packet_header(packet, &flow);
  header.event_type = "anomaly";
  const std::string_view app_proto = std::exchange(header.app_proto, {});
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
    anomaly_line(header, {"applayer", scratch_, layer, app_proto}, packet);
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

// `record`: of the version 2 layout, which writes one event a question.
bool EventLog::wants_dns(const Transaction& tx, Direction sender, unsigned record) const {
  const EveSettings& eve = settings_.eve;
  if (sender == Direction::to_server ? !eve.dns_requests : !eve.dns_responses) return false;
  if (eve.dns_types.empty()) return true;
  const auto& queries = static_cast<const DnsTransaction&>(tx).queries;
  const auto listed = [&](const DnsQuestion& query) {
    return std::find(eve.dns_types.begin(), eve.dns_types.end(), dns_type_text(query.type)) !=
           eve.dns_types.end();
  };
  if (eve.log.dns_version == 2 && sender == Direction::to_server)
    return record < queries.size() && listed(queries[record]);
  return std::any_of(queries.begin(), queries.end(), listed);
}

void EventLog::transaction(const Packet& packet, const Flow& flow, const Transaction& tx) {
  const ParserDescriptor& parser = parser_of(app_flow(flow)->proto);
  if (parser.event_type.empty() || parser.write_log == nullptr || !settings_.eve.enabled(parser.event_type))
    return;
  // A message on its own is told from its sender's side, but for the version 2 layout of DNS.
  const bool one_message = tx.skip_inspect[0] != tx.skip_inspect[1];
  const Direction sender = one_message && tx.skip_inspect[0] ? Direction::to_client : Direction::to_server;
  const bool dns = parser.name == "dns";
  const bool sender_first = one_message && !(dns && settings_.eve.log.dns_version == 2);
  alert::EventHeader header = flow_header(flow, packet, sender_first ? sender : Direction::to_server);
  header.event_type = parser.event_type;
  header.app_proto = {};
  header.tx_id = tx.id;
  LogOptions options = settings_.eve.log;
  const unsigned records = parser.log_records == nullptr ? 1 : parser.log_records(tx, options);
  for (options.record = 0; options.record < records; ++options.record) {
    if (dns && !wants_dns(tx, sender, options.record)) continue;
    ++counters_.transactions;
    writer_.begin(header);
    protocol_object(flow, tx, options);
    port_.write(EventKind::transaction, writer_.end());
  }
}

void EventLog::protocol_object(const Flow& flow, const Transaction& tx, const LogOptions& options) {
  const ParserDescriptor& parser = parser_of(app_flow(flow)->proto);
  if (parser.event_type.empty() || parser.write_log == nullptr) return;
  core::JsonWriter& json = writer_.member(parser.event_type).begin_object();
  parser.write_log(tx, options, json);
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
    protocol_object(flow, tx, alert_options_);
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

// Bits named traffic/id/X and traffic/label/X say what the flow is: they have an object of their own.
void EventLog::flowbits(const Flow& flow) {
  if (flow.flowbits.empty() || flowbit_names_ == nullptr) return;
  constexpr std::string_view kId = "traffic/id/";
  constexpr std::string_view kLabel = "traffic/label/";
  const auto each = [&](auto&& use) {
    for (const std::uint32_t bit : flow.flowbits) {
      if (bit < flowbit_names_->size()) use(std::string_view((*flowbit_names_)[bit]));
    }
  };
  unsigned plain = 0, ids = 0, labels = 0;
  each([&](std::string_view name) {
    ++(name.starts_with(kId) ? ids : name.starts_with(kLabel) ? labels : plain);
  });
  if (plain != 0) {
    core::JsonWriter& json = writer_.member("metadata").begin_object();
    json.key("flowbits").begin_array();
    each([&](std::string_view name) {
      if (!name.starts_with(kId) && !name.starts_with(kLabel)) json.string(name);
    });
    json.end_array().end_object();
  }
  if (ids + labels == 0) return;
  core::JsonWriter& json = writer_.member("traffic").begin_object();
  const auto list = [&](std::string_view key, std::string_view prefix) {
    json.key(key).begin_array();
    each([&](std::string_view name) {
      if (name.starts_with(prefix)) json.string(name.substr(prefix.size()));
    });
    json.end_array();
  };
  if (ids != 0) list("id", kId);
  if (labels != 0) list("label", kLabel);
  json.end_object();
}

void EventLog::flow_app_protos(const Flow& flow) {
  const AppFlow* app = app_flow(flow);
  if (app == nullptr) return;
  for (const Direction d : {Direction::to_server, Direction::to_client}) {
    const AppProto detected = app->detected[index(d)];
    if (detected != kAppUnknown && detected != app->proto)
      writer_.member(d == Direction::to_server ? "app_proto_ts" : "app_proto_tc")
          .string(app_proto_name(detected));
  }
  if (app->original != kAppUnknown && app->original != app->proto)
    writer_.member("app_proto_orig").string(app_proto_name(app->original));
}

void EventLog::flow_end(const Flow& flow) {
  ++counters_.flows;
  if (netflows_) {
    netflow(flow, Direction::to_server);
    if (flow.counters[1].packets != 0) netflow(flow, Direction::to_client);
  }
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
  fields.action = flow.drop ? "drop" : flow.pass ? "pass" : "";
  if (const AppFlow* app = app_flow(flow); app != nullptr && app->session != nullptr)
    fields.transactions = app->session->transaction_count();
  if (begun_unseen(flow)) fields.exception_target = "stream_midstream";
  writer_.begin(header);
  flow_app_protos(flow);
  if (flow.facts != nullptr && settings_.eve.options.ethernet) {
    const auto& facts = static_cast<const FlowFacts&>(*flow.facts);
    writer_.ether_lists(facts.macs[0].all(), facts.macs[1].all());
  }
  writer_.flow(fields);
  flowbits(flow);
  if (flow.key.protocol == kProtoTcp) {
    alert::TcpFields tcp;
    tcp.flags_to_server = flow.tcp_flags[0];
    tcp.flags_to_client = flow.tcp_flags[1];
    if (flow.tcp != nullptr) tcp.state = to_string(flow.tcp->state());
    writer_.tcp(tcp);
  }
  port_.write(EventKind::flow, writer_.end());
}

void EventLog::netflow(const Flow& flow, Direction direction) {
  const std::size_t side = index(direction);
  Packet none;
  none.time_us = flow.last_us;
  alert::EventHeader header = flow_header(flow, none, direction);
  header.event_type = "netflow";
  header.pkt_src = {};
  header.pcap_cnt = 0;
  const auto& facts = static_cast<const FlowFacts&>(*flow.facts);
  writer_.begin(header);
  if (settings_.eve.options.ethernet) writer_.ether_lists(facts.macs[side].all(), facts.macs[1 - side].all());
  writer_.netflow({flow.counters[side].packets, flow.counters[side].bytes, flow.first_us, flow.last_us,
                   facts.min_ttl[side], facts.max_ttl[side]});
  flowbits(flow);
  if (flow.key.protocol == kProtoTcp) writer_.tcp_one_way(flow.tcp_flags[side]);
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
