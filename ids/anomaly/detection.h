// One finding as it leaves the detectors, and who takes it.
#pragma once

#include <array>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <utility>

#include "ids/anomaly/classes.h"
#include "ids/anomaly/observation.h"

namespace gatehouse::ids::anomaly {

enum class Phase : std::uint8_t { start, update, end };
std::string_view to_string(Phase phase);

using Figure = std::pair<std::string_view, std::uint64_t>;  // a name that lives forever, and a count

// Views and spans live during the call.
struct Detection {
  Verdict verdict = Verdict::scan_vertical;
  Phase phase = Phase::start;
  std::uint64_t id = 0;      // the same for all events of one attack
  std::uint64_t packet = 0;  // number of the packet that decided it; 0: time did
  std::int64_t time_us = 0;  // of this event; of the last evidence when it ends
  std::int64_t first_us = 0, last_us = 0;
  IpAddress source, target;       // the one that stands for all; version 0: none
  std::uint16_t target_port = 0;  // 0: none or many
  std::uint8_t protocol = 6;
  std::span<const IpAddress> sources, targets;
  // All of them are of one network, which `source` (`target`) has so many bits in common with; 0: no.
  std::uint8_t source_bits = 0, target_bits = 0;
  std::uint64_t sources_total = 0, targets_total = 0;
  std::span<const Figure> evidence;
  std::span<const Figure> limits;  // what figures of `evidence` had to reach
  std::string_view reason;         // one sentence: why, and what would have prevented it
  std::int64_t window_us = 0;
  double confidence = 0;
  std::uint32_t update = 0;  // 0: first event of this attack
};

class DetectionSink {
 public:
  virtual ~DetectionSink() = default;
  virtual void on_detection(const Detection& detection) = 0;
  // Did whoever reads the events hear of attack `id`? And: in a run before this one they did.
  virtual bool told(std::uint64_t /*id*/) const { return true; }
  virtual void was_told(std::uint64_t /*id*/) {}
};

}  // namespace gatehouse::ids::anomaly
