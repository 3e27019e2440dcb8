// Anomalies: what the decoder, reassembly and the parsers found odd.
#include <algorithm>
#include <utility>

#include "ids/decode/events.h"
#include "ids/engine/event_facts.h"
#include "ids/engine/event_log.h"
#include "ids/flow/stream_events.h"

namespace gatehouse::ids::engine {
namespace {

// Does the field write the events of this name in capitals?
bool in_capitals(std::string_view prefix) {
  const AppProto owner = find_parser(prefix);
  return prefix == "applayer" || (owner != kAppUnknown && parser_of(owner).upper_case_events);
}

}  // namespace

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
    if (in_capitals(prefix)) {
      for (char& c : scratch_) c = c >= 'a' && c <= 'z' ? static_cast<char>(c - 'a' + 'A') : c;
    }
    anomaly_line(header, {"applayer", scratch_, layer, app_proto}, packet);
  }
}

}  // namespace gatehouse::ids::engine
