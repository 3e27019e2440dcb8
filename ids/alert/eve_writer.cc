#include "ids/alert/eve_writer.h"

#include <fmt/format.h>

#include "core/os.h"
#include "ids/alert/text.h"

namespace gatehouse::ids::alert {
namespace {

constexpr std::size_t kFirstLine = 4096;  // longer than nearly every event: one allocation at start

struct FlagName {
  std::uint8_t bit;
  core::JsonName name;
};
constexpr std::array<FlagName, 8> kFlagNames = {{{0x02, "syn"},
                                                 {0x01, "fin"},
                                                 {0x04, "rst"},
                                                 {0x08, "psh"},
                                                 {0x10, "ack"},
                                                 {0x20, "urg"},
                                                 {0x40, "ecn"},
                                                 {0x80, "cwr"}}};

}  // namespace

void append_flag_names(core::JsonWriter& json, std::uint8_t tcp_flags) {
  for (const FlagName& flag : kFlagNames) {
    if ((tcp_flags & flag.bit) != 0) json.field(flag.name, true);
  }
}

EveWriter::EveWriter(EveOptions options) : options_(std::move(options)) {
  line_.reserve(kFirstLine);
  scratch_.reserve(kFirstLine);
}

void EveWriter::open(std::int64_t time_us) {
  line_.clear();
  json_.emplace(line_);
  json_->begin_object();
  time_member("timestamp", time_us);
}

void EveWriter::begin(const EventHeader& header) {
  open(header.time_us);
  core::JsonWriter& json = *json_;
  if (header.flow_id != 0) json.field("flow_id", header.flow_id);
  if (!header.in_iface.empty()) json.field("in_iface", header.in_iface);
  if (!options_.host.empty()) json.field("host", options_.host);
  json.field("event_type", header.event_type);
  if (header.pcap_cnt != 0) json.field("pcap_cnt", header.pcap_cnt);
  if (!header.vlan.empty()) {
    json.key("vlan").begin_array();
    for (const std::uint16_t id : header.vlan) json.number(unsigned{id});
    json.end_array();
  }
  if (header.source.version != 0) {
    address_member("src_ip", header.source);
    if (header.has_ports) json.field("src_port", header.source_port);
    address_member("dest_ip", header.destination);
    if (header.has_ports) json.field("dest_port", header.destination_port);
    protocol_member(header.protocol);
    if (header.has_icmp) {
      json.field("icmp_type", header.icmp_type);
      json.field("icmp_code", header.icmp_code);
    }
    if (header.has_icmp_response) {
      json.field("response_icmp_type", header.icmp_response_type);
      json.field("response_icmp_code", header.icmp_response_code);
    }
    if (header.spi) json.field("spi", *header.spi);
    json.field("ip_v", header.source.version);
  }
  if (!header.pkt_src.empty()) json.field("pkt_src", header.pkt_src);
  if (options_.community_id && header.source.version != 0) {
    if (const auto id = community_id(header, options_.community_id_seed))
      json.field("community_id", id->text());
  }
  if (options_.ethernet && header.ether_source != nullptr && header.ether_destination != nullptr) {
    json.key("ether").begin_object();
    if (header.ether_type != 0) json.field("ether_type", header.ether_type);
    json.put_field("src_mac", [&](char* to) { return put_mac(to, *header.ether_source); });
    json.put_field("dest_mac", [&](char* to) { return put_mac(to, *header.ether_destination); });
    json.end_object();
  }
  if (header.tx_id) json.field("tx_id", *header.tx_id);
  if (!header.app_proto.empty()) json.field("app_proto", header.app_proto);
  if (!header.direction.empty()) json.field("direction", header.direction);
}

void EveWriter::alert(const AlertFields& fields, const EventHeader& header) {
  core::JsonWriter& json = *json_;
  json.key("alert").begin_object();
  json.field("action", fields.action);
  json.field("gid", fields.gid);
  json.field("signature_id", fields.sid);
  json.field("rev", fields.rev);
  json.field("signature", fields.signature);
  json.field("category", fields.category);
  json.field("severity", fields.severity);
  if (!fields.forwarded_for.empty()) json.field("xff", fields.forwarded_for);
  if (fields.target_is_source) {
    const bool source_is_target = *fields.target_is_source;
    const auto endpoint = [&](std::string_view name, bool of_source) {
      json.key(name).begin_object();
      address_member("ip", of_source ? header.source : header.destination);
      if (header.has_ports) json.field("port", of_source ? header.source_port : header.destination_port);
      json.end_object();
    };
    endpoint("source", !source_is_target);
    endpoint("target", source_is_target);
  }
  if (!fields.metadata.empty()) {
    // A key may repeat in a rule: its values become one array, at the place of the first.
    json.key("metadata").begin_object();
    for (std::size_t i = 0; i < fields.metadata.size(); ++i) {
      const std::string& name = fields.metadata[i]->first;
      bool seen = false;
      for (std::size_t j = 0; j < i && !seen; ++j) seen = fields.metadata[j]->first == name;
      if (seen) continue;
      json.key(name).begin_array();
      for (std::size_t j = i; j < fields.metadata.size(); ++j) {
        if (fields.metadata[j]->first == name) json.string(fields.metadata[j]->second);
      }
      json.end_array();
    }
    json.end_object();
  }
  if (!fields.context.empty()) {
    scratch_.assign("{").append(fields.context).append("}");
    json.key("context").raw(scratch_);
  }
  json.end_object();
}

void EveWriter::flow_counters(const FlowFields& fields) {
  json_->field("pkts_toserver", fields.packets_to_server);
  json_->field("pkts_toclient", fields.packets_to_client);
  json_->field("bytes_toserver", fields.bytes_to_server);
  json_->field("bytes_toclient", fields.bytes_to_client);
  time_member("start", fields.start_us);
}

void EveWriter::flow_so_far(const FlowFields& fields) {
  json_->key("flow").begin_object();
  flow_counters(fields);
  address_member("src_ip", fields.source);
  address_member("dest_ip", fields.destination);
  if (fields.has_ports) {
    json_->field("src_port", fields.source_port);
    json_->field("dest_port", fields.destination_port);
  }
  json_->end_object();
}

void EveWriter::flow(const FlowFields& fields) {
  json_->key("flow").begin_object();
  flow_counters(fields);
  time_member("end", fields.end_us);
  // Whole seconds of the two time stamps, as consumers compute it from the text forms.
  json_->field("age", fields.end_us / 1'000'000 - fields.start_us / 1'000'000);
  json_->field("state", fields.state);
  json_->field("reason", fields.reason);
  json_->field("alerted", fields.alerted);
  if (!fields.action.empty()) json_->field("action", fields.action);
  if (fields.transactions != 0) json_->field("tx_cnt", fields.transactions);
  if (!fields.exception_target.empty()) {
    json_->key("exception_policy").begin_array().begin_object();
    json_->field("target", fields.exception_target).field("policy", "ignore");
    json_->end_object().end_array();
  }
  json_->end_object();
}

void EveWriter::tcp(const TcpFields& fields) {
  json_->key("tcp").begin_object();
  hex_member("tcp_flags", fields.flags_to_server | fields.flags_to_client);
  hex_member("tcp_flags_ts", fields.flags_to_server);
  hex_member("tcp_flags_tc", fields.flags_to_client);
  append_flag_names(*json_, fields.flags_to_server | fields.flags_to_client);
  if (!fields.state.empty()) {
    json_->field("state", fields.state);
    json_->field("ts_max_regions", fields.regions_to_server);
    json_->field("tc_max_regions", fields.regions_to_client);
  }
  json_->end_object();
}

void EveWriter::netflow(const NetflowFields& fields) {
  json_->key("netflow").begin_object();
  json_->field("pkts", fields.packets);
  json_->field("bytes", fields.bytes);
  time_member("start", fields.start_us);
  time_member("end", fields.end_us);
  json_->field("age", fields.end_us / 1'000'000 - fields.start_us / 1'000'000);
  json_->field("min_ttl", fields.min_ttl);
  json_->field("max_ttl", fields.max_ttl);
  json_->end_object();
}

void EveWriter::tcp_one_way(std::uint8_t flags) {
  json_->key("tcp").begin_object();
  hex_member("tcp_flags", flags);
  append_flag_names(*json_, flags);
  json_->end_object();
}

void EveWriter::tunnel(const TunnelFields& fields) {
  json_->key("tunnel").begin_object();
  address_member("src_ip", fields.source);
  if (fields.has_ports) json_->field("src_port", fields.source_port);
  address_member("dest_ip", fields.destination);
  if (fields.has_ports) json_->field("dest_port", fields.destination_port);
  protocol_member(fields.protocol);
  json_->field("depth", fields.depth);
  if (fields.pcap_cnt != 0) json_->field("pcap_cnt", fields.pcap_cnt);
  json_->field("pkt_src", fields.pkt_src);
  json_->end_object();
}

void EveWriter::ether_lists(std::span<const std::array<std::uint8_t, 6>> sources,
                            std::span<const std::array<std::uint8_t, 6>> destinations) {
  json_->key("ether").begin_object();
  mac_list("src_macs", sources);
  mac_list("dest_macs", destinations);
  json_->end_object();
}

void EveWriter::mac_list(std::string_view name, std::span<const std::array<std::uint8_t, 6>> addresses) {
  json_->key(name).begin_array();
  for (const auto& address : addresses) {
    std::array<char, 17> text;
    put_mac(text.data(), address);
    json_->string(std::string_view(text.data(), text.size()));
  }
  json_->end_array();
}

void EveWriter::anomaly(const AnomalyFields& fields) {
  json_->key("anomaly").begin_object();
  json_->field("type", fields.type);
  json_->field("event", fields.event);
  if (!fields.layer.empty()) json_->field("layer", fields.layer);
  if (!fields.app_proto.empty()) json_->field("app_proto", fields.app_proto);
  json_->end_object();
}

void EveWriter::detection(const DetectionFields& fields) {
  core::JsonWriter& json = *json_;
  json.key("detection").begin_object();
  json.field("class", fields.klass);
  address_list("sources", fields.sources);
  address_list("targets", fields.targets);
  if (!fields.source_prefix.empty()) json.field("source_prefix", fields.source_prefix);
  if (!fields.target_prefix.empty()) json.field("target_prefix", fields.target_prefix);
  json.field("sources_total", fields.sources_total);
  json.field("targets_total", fields.targets_total);
  json.key("evidence").begin_object();
  for (const auto& [name, count] : fields.evidence) json.field(name, count);
  json.end_object();
  if (!fields.limits.empty()) {
    json.key("limits").begin_object();
    for (const auto& [name, count] : fields.limits) json.field(name, count);
    json.end_object();
  }
  if (!fields.reason.empty()) json.field("reason", fields.reason);
  json.field("window_ms", fields.window_us / 1000);
  if (fields.first_us != 0) {
    time_member("first_seen", fields.first_us);
    time_member("last_seen", fields.last_us);
  }
  json.field("confidence", fields.confidence);
  json.field("spoofable", fields.spoofable);
  if (!fields.technique.empty()) json.field("technique", fields.technique);
  if (fields.id != 0) json.field("id", fields.id);
  if (!fields.phase.empty()) json.field("phase", fields.phase);
  json.field("update", fields.update);
  json.end_object();
}

void append_detection(MetadataRows& rows, const DetectionFields& fields) {
  const auto text = [&](std::string_view name, std::string_view value) {
    if (!value.empty()) rows.emplace_back(fmt::format("gatehouse_{}", name), value);
  };
  const auto number = [&](std::string_view name, auto value) { text(name, fmt::format("{}", value)); };
  const auto time = [&](std::string_view name, std::int64_t us) {
    std::string out;
    core::append_eve_timestamp(out, us);
    text(name, out);
  };
  text("class", fields.klass);
  if (fields.id != 0) number("id", fields.id);
  text("phase", fields.phase);
  number("update", fields.update);
  for (const core::IpAddress& address : fields.sources) text("sources", address.to_string());
  for (const core::IpAddress& address : fields.targets) text("targets", address.to_string());
  text("source_prefix", fields.source_prefix);
  text("target_prefix", fields.target_prefix);
  number("sources_total", fields.sources_total);
  number("targets_total", fields.targets_total);
  for (const auto& [name, count] : fields.evidence) text("evidence", fmt::format("{}={}", name, count));
  for (const auto& [name, count] : fields.limits) text("limits", fmt::format("{}={}", name, count));
  text("reason", fields.reason);
  number("window_ms", fields.window_us / 1000);
  if (fields.first_us != 0) {
    time("first_seen", fields.first_us);
    time("last_seen", fields.last_us);
  }
  number("confidence", fields.confidence);
  text("spoofable", fields.spoofable ? "true" : "false");
  text("technique", fields.technique);
}

void EveWriter::payload(const PayloadFields& fields) {
  core::JsonWriter& json = *json_;
  if (options_.payload) base64_member("payload", fields.payload);
  if (options_.payload_printable) {
    scratch_.clear();
    append_printable(scratch_, fields.payload);
    json.field("payload_printable", scratch_);
  }
  if (options_.payload_length) json.field("payload_length", fields.payload.size());
  if (options_.payload || options_.payload_printable) json.field("stream", fields.from_stream ? 1 : 0);
  if (options_.packet) packet(fields);
}

void EveWriter::packet(const PayloadFields& fields) {
  base64_member("packet", fields.frame);
  json_->key("packet_info").begin_object();
  json_->field("linktype", fields.link_type);
  if (!fields.link_name.empty()) json_->field("linktype_name", fields.link_name);
  json_->end_object();
}

core::JsonWriter& EveWriter::member(std::string_view name) {
  return json_->key(name);
}

std::string_view EveWriter::end() {
  json_->end_object();
  line_ += '\n';
  return line_;
}

void EveWriter::begin_stats(std::int64_t time_us) {
  open(time_us);
  if (!options_.host.empty()) json_->field("host", options_.host);
  json_->field("event_type", "stats");
  json_->key("stats").begin_object();
}

void EveWriter::time_member(core::JsonName name, std::int64_t time_us) {
  json_->put_field(name, [&](char* to) { return core::put_eve_timestamp(to, time_us); });
}

void EveWriter::address_member(core::JsonName name, const core::IpAddress& address) {
  json_->put_field(name, [&](char* to) { return put_address(to, address); });
}

void EveWriter::protocol_member(std::uint8_t protocol) {
  std::array<char, 3> room;
  json_->field("proto", protocol_name(protocol, room));
}

void EveWriter::hex_member(core::JsonName name, std::uint8_t value) {
  constexpr char kHex[] = "0123456789abcdef";
  const char text[2] = {kHex[value >> 4], kHex[value & 15]};
  json_->field(name, std::string_view(text, 2));
}

void EveWriter::base64_member(core::JsonName name, core::ByteView data) {
  scratch_.resize(base64_size(data.size()));
  put_base64(scratch_.data(), data);
  json_->field(name, scratch_);
}

void EveWriter::address_list(std::string_view name, std::span<const core::IpAddress> addresses) {
  json_->key(name).begin_array();
  for (const core::IpAddress& address : addresses) {
    std::array<char, 39> text;
    json_->string(std::string_view(text.data(), put_address(text.data(), address)));
  }
  json_->end_array();
}

}  // namespace gatehouse::ids::alert
