// Transactions of application protocols and the files they carried.
#include <algorithm>

#include "ids/engine/event_facts.h"
#include "ids/engine/event_log.h"
#include "ids/parsers/dns_transaction.h"

namespace gatehouse::ids::engine {

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
  const ParserDescriptor& parser = parser_of(tx.logged_as(app_flow(flow)->proto));
  if (parser.event_type.empty() || parser.write_log == nullptr || !settings_.eve.enabled(parser.event_type))
    return;
  // A message on its own is told from its sender's side, but for the version 2 layout of DNS.
  const bool one_message = tx.skip_inspect[0] != tx.skip_inspect[1];
  const Direction sender = one_message && tx.skip_inspect[0] ? Direction::to_client : Direction::to_server;
  const bool dns = parser.name == "dns";
  // A lone frame of HTTP/2 is told like its streams.
  const bool stream = parser.name == "http2";
  const bool sender_first = one_message && !stream && !(dns && settings_.eve.log.dns_version == 2);
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
  const ParserDescriptor& parser = parser_of(tx.logged_as(app_flow(flow)->proto));
  if (parser.event_type.empty() || parser.write_log == nullptr) return;
  core::JsonWriter& json = writer_.member(parser.event_type).begin_object();
  parser.write_log(tx, options, json);
  json.end_object();
  if (parser.write_beside != nullptr) parser.write_beside(tx, options, json);
}

}  // namespace gatehouse::ids::engine
