// What threshold, detection_filter and rate_filter leave of a rule's matches.
#pragma once

#include <cstdint>

#include "ids/flow/flow.h"
#include "ids/keywords/rule.h"
#include "ids/state/threshold_counts.h"

namespace gatehouse::ids {

enum class Admission : std::uint8_t {
  alert,
  changed,  // alerts, with the threshold's new action
  quiet,    // enough was said: nobody is told, the rule's action is taken
  below     // not enough matches yet: as if there was none
};

// Counts one match of `rule` and says whether it may alert. The same threshold of the same rule counts on
// after the rules were replaced.
Admission admit(ThresholdCounts& counts, const Rule& rule, const Threshold& threshold, const Packet& packet,
                const Flow* flow);

}  // namespace gatehouse::ids
