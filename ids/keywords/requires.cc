#include "ids/keywords/requires.h"

#include <array>
#include <charconv>

#include "ids/keywords/values.h"

namespace gatehouse::ids {
namespace {

using Version = std::array<unsigned, 3>;

// The level of the rule language this version speaks, as rule files number it.
constexpr Version kLanguage = {8, 0, 0};

bool parse_version(std::string_view text, Version& out) {
  out = {};
  std::size_t part = 0;
  while (!text.empty()) {
    if (part == out.size()) return false;
    const auto [end, failure] = std::from_chars(text.data(), text.data() + text.size(), out[part++]);
    if (failure != std::errc{}) return false;
    text.remove_prefix(static_cast<std::size_t>(end - text.data()));
    if (text.empty()) return true;
    if (text[0] != '.') return false;
    text.remove_prefix(1);
  }
  return false;
}

bool compare(std::string_view op, const Version& wanted, bool& known) {
  known = true;
  if (op == ">=") return kLanguage >= wanted;
  if (op == ">") return kLanguage > wanted;
  if (op == "<=") return kLanguage <= wanted;
  if (op == "<") return kLanguage < wanted;
  known = false;
  return false;
}

// ">= 7.0.3 < 8": all must hold. False in `good` when it cannot be read.
bool check_range(std::string_view text, bool& good) {
  bool holds = true;
  std::size_t at = 0;
  bool any = false;
  while (good) {
    at = text.find_first_not_of(" \t", at);
    if (at == std::string_view::npos) break;
    const std::size_t op_end = text.find_first_not_of("<>=", at);
    if (op_end == std::string_view::npos) {
      good = false;
      break;
    }
    const std::size_t start = text.find_first_not_of(" \t", op_end);
    const std::size_t end =
        start == std::string_view::npos ? start : std::min(text.find_first_of(" \t<>=", start), text.size());
    Version wanted;
    bool known = false;
    if (start == std::string_view::npos || !parse_version(text.substr(start, end - start), wanted)) {
      good = false;
      break;
    }
    holds = compare(text.substr(at, op_end - at), wanted, known) && holds;
    good = known;
    any = true;
    at = end;
  }
  good = good && any;
  return holds;
}

bool check_version(std::string_view text, bool& good) {
  bool holds = false;
  for (const Part& range : split(text, '|')) holds = check_range(range.text, good) || holds;
  return holds;
}

Requirement check_one(RuleBuilder& builder, const lang::RuleOption& option) {
  for (const Part& part : split(option.value, ',')) {
    const std::size_t blank = std::min(part.text.find_first_of(" \t"), part.text.size());
    const std::string_view key = part.text.substr(0, blank);
    const Part value = trim({part.text.substr(blank), part.at + blank});
    bool holds = false;
    bool good = !value.text.empty();
    if (key == "version") {
      holds = check_version(value.text, good);
    } else if (key == "keyword") {
      holds = find_keyword(value.text) != nullptr || find_buffer(value.text).has_value();
    }
    // There are no features. A requirement of another kind is one this version does not meet.
    if (!good) {
      builder
          .error_at(option, part.at, part.text.size(), "requires-syntax", "this requirement cannot be read")
          .hint = "version >= 7.0.3 < 8 | >= 9, feature <name>, keyword <name>";
      return Requirement::malformed;
    }
    if (!holds) return Requirement::unmet;
  }
  return Requirement::met;
}

}  // namespace

Requirement check_requirements(RuleBuilder& builder) {
  for (const lang::RuleOption& option : builder.ast.options) {
    if (option.name != "requires") continue;
    const Requirement result = check_one(builder, option);
    if (result != Requirement::met) return result;
  }
  return Requirement::met;
}

}  // namespace gatehouse::ids
