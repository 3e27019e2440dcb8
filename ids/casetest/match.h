// Which events a check means: members of an EVE event compared with what is expected.
#pragma once

#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <vector>

#include "core/diag.h"
#include "core/yaml.h"

namespace gatehouse::ids::casetest {

// One line of a `match`: a path into the event, a test, a value.
struct Condition {
  enum class Test : std::uint8_t {
    equals,
    length,  // of a text or list
    contains,
    starts_with,
    ends_with,
    greater,
    at_least,
    less,
    at_most,
    present,  // the path is there and not null
    absent,
  };
  struct Step {
    std::string name;
    std::optional<std::size_t> element;  // name[element]
  };
  std::vector<Step> path;
  Test test = Test::equals;
  nlohmann::json value;
};

// `count` events must satisfy all of `conditions`.
struct Check {
  std::uint64_t count = 0;
  std::vector<Condition> conditions;
  core::SourcePos where;
  std::string text;  // for messages
};

// Reads {count: N, match: {PATH: VALUE, PATH.__contains: TEXT, has-key: PATH, ...}}.
Check read_check(const core::YamlNode& node, core::Diagnostics& diagnostics);

// A scalar as JSON: quoted text stays text; true, false, null and numbers are what they look like.
nlohmann::json to_json(const core::YamlNode& node);

bool holds(const Condition& condition, const nlohmann::json& event);
// How many of `events` satisfy the check.
std::uint64_t count_matching(const Check& check, const std::vector<nlohmann::json>& events);

// The event that satisfies most conditions, and the first one it fails: what to show when a check
// fails for want of events.
struct Nearest {
  const nlohmann::json* event = nullptr;  // null: there are no events
  const Condition* failed = nullptr;
};
Nearest nearest(const Check& check, const std::vector<nlohmann::json>& events);
std::string describe(const Condition& condition);

}  // namespace gatehouse::ids::casetest
