// From what the engine knows (packets, flows, transactions, matches) to event lines. One per worker.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "ids/alert/eve_writer.h"
#include "ids/anomaly/detection.h"
#include "ids/engine/output.h"
#include "ids/engine/settings.h"
#include "ids/match/detector.h"
#include "ids/triage/desk.h"
#include "ids/triage/responder.h"

namespace gatehouse::ids::engine {

struct EventCounters {
  std::uint64_t alerts = 0, anomalies = 0, transactions = 0, files = 0, flows = 0, detections = 0;
};

class EventLog {
 public:
  // `settings` and `port` must outlive it. `interface` is empty for capture files.
  EventLog(const Settings& settings, OutputPort& port, std::string interface);

  // Names of the bits and counters of flows; must outlive the next call.
  void use_names(const RuleList& rules) {
    flowbit_names_ = &rules.flowbit_names;
    flowint_names_ = &rules.flowint_names;
    magic_ = settings_.files.needs.magic || rules.file_needs.magic;
  }
  // Every packet, before anything is told of it.
  void note(const Packet& packet, Flow* flow);
  // `passed`: a pass rule has let the packet go.
  void alert(const Packet& packet, const Flow* flow, const Match& match, bool passed);
  // What regexes took of the packet at hand, for its alerts and metadata(); empty again before the next.
  void use_captures(std::span<const Capture> captures) { packet_captures_ = captures; }
  // The packet's captures and all its flow carries, as an event of its own.
  void metadata(const Packet& packet, const Flow* flow);
  // A packet that a tag asks for.
  void tagged_packet(const Packet& packet, const Flow* flow);
  void arp(const Packet& packet);
  // A TCP packet and its session, which was in state `before`.
  void stream_packet(const Packet& packet, const Flow& flow, TcpState before);
  bool wants_arp() const { return arp_; }
  bool wants_stream_packets() const { return stream_packets_; }
  void decode_events(const Packet& packet, const Flow* flow);
  void stream_events(const Packet& packet, const Flow* flow);
  // Everything of the flow's application layer that is due: anomalies, transactions, files. `last`:
  // the flow ends, whatever is still open is due.
  void application(const Packet& packet, Flow& flow, bool last);
  void flow_end(const Flow& flow);
  // As the desk decided to tell it.
  void detection(const anomaly::Detection& detection, const triage::Decision& decision);
  // What the response policy decided about a source of it.
  void ban(const anomaly::Detection& detection, const triage::Ban& ban);
  const EventCounters& counters() const { return counters_; }

 private:
  alert::EventHeader packet_header(const Packet& packet, const Flow* flow) const;
  alert::EventHeader flow_header(const Flow& flow, const Packet& packet, Direction from) const;
  void common(alert::EventHeader& header, const Packet& packet, const Flow* flow) const;
  alert::FlowFields flow_fields(const Flow& flow) const;
  void anomaly_line(const alert::EventHeader& header, const alert::AnomalyFields& fields,
                    const Packet& packet);
  void app_anomalies(const Packet& packet, Flow& flow, const Transaction* tx,
                     std::span<const AppEvent> events, std::span<const std::string_view> names,
                     std::string_view layer);
  void transaction(const Packet& packet, const Flow& flow, const Transaction& tx);
  ByteView held_stream(const Flow& flow, Direction direction);
  const Transaction* transaction_of(const Packet& packet, const Flow* flow, const Match& match,
                                    bool& guessed) const;
  void netflow(const Flow& flow, Direction direction);
  void flowbits(const Flow* flow);
  void flow_app_protos(const Flow& flow);
  void files(const Packet& packet, const Flow& flow, Transaction& tx, bool last);
  void files_of_alert(const Transaction& tx, Direction direction);
  void protocol_object(const Flow& flow, const Transaction& tx, const LogOptions& options);
  bool wants_dns(const Transaction& tx, Direction sender, unsigned record) const;
  bool live() const { return !interface_.empty(); }

  const Settings& settings_;
  OutputPort& port_;
  std::string interface_;
  alert::EveWriter writer_;
  EventCounters counters_;
  std::string scratch_;
  bool magic_ = false;                      // tell the types of files
  std::vector<std::uint8_t> stream_bytes_;  // of an alert's payload
  const std::vector<std::string>* flowbit_names_ = nullptr;
  const std::vector<std::string>* flowint_names_ = nullptr;
  std::span<const Capture> packet_captures_;
  LogOptions alert_options_;     // of protocol objects inside alerts
  alert::TunnelFields carrier_;  // the outermost packet of the frame being worked on
  // Decided once: looked up for every packet otherwise.
  bool alerts_, anomalies_, flows_, files_, netflows_, arp_, stream_packets_, metadata_;
};

// "stream (flow timeout)", "wire/pcap" ...: EVE pkt_src.
std::string_view packet_source_name(const Packet& packet);

}  // namespace gatehouse::ids::engine
