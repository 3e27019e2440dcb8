// What rules remember about a flow besides its flowbits. Most flows have none.
#pragma once

#include <algorithm>
#include <vector>

#include "ids/flow/flow.h"
#include "ids/state/tags.h"

namespace gatehouse::ids {

// Hangs on Flow::variables.
class FlowVariables : public FlowAttachment {
 public:
  struct Int {
    std::uint32_t name = 0;  // RuleResources::flowints
    std::uint32_t value = 0;
  };
  std::vector<Int> ints;  // by name; as many as the rules have names
  SessionTags tags;

  const Int* find(std::uint32_t name) const {
    const auto place = std::lower_bound(ints.begin(), ints.end(), name,
                                        [](const Int& i, std::uint32_t n) { return i.name < n; });
    return place != ints.end() && place->name == name ? &*place : nullptr;
  }
  void set(std::uint32_t name, std::uint32_t value) {
    const auto place = std::lower_bound(ints.begin(), ints.end(), name,
                                        [](const Int& i, std::uint32_t n) { return i.name < n; });
    if (place != ints.end() && place->name == name) {
      place->value = value;
    } else {
      ints.insert(place, {name, value});
    }
  }
};

inline FlowVariables* flow_variables(const Flow& flow) {
  return flow.extras == nullptr ? nullptr : static_cast<FlowVariables*>(flow.extras->variables.get());
}
inline FlowVariables& make_flow_variables(Flow& flow) {
  if (flow_variables(flow) == nullptr) flow.extra().variables = std::make_unique<FlowVariables>();
  return *flow_variables(flow);
}

}  // namespace gatehouse::ids
