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
  // Time must have been advanced to that of what is told next.
  void advance(std::int64_t now_us) {
    if (now_us > now_us_) now_us_ = now_us;
    if (now_us >= wake_us_) wake();
  }
  // Nobody waits for what is found before the end (a capture at full speed): observations are worked through
  // when a batch of them is there, and else with every tick. What is found is the same.
  void take_your_time() { patient_ = true; }
  // All observations that wait, and time to advance()'s.
  void flush();
  // The capture is over: attacks that still go on end now.
  void finish(std::int64_t now_us);

  // After flush().
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
  static constexpr std::int64_t kTickUs = 50'000, kSecondUs = 1'000'000;
  static constexpr int kMostTicks = 200;
  static constexpr std::size_t kStep = 8;  // observations that are announced together
  void archive(StateArchive& a);
  void take_up(std::int64_t now_us);
  void on_outcome(const Outcome& outcome) override;
  void expect(const Attempt& attempt) override;
  void take(std::span<const Observation> batch) override;
  void set_keys(const Observation& o, Sighting& to) const;
  void prefetch(const Sighting& o) const;
  void announce(std::span<const Observation> some, Sighting* to);
  void see(const Sighting& o);
  void tell_detectors(const Sighting& o) const;
  void look_at(const Sighting& o);
  void wake();
  // All ticks until then that have something to do.
  void pass(std::int64_t now_us);
  std::int64_t next_tick();
  void tick(std::int64_t now_us);
  void count(const Sighting& o, Tally tally);
  void count_outcome(const Outcome& outcome);
  void tally(const Sighting& o);

  AnomalyConfig config_;
  TableSizes sizes_;
  KeyedHash hash_;
  AttackLog log_;
  Successes successes_;
  Roles roles_;
  VictimTable victims_, prefixes_;
  ContactTracker tracker_;
  std::vector<std::unique_ptr<AnomalyDetector>> detectors_;
  std::vector<std::string_view> names_;  // of the detectors
  std::array<std::vector<AnomalyDetector*>, kContacts> by_contact_, ahead_of_contact_;
  std::array<std::vector<AnomalyDetector*>, kResults> by_outcome_;
  std::vector<AnomalyDetector*> ahead_of_outcome_, by_victim_, by_prefix_, by_tick_;
  // On a grid of fixed times, so that it does not matter which packets time is told by.
  std::int64_t next_tick_us_ = INT64_MIN;
  std::int64_t wake_us_ = INT64_MIN, now_us_ = 0;
  std::array<Sighting, 2 * kStep> window_;
  bool patient_ = false;
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
