// All detectors and what they share: contacts in, detections out. Time comes from the packets: hours may pass
// between two of them, and it never runs backwards here.
#pragma once

#include <array>
#include <memory>
#include <string>
#include <vector>

#include "ids/anomaly/detector.h"

namespace gatehouse::ids::anomaly {

class Monitor : public ObservationSink, private OutcomeSink {
 public:
  // `sink` must outlive it.
  Monitor(const AnomalyConfig& config, DetectionSink& sink);
  Monitor(const Monitor&) = delete;
  Monitor& operator=(const Monitor&) = delete;

  // False: no detector is on, nothing needs to be observed.
  bool wanted() const { return !detectors_.empty(); }
  // Time must have been advanced to the observation's.
  void on_observation(const Observation& observation) override;
  void advance(std::int64_t now_us) {
    if (now_us > now_us_) now_us_ = now_us;
    if (now_us >= next_tick_us_) catch_up(now_us);
  }
  // Observations wait for a few others; now they do not.
  void flush();
  // The capture is over: attacks that still go on end now.
  void finish(std::int64_t now_us);

  void describe(MonitorView& view) const;
  // Everything that is known goes on in another Monitor with the same settings: attacks under way do not end.
  // The content of a state file; empty when nothing was observed, or what restore() took was set aside.
  std::string suspend(std::int64_t now_us);
  // As suspend(), but it goes on here.
  std::string save();
  // Takes up the content of a state file with the first packet, unless that is older than the state: a
  // capture of before says nothing to it. A file that does not fit or is damaged is an error and changes
  // nothing.
  core::Status restore(std::string content);

  // What the tables take, all of it from the start.
  std::uint64_t memory_bytes() const;
  const AttackLog& log() const { return log_; }

 private:
  static constexpr std::int64_t kTickUs = 50'000, kEndUs = 1'000'000;
  static constexpr int kMostTicks = 200;
  // So many are looked at in one go: the code stays in the cache, and what one needs of the tables comes
  // while the others before it are looked at. It changes nothing: time does not tick meanwhile.
  static constexpr std::size_t kBatch = 32, kAhead = 8;
  struct Waiting {
    Observation observation;
    std::uint64_t network_key = 0;
  };
  void archive(StateArchive& a);
  void take_up(std::int64_t now_us);
  void on_outcome(const Outcome& outcome) override;
  void prepare(Waiting& w);
  void see(const Waiting& w);
  void catch_up(std::int64_t now_us);
  void take(const Observation& o, std::uint64_t network_key);
  void tick(std::int64_t now_us);
  void count(const Observation& o, std::uint64_t network_key, Tally tally);
  void count_outcome(const Outcome& outcome);
  void tally(const Observation& o, std::uint64_t network_key);

  AnomalyConfig config_;
  TableSizes sizes_;
  KeyedHash hash_;
  AttackLog log_;
  Successes successes_;
  VictimTable victims_, prefixes_;
  ContactTracker tracker_;
  std::vector<std::unique_ptr<AnomalyDetector>> detectors_;
  std::vector<std::string_view> names_;  // of the detectors
  std::array<std::vector<AnomalyDetector*>, kContacts> by_contact_;
  std::vector<AnomalyDetector*> by_outcome_, by_victim_, by_prefix_, by_tick_;
  std::array<Waiting, kBatch> waiting_;
  std::size_t waiting_count_ = 0;
  std::int64_t next_tick_us_ = INT64_MIN, now_us_ = 0;
  std::int64_t ended_us_ = 0;
  std::string restored_;  // a state file, until the first packet
  std::int64_t restored_us_ = 0, flows_gone_until_us_ = 0;
  bool set_aside_ = false;
  std::uint32_t left_out_ = 0;  // a bit for each Result
};

// Names of Result, in its order.
std::span<const std::string_view> result_names();
// A detector or a result: what AnomalyConfig::without may list.
bool can_be_left_out(std::string_view name);

// Sizes whose tables fit into `memory_bytes`.
TableSizes table_sizes(std::uint64_t memory_bytes);
std::uint64_t table_bytes(const TableSizes& sizes);

}  // namespace gatehouse::ids::anomaly
