// Runs frames through one worker and hands back its events. For tests.
#pragma once

#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "ids/decode/testing/packet_builder.h"
#include "ids/engine/settings.h"

namespace gatehouse::ids::testing {

struct Replay {
  std::vector<nlohmann::json> events;
  core::Diagnostics diagnostics;  // of settings and rules
  std::size_t rules_failed = 0;

  std::vector<nlohmann::json> of_type(std::string_view event_type) const;
  // signature_id of the alerts with generator 1, in order.
  std::vector<int> sids() const;
};

// `rules`: the text of a rule file. `config`: YAML as for --config; empty: the defaults.
Replay replay(const std::vector<Frame>& frames, std::string_view rules = {}, std::string_view config = {});

}  // namespace gatehouse::ids::testing
