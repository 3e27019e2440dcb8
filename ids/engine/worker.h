// One worker: everything a packet goes through, from the frame to the event line. Owns all its state.
#pragma once

#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "ids/anomaly/monitor.h"
#include "ids/capture/source.h"
#include "ids/engine/anomaly_state.h"
#include "ids/engine/contacts.h"
#include "ids/engine/detections.h"
#include "ids/engine/settings.h"
#include "ids/engine/stats.h"
#include "ids/flow/flow_table.h"
#include "ids/flow/packet_path.h"
#include "ids/flow/tcp.h"
#include "ids/match/detector.h"

namespace gatehouse::ids::engine {

// Looks on while rules are decided. Called after each inspection.
class InspectObserver {
 public:
  virtual ~InspectObserver() = default;
  virtual void on_inspected(const Packet& packet, Flow* flow, std::span<const Match> matches) = 0;
};

struct WorkerOptions {
  std::uint8_t number = 0;
  std::string interface;       // empty: a capture file
  FileStore* store = nullptr;  // null: no file is kept
  // Where contacts go instead of to detectors of this worker's own. Used when `shared` is set; may be null.
  anomaly::ObservationSink* contacts = nullptr;
  bool shared = false;
  triage::GuardClient* guard = nullptr;  // null: nobody is asked for bans
  // Packets of a capture file come as they once came: what is found is wanted at once.
  bool paced = false;
};

class Worker : public PacketSink, private PacketHandler, private StreamSink, private FlowEndHandler {
 public:
  // `settings` and `port` must outlive the worker.
  Worker(const Settings& settings, std::shared_ptr<const Engine> engine, OutputPort& port,
         WorkerOptions options);

  // `observer` must outlive the worker.
  void watch(InspectObserver& observer) { observer_ = &observer; }

  void on_packet(const RawPacket& raw) override;
  // No packet came for a while: timers run to `now_us` of the packets' clock.
  void idle(std::int64_t now_us);
  // A new rule set, from the next packet on.
  void replace(std::shared_ptr<const Engine> engine);
  // What its own detectors know is written when it is time; `now`: at once.
  void keep_state(bool now);
  // The capture is over: every flow ends, oldest first.
  void finish();
  void snapshot(StatsSnapshot& out) const;
  // Who is suspected and attacked now, when the detectors are this worker's own.
  std::string top(std::size_t most);
  // How detections are told, when another engine than the worker's says so.
  void use_detection_rules(std::shared_ptr<const Engine> engine) {
    if (detections_) detections_->use(std::move(engine));
  }
  // What rules and literal sets cost since the engine was taken.
  DetectorCosts costs() const { return detector_->costs(); }
  std::int64_t last_packet_us() const { return now_us_; }

 private:
  void on_packet(Packet& packet) override;
  void on_stream(Flow& flow, const StreamChunk& chunk) override;
  void on_stream_event(Flow& flow, const Packet& packet, std::uint16_t event) override;
  void on_flow_end(Flow& flow) override;

  anomaly::ObservationSink* contact_sink();
  void use_rules();  // what else depends on the rules in force
  static bool is_unwanted(const Flow& flow);
  TcpState tcp_packet(Flow& flow, Packet& packet);
  void udp_packet(Flow& flow, const Packet& packet);
  void inspect(Packet& packet, Flow* flow);
  void tell(const Packet& packet, Flow* flow);
  void report(const Packet& packet, Flow* flow);
  bool carried_nothing(const Flow& flow) const;
  void end_direction(Flow& flow, Direction direction);
  Packet end_packet(const Flow& flow, Direction direction) const;
  void inspect_end(Flow& flow, Direction direction);
  static void mark_inspected(Flow& flow, Direction direction);
  void count_app_flow(const Flow& flow);

  const Settings& settings_;
  WorkerOptions options_;
  std::shared_ptr<const Engine> engine_;
  EventLog log_;
  PacketPath path_;
  FlowTable flows_;
  TcpTracker tcp_;
  AppLayer app_;
  std::unique_ptr<Detector> detector_;
  std::optional<Detections> detections_;
  StateKeeper keeper_;
  std::optional<anomaly::Monitor> monitor_;  // null: contacts go elsewhere
  ContactTap tap_;
  std::vector<Match> matches_;            // reused
  std::vector<std::uint64_t> app_flows_;  // by AppProto, failed last
  std::int64_t now_us_ = 0;
  std::uint64_t packets_ = 0, bypassed_ = 0;
  const OutputPort& port_;
  InspectObserver* observer_ = nullptr;
};

}  // namespace gatehouse::ids::engine
