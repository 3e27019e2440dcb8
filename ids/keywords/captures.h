// Byte strings that regexes take out of the traffic under a name: `pcre:"/(?P<flow_agent>.+)/"`.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "ids/flow/flow.h"

namespace gatehouse::ids {

// How long a capture lives: as long as its packet is inspected, its flow, or in one alert alone.
enum class CaptureScope : std::uint8_t { packet, flow, alert };

// What a regex does with a group.
struct CaptureTarget {
  CaptureScope scope = CaptureScope::packet;
  unsigned group = 1;
  unsigned name_group = 0;  // not 0: this group holds the name
  std::string name;
};

struct Capture {
  CaptureScope scope = CaptureScope::packet;
  std::string name, value;
};

inline constexpr std::size_t kMaxCaptureBytes = 65535;  // of one value; longer ones are cut
inline constexpr std::size_t kMaxFlowCaptures = 64;     // names one flow keeps; further ones are dropped

// The value of `name` among captures, or null.
template <class Captures>
const std::string* find_capture(const Captures& captures, std::string_view name) {
  for (const Capture& capture : captures) {
    if (capture.name == name) return &capture.value;
  }
  return nullptr;
}

// Hangs on Flow::captures once a rule with a flow capture matched. A name taken again gets the new
// value and keeps its place.
class FlowCaptures : public FlowAttachment {
 public:
  std::vector<Capture> values;

  void keep(const Capture& capture) {
    for (Capture& known : values) {
      if (known.name != capture.name) continue;
      known.value = capture.value;
      return;
    }
    if (values.size() < kMaxFlowCaptures) values.push_back(capture);
  }
};

inline FlowCaptures* flow_captures(const Flow& flow) {
  return flow.extras == nullptr ? nullptr : static_cast<FlowCaptures*>(flow.extras->captures.get());
}

}  // namespace gatehouse::ids
