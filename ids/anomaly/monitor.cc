#include "ids/anomaly/detector.h"

namespace gatehouse::ids::anomaly {

Monitor::Monitor(const AnomalyConfig& config, DetectionSink& sink) : sink_(sink) {
  for (const AnomalyDescriptor* descriptor : detector_table()) {
    if (auto detector = descriptor->make(config)) detectors_.push_back(std::move(detector));
  }
}

void Monitor::observe(const Observation& observation) {
  for (const auto& detector : detectors_) detector->observe(observation, sink_);
}

void Monitor::tick(std::int64_t now_us) {
  next_tick_us_ = now_us + kTickUs;
  for (const auto& detector : detectors_) detector->tick(now_us, sink_);
}

}  // namespace gatehouse::ids::anomaly
