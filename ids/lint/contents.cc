// Contents and byte tests that contradict each other or the bytes they are looked for in.
#include <algorithm>
#include <charconv>

#include "ids/keywords/values.h"
#include "ids/lint/checks.h"

namespace gatehouse::ids::lint {
namespace {

bool at_start(const ContentOp& c) {
  if (c.negated) return false;
  if (c.startswith) return true;
  const bool from_zero = !c.has_offset || (c.offset.slot < 0 && c.offset.literal == 0);
  return from_zero && c.has_depth && c.depth.slot < 0 &&
         c.depth.literal == static_cast<std::int64_t>(c.pattern.size()) && !c.has_distance && !c.has_within;
}

bool same(char a, char b, bool fold) {
  const auto lower = [](char c) { return static_cast<char>(c >= 'A' && c <= 'Z' ? c + 32 : c); };
  return fold ? lower(a) == lower(b) : a == b;
}

void check_starts(const LintedRule& linted, const BufferMatch& list) {
  const ContentOp* first = nullptr;
  for (const BufferOp& op : list.ops) {
    if (op.kind() != BufferOp::Kind::content || !at_start(op.content)) continue;
    if (first == nullptr) {
      first = &op.content;
      continue;
    }
    const std::size_t shared = std::min(first->pattern.size(), op.content.pattern.size());
    const bool fold = first->nocase || op.content.nocase;
    const bool agree =
        std::equal(first->pattern.begin(), first->pattern.begin() + static_cast<std::ptrdiff_t>(shared),
                   op.content.pattern.begin(), [&](char a, char b) { return same(a, b, fold); });
    const lang::RuleOption* option = linted.option_of(op.content);
    if (agree || option == nullptr) continue;
    linted.warn(*option, "never-matches", "another content must stand at the same place, and they differ");
  }
}

// to_lowercase leaves no upper case to find.
void check_case(const LintedRule& linted, const BufferMatch& list) {
  if (list.transforms.empty()) return;
  const std::string last = list.transforms.back()->key();
  if (last != "to_lowercase" && last != "to_uppercase") return;
  const char low = last == "to_lowercase" ? 'A' : 'a';
  for (const BufferOp& op : list.ops) {
    if (op.kind() != BufferOp::Kind::content || op.content.nocase || op.content.negated) continue;
    const bool foreign = std::any_of(op.content.pattern.begin(), op.content.pattern.end(),
                                     [&](char c) { return c >= low && c < low + 26; });
    const lang::RuleOption* option = linted.option_of(op.content);
    if (!foreign || option == nullptr) continue;
    linted.warn(*option, "never-matches", "after `" + last + "` there are no such letters").hint =
        "write it in the other case, or add nocase";
  }
}

}  // namespace

void check_contents(const LintedRule& linted) {
  for (const BufferMatch& list : linted.rule.buffers) {
    check_starts(linted, list);
    check_case(linted, list);
  }
}

void check_byte_tests(const LintedRule& linted) {
  for (const lang::RuleOption& option : linted.ast.options) {
    if (option.name != "byte_test" || option.value.find("string") != std::string::npos ||
        option.value.find("bitmask") != std::string::npos) {
      continue;
    }
    const auto parts = split(option.value, ',');
    if (parts.size() < 4) continue;
    const auto bytes = parse_number(parts[0].text);
    const auto value = parse_number(parts[2].text);
    if (!bytes || !value || *bytes < 1 || *bytes > 7) continue;
    const std::int64_t most = (std::int64_t{1} << (8 * *bytes)) - 1;
    const std::string_view op = parts[1].text;
    const bool never = (op == "=" && *value > most) || (op == ">" && *value >= most) ||
                       (op == ">=" && *value > most) || (op == "<" && *value == 0) ||
                       (op == "&" && *value == 0);
    if (never)
      linted.warn(option, "never-matches",
                  "no number of " + std::to_string(*bytes) + " byte(s) satisfies this");
  }
}

}  // namespace gatehouse::ids::lint
