// The contract of a scan or flood detector: one .cc file exports one AnomalyDescriptor, registered by
// gatehouse_add_detector(NAME): row NAME means `extern const AnomalyDescriptor detector_NAME`.
#pragma once

#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "ids/anomaly/observation.h"

namespace gatehouse::ids::anomaly {

struct AnomalyConfig {
  bool scan = true, flood = true;
  std::uint32_t scan_ports = 20;  // distinct failing ports of one host: vertical
  std::uint32_t scan_hosts = 15;  // distinct failing hosts on one port: horizontal
  std::int64_t scan_window_us = 60'000'000;
  std::uint32_t flood_syn_per_second = 200;  // uncompleted handshakes at one victim
  std::int64_t flood_window_us = 2'000'000;
  // Memory is bounded by these counts alone, whatever the traffic.
  std::uint32_t max_sources = 65'536;  // rounded up to a power of two
  std::uint32_t max_victims = 8'192;
  std::uint64_t hash_seed = 0;  // 0: random, so that nobody can aim at one bucket
};

// One finding. Views and spans live during the call.
struct Detection {
  std::uint32_t sid = 0;   // see sids.h
  std::string_view klass;  // "scan.syn.vertical"
  std::string_view message;
  std::uint8_t severity = 2;  // 1 is worst
  std::int64_t time_us = 0;
  IpAddress source, target;       // the one that stands for all; version 0: none
  std::uint16_t target_port = 0;  // 0: none or many
  std::uint8_t protocol = 6;
  std::span<const IpAddress> sources, targets;
  std::uint64_t sources_total = 0, targets_total = 0;
  std::span<const std::pair<std::string_view, std::uint64_t>> evidence;
  std::int64_t window_us = 0;
  double confidence = 0;
  std::uint32_t update = 0;  // 0: first event of this attack
};

class DetectionSink {
 public:
  virtual ~DetectionSink() = default;
  virtual void on_detection(const Detection& detection) = 0;
};

class AnomalyDetector {
 public:
  virtual ~AnomalyDetector() = default;
  virtual void observe(const Observation& observation, DetectionSink& sink) = 0;
  // Time has come to `now_us`; called at least once per second of packet time, before observe().
  virtual void tick(std::int64_t now_us, DetectionSink& sink) = 0;
};

struct AnomalyDescriptor {
  std::string_view name;
  std::string_view summary;
  // Null when the configuration switches it off.
  std::unique_ptr<AnomalyDetector> (*make)(const AnomalyConfig& config) = nullptr;
};

std::span<const AnomalyDescriptor* const> detector_table();

// All detectors of one worker. Time comes from the packets: hours may pass between two of them, and
// it never runs backwards here.
class Monitor {
 public:
  Monitor(const AnomalyConfig& config, DetectionSink& sink);
  void observe(const Observation& observation);
  void advance(std::int64_t now_us) {
    if (now_us >= next_tick_us_) tick(now_us);
  }

 private:
  static constexpr std::int64_t kTickUs = 100'000;
  void tick(std::int64_t now_us);

  std::vector<std::unique_ptr<AnomalyDetector>> detectors_;
  DetectionSink& sink_;
  std::int64_t next_tick_us_ = INT64_MIN;
};

}  // namespace gatehouse::ids::anomaly
