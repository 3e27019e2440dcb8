#include "ids/casetest/match.h"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <utility>

namespace gatehouse::ids::casetest {
namespace {

using core::YamlNode;
using nlohmann::json;
using Test = Condition::Test;

constexpr std::pair<std::string_view, Test> kSuffixes[] = {
    {".__len", Test::length},         {".__find", Test::contains},
    {".__contains", Test::contains},  {".__startswith", Test::starts_with},
    {".__endswith", Test::ends_with}, {".__gt", Test::greater},
    {".__gte", Test::at_least},       {".__lt", Test::less},
    {".__lte", Test::at_most},
};

std::optional<std::vector<Condition::Step>> parse_path(std::string_view text) {
  std::vector<Condition::Step> path;
  while (true) {
    const std::size_t dot = text.find('.');
    std::string_view part = text.substr(0, dot);
    Condition::Step step;
    if (const std::size_t open = part.find('['); open != std::string_view::npos) {
      if (part.back() != ']') return std::nullopt;
      const std::string_view number = part.substr(open + 1, part.size() - open - 2);
      std::size_t element = 0;
      const auto [end, error] = std::from_chars(number.data(), number.data() + number.size(), element);
      if (error != std::errc() || end != number.data() + number.size()) return std::nullopt;
      step.element = element;
      part = part.substr(0, open);
    }
    if (part.empty()) return std::nullopt;
    step.name = part;
    path.push_back(std::move(step));
    if (dot == std::string_view::npos) return path;
    text.remove_prefix(dot + 1);
  }
}

// Null when a step is missing.
const json* lookup(const std::vector<Condition::Step>& path, const json& event) {
  const json* at = &event;
  for (const Condition::Step& step : path) {
    if (!at->is_object()) return nullptr;
    const auto found = at->find(step.name);
    if (found == at->end()) return nullptr;
    at = &*found;
    if (!step.element) continue;
    if (!at->is_array() || *step.element >= at->size()) return nullptr;
    at = &(*at)[*step.element];
  }
  return at;
}

// Numbers by value; 1 also equals true, as flags of event formats come in both spellings.
bool equal(const json& found, const json& expected) {
  if (found.is_boolean() && expected.is_number_integer()) return expected == (found.get<bool>() ? 1 : 0);
  if (found.is_number_integer() && expected.is_boolean()) return found == (expected.get<bool>() ? 1 : 0);
  return found == expected;
}

bool contains(const json& found, const json& expected) {
  if (found.is_string() && expected.is_string())
    return found.get_ref<const std::string&>().find(expected.get_ref<const std::string&>()) !=
           std::string::npos;
  if (!found.is_array()) return false;
  return std::any_of(found.begin(), found.end(), [&](const json& one) { return equal(one, expected); });
}

bool text_edge(const json& found, const json& expected, bool start) {
  if (!found.is_string() || !expected.is_string()) return false;
  const auto& text = found.get_ref<const std::string&>();
  const auto& part = expected.get_ref<const std::string&>();
  if (part.size() > text.size()) return false;
  return text.compare(start ? 0 : text.size() - part.size(), part.size(), part) == 0;
}

bool length_is(const json& found, const json& expected) {
  if (!expected.is_number()) return false;
  if (found.is_string()) return expected == found.get_ref<const std::string&>().size();
  return (found.is_array() || found.is_object()) && expected == found.size();
}

std::string_view test_name(Test test) {
  switch (test) {
    case Test::equals:
      return "is";
    case Test::length:
      return "has length";
    case Test::contains:
      return "contains";
    case Test::starts_with:
      return "starts with";
    case Test::ends_with:
      return "ends with";
    case Test::greater:
      return ">";
    case Test::at_least:
      return ">=";
    case Test::less:
      return "<";
    case Test::at_most:
      return "<=";
    case Test::present:
      return "is there";
    case Test::absent:
      return "is missing";
  }
  return {};
}

void add_presence(Check& check, const YamlNode& value, Test test, core::Diagnostics& diagnostics) {
  const auto add = [&](const YamlNode& node) {
    const auto path = parse_path(node.text);
    if (!node.is_scalar() || !path) {
      diagnostics.error("bad-path", node.where, "expected the path of a member, like `http.hostname`");
      return;
    }
    check.conditions.push_back({*path, test, nullptr});
  };
  if (!value.is_sequence()) return add(value);
  for (const YamlNode& item : value.items) add(item);
}

void add_condition(Check& check, const YamlNode& key, const YamlNode& value, core::Diagnostics& diagnostics) {
  if (key.text == "has-key") return add_presence(check, value, Test::present, diagnostics);
  if (key.text == "not-has-key") return add_presence(check, value, Test::absent, diagnostics);
  Condition condition;
  std::string_view name = key.text;
  for (const auto& [suffix, test] : kSuffixes) {
    if (name.size() <= suffix.size() || name.substr(name.size() - suffix.size()) != suffix) continue;
    condition.test = test;
    name.remove_suffix(suffix.size());
    break;
  }
  if (name.find(".__") != std::string_view::npos) {
    diagnostics.error("bad-path", key.where, fmt::format("`{}` ends in no known test", key.text)).hint =
        "tests are __len __contains __startswith __endswith __gt __gte __lt __lte";
    return;
  }
  auto path = parse_path(name);
  if (!path) {
    diagnostics.error("bad-path", key.where, fmt::format("`{}` is no path of a member", key.text));
    return;
  }
  condition.path = std::move(*path);
  condition.value = to_json(value);
  check.conditions.push_back(std::move(condition));
}

}  // namespace

json to_json(const YamlNode& node) {
  switch (node.kind) {
    case YamlNode::Kind::null:
      return nullptr;
    case YamlNode::Kind::sequence: {
      json list = json::array();
      for (const YamlNode& item : node.items) list.push_back(to_json(item));
      return list;
    }
    case YamlNode::Kind::mapping: {
      json object = json::object();
      for (std::size_t i = 0; i < node.keys.size(); ++i) object[node.keys[i].text] = to_json(node.items[i]);
      return object;
    }
    case YamlNode::Kind::scalar:
      break;
  }
  if (!node.quoted) {
    // What is written like a JSON number, true, false or null is one.
    json value = json::parse(node.text, nullptr, false);
    if (!value.is_discarded() && value.is_primitive() && !value.is_string()) return value;
  }
  return node.text;
}

Check read_check(const YamlNode& node, core::Diagnostics& diagnostics) {
  Check check;
  check.where = node.where;
  core::MapReader map(node, "a check", diagnostics);
  map.required("count");
  check.count = map.uint("count", 0, 0, 1'000'000'000);
  const YamlNode* match = map.required("match");
  map.finish();
  if (match == nullptr) return check;
  if (!match->is_map() || match->keys.empty()) {
    diagnostics.error("bad-value", match->where, "`match` must name at least one member of the event");
    return check;
  }
  check.text = to_json(*match).dump();
  for (std::size_t i = 0; i < match->keys.size(); ++i)
    add_condition(check, match->keys[i], match->items[i], diagnostics);
  return check;
}

bool holds(const Condition& condition, const json& event) {
  const json* found = lookup(condition.path, event);
  const bool there = found != nullptr && !found->is_null();
  const json& expected = condition.value;
  switch (condition.test) {
    case Test::present:
      return there;
    case Test::absent:
      return !there;
    case Test::equals:
      return there ? equal(*found, expected) : expected.is_null();
    case Test::length:
      return there && length_is(*found, expected);
    case Test::contains:
      return there && contains(*found, expected);
    case Test::starts_with:
      return there && text_edge(*found, expected, true);
    case Test::ends_with:
      return there && text_edge(*found, expected, false);
    case Test::greater:
      return there && found->is_number() && expected.is_number() && *found > expected;
    case Test::at_least:
      return there && found->is_number() && expected.is_number() && *found >= expected;
    case Test::less:
      return there && found->is_number() && expected.is_number() && *found < expected;
    case Test::at_most:
      return there && found->is_number() && expected.is_number() && *found <= expected;
  }
  return false;
}

std::uint64_t count_matching(const Check& check, const std::vector<json>& events) {
  std::uint64_t count = 0;
  for (const json& event : events) {
    const bool all = std::all_of(check.conditions.begin(), check.conditions.end(),
                                 [&](const Condition& c) { return holds(c, event); });
    if (all) ++count;
  }
  return count;
}

Nearest nearest(const Check& check, const std::vector<json>& events) {
  Nearest best;
  std::size_t most = 0;
  for (const json& event : events) {
    std::size_t held = 0;
    const Condition* failed = nullptr;
    for (const Condition& condition : check.conditions) {
      if (holds(condition, event)) {
        ++held;
      } else if (failed == nullptr) {
        failed = &condition;
      }
    }
    if (failed == nullptr || (best.event != nullptr && held <= most)) continue;
    most = held;
    best = {&event, failed};
  }
  return best;
}

std::string describe(const Condition& condition) {
  std::string path;
  for (const Condition::Step& step : condition.path) {
    if (!path.empty()) path += '.';
    path += step.name;
    if (step.element) path += fmt::format("[{}]", *step.element);
  }
  if (condition.test == Test::present || condition.test == Test::absent)
    return fmt::format("{} {}", path, test_name(condition.test));
  return fmt::format("{} {} {}", path, test_name(condition.test), condition.value.dump());
}

}  // namespace gatehouse::ids::casetest
