// Flow and netflow events, and what else is told of a flow.
#include "ids/engine/event_facts.h"
#include "ids/engine/event_log.h"
#include "ids/flow/tcp.h"
#include "ids/state/flow_variables.h"

namespace gatehouse::ids::engine {
namespace {

// A TCP flow whose handshake we did not see: followed all the same, or not.
bool begun_unseen(const Flow& flow) {
  if (flow.key.protocol != kProtoTcp) return false;
  if (flow.tcp != nullptr) return flow.tcp->midstream();
  return ((flow.tcp_flags[0] | flow.tcp_flags[1]) & kTcpAck) != 0;
}

void write_captures(core::JsonWriter& json, std::string_view key, std::span<const Capture> captures) {
  json.key(key).begin_array();
  for (const Capture& capture : captures) json.begin_object().field(capture.name, capture.value).end_object();
  json.end_array();
}

}  // namespace

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

// Bits named traffic/id/X and traffic/label/X say what the flow is: they have an object of their own.
// `flow` is null for packets without one.
void EventLog::flowbits(const Flow* flow) {
  constexpr std::string_view kId = "traffic/id/";
  constexpr std::string_view kLabel = "traffic/label/";
  const auto each = [&](auto&& use) {
    if (flow == nullptr || flowbit_names_ == nullptr) return;
    for (const std::uint32_t bit : flow->flowbits()) {
      if (bit < flowbit_names_->size()) use(std::string_view((*flowbit_names_)[bit]));
    }
  };
  unsigned plain = 0, ids = 0, labels = 0;
  each([&](std::string_view name) {
    ++(name.starts_with(kId) ? ids : name.starts_with(kLabel) ? labels : plain);
  });
  const FlowVariables* variables = flow == nullptr ? nullptr : flow_variables(*flow);
  const bool has_ints = flowint_names_ != nullptr && variables != nullptr && !variables->ints.empty();
  const FlowCaptures* captures = flow == nullptr ? nullptr : flow_captures(*flow);
  if (plain != 0 || has_ints || captures != nullptr || !packet_captures_.empty()) {
    core::JsonWriter& json = writer_.member("metadata").begin_object();
    if (plain != 0) {
      json.key("flowbits").begin_array();
      each([&](std::string_view name) {
        if (!name.starts_with(kId) && !name.starts_with(kLabel)) json.string(name);
      });
      json.end_array();
    }
    if (captures != nullptr) write_captures(json, "flowvars", captures->values);
    if (!packet_captures_.empty()) write_captures(json, "pktvars", packet_captures_);
    if (has_ints) {
      json.key("flowints").begin_object();
      for (const FlowVariables::Int& i : variables->ints) {
        if (i.name < flowint_names_->size()) json.field((*flowint_names_)[i.name], i.value);
      }
      json.end_object();
    }
    json.end_object();
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
  if (!app->expected.empty() && app->expected != app_proto_name(app->proto))
    writer_.member("app_proto_expected").string(app->expected);
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
  fields.state = flow.bypassed ? "bypassed" : to_string(flow.state);
  fields.reason = to_string(flow.end_reason);
  fields.alerted = flow.alerted;
  fields.action = flow.drop ? "drop" : flow.pass ? "pass" : "";
  if (const AppFlow* app = app_flow(flow); app != nullptr && app->session != nullptr)
    fields.transactions = app->session->transaction_count();
  if (begun_unseen(flow)) fields.exception_target = "stream_midstream";
  if (header.has_icmp && flow.counters[1].packets != 0) {
    header.has_icmp_response = true;
    header.icmp_response_type = flow.icmp_type[1];
    header.icmp_response_code = flow.icmp_code[1];
  }
  writer_.begin(header);
  flow_app_protos(flow);
  if (const FlowFacts* facts = flow_facts(flow); facts != nullptr && settings_.eve.options.ethernet)
    writer_.ether_lists(facts->macs[0].all(), facts->macs[1].all());
  writer_.flow(fields);
  flowbits(&flow);
  if (flow.key.protocol == kProtoTcp) {
    alert::TcpFields tcp;
    tcp.flags_to_server = flow.tcp_flags[0];
    tcp.flags_to_client = flow.tcp_flags[1];
    if (flow.tcp != nullptr) {
      tcp.state = to_string(flow.tcp->state());
      tcp.regions_to_server = flow.tcp->peer(Direction::to_server).held().most_regions();
      tcp.regions_to_client = flow.tcp->peer(Direction::to_client).held().most_regions();
    }
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
  const FlowFacts& facts = *flow_facts(flow);
  writer_.begin(header);
  if (settings_.eve.options.ethernet) writer_.ether_lists(facts.macs[side].all(), facts.macs[1 - side].all());
  writer_.netflow({flow.counters[side].packets, flow.counters[side].bytes, flow.first_us, flow.last_us,
                   facts.min_ttl[side], facts.max_ttl[side]});
  flowbits(&flow);
  if (flow.key.protocol == kProtoTcp) writer_.tcp_one_way(flow.tcp_flags[side]);
  port_.write(EventKind::flow, writer_.end());
}

}  // namespace gatehouse::ids::engine
