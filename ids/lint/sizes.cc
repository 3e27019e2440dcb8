// Contents that do not fit into what dsize, bsize, urilen or isdataat leave of the buffer.
#include <algorithm>
#include <charconv>

#include "ids/keywords/keyword.h"
#include "ids/lint/checks.h"

namespace gatehouse::ids::lint {
namespace {

std::string_view trimmed(std::string_view text) {
  while (!text.empty() && (text.front() == ' ' || text.front() == '\t')) text.remove_prefix(1);
  while (!text.empty() && (text.back() == ' ' || text.back() == '\t')) text.remove_suffix(1);
  return text;
}

// False: it has a unit, or is a variable.
bool plain_number(std::string_view text, std::uint64_t& out) {
  text = trimmed(text);
  const int base = text.starts_with("0x") ? 16 : 10;
  if (base == 16) text.remove_prefix(2);
  const auto [end, failure] = std::from_chars(text.data(), text.data() + text.size(), out, base);
  return failure == std::errc{} && end == text.data() + text.size() && !text.empty();
}

// Where the last of the contents so far ends at the earliest.
class EarliestEnd {
 public:
  void add(const ContentOp& c) {
    if (c.negated) return;
    const std::int64_t start =
        c.has_distance || c.has_within
            ? std::max<std::int64_t>(0, previous_ + literal(c.has_distance, c.distance))
            : literal(c.has_offset, c.offset);
    previous_ = start + static_cast<std::int64_t>(c.pattern.size());
    end_ = std::max(end_, previous_);
  }
  // Something else moved the place from which relative contents count.
  void lose_place() { previous_ = 0; }
  std::uint64_t value() const { return static_cast<std::uint64_t>(end_); }

 private:
  static std::int64_t literal(bool given, const PlaceNumber& arg) {
    return given && arg.slot < 0 ? arg.literal : 0;
  }
  std::int64_t previous_ = 0, end_ = 0;
};

EarliestEnd earliest_end(const BufferMatch& list) {
  EarliestEnd end;
  for (const BufferOp& op : list.ops) {
    if (op.kind() == BufferOp::Kind::content) {
      end.add(op.content);
    } else {
      end.lose_place();
    }
  }
  return end;
}

// The list that an option like bsize speaks of: of the sticky buffer named last, when it has one list.
const BufferMatch* only_list(const Rule& rule, std::string_view buffer) {
  const BufferMatch* found = nullptr;
  for (const BufferMatch& list : rule.buffers) {
    if (buffer_table()[list.buffer].name != buffer) continue;
    if (found != nullptr || !list.transforms.empty()) return nullptr;
    found = &list;
  }
  return found;
}

void compare(const LintedRule& linted, const lang::RuleOption& option, const Bounds& bounds,
             std::string_view buffer) {
  const BufferMatch* list = only_list(linted.rule, buffer);
  if (list == nullptr) return;
  const std::uint64_t needed = earliest_end(*list).value();
  if (needed <= bounds.high) return;
  linted
      .warn(option, "never-fits",
            "the contents need " + std::to_string(needed) + " bytes, and `" + option.name + "` allows " +
                std::to_string(bounds.high))
      .hint = "this rule can never match";
}

// urilen counts the raw URI, and decoding never makes it longer.
void compare_uri(const LintedRule& linted, const lang::RuleOption& option) {
  const std::size_t comma = std::min(option.value.find(','), option.value.size());
  const Bounds bounds = bounds_of(std::string_view(option.value).substr(0, comma));
  compare(linted, option, bounds, "http.uri");
  if (option.value.find("norm") == std::string::npos) compare(linted, option, bounds, "http.uri.raw");
}

// `isdataat:!40;` says that the buffer has at most 40 bytes.
void compare_data_at(const LintedRule& linted, const lang::RuleOption& option, std::string_view buffer) {
  std::uint64_t count = 0;
  std::string_view text = trimmed(option.value);
  if (!text.starts_with('!') || text.find("relative") != std::string_view::npos) return;
  text = text.substr(1, std::min(text.find(','), text.size()) - 1);
  if (plain_number(text, count)) compare(linted, option, {0, count}, buffer);
}

}  // namespace

Bounds bounds_of(std::string_view text) {
  text = trimmed(text);
  const Bounds all;
  std::uint64_t first = 0;
  std::uint64_t second = 0;
  const auto one = [&](std::size_t skip) { return plain_number(text.substr(skip), first); };
  if (text.starts_with("<=")) return one(2) ? Bounds{0, first} : all;
  if (text.starts_with(">=")) return one(2) ? Bounds{first, all.high} : all;
  if (text.starts_with('<')) return one(1) && first > 0 ? Bounds{0, first - 1} : all;
  if (text.starts_with('>')) return one(1) ? Bounds{first + 1, all.high} : all;
  if (text.starts_with('!') || text.starts_with('&')) return all;
  if (text.starts_with('=')) return one(1) ? Bounds{first, first} : all;
  std::size_t middle = text.find("<>");
  const std::size_t width = middle == std::string_view::npos ? 1 : 2;
  if (middle == std::string_view::npos) middle = text.find('-');
  if (middle == std::string_view::npos) return one(0) ? Bounds{first, first} : all;
  if (!plain_number(text.substr(0, middle), first) || !plain_number(text.substr(middle + width), second))
    return all;
  return second > 0 ? Bounds{first + 1, second - 1} : all;
}

void check_sizes(const LintedRule& linted) {
  std::string_view buffer = "pkt_data";
  Bounds payload;
  for (const lang::RuleOption& option : linted.ast.options) {
    if (const auto found = find_buffer(option.name); found && !found->modifier) {
      buffer = buffer_table()[found->id].name;
    } else if (option.name == "dsize") {
      const Bounds bounds = bounds_of(option.value);
      payload = {std::max(payload.low, bounds.low), std::min(payload.high, bounds.high)};
      if (payload.low > payload.high)
        linted.warn(option, "never-matches", "no size satisfies this and the `dsize` before it");
      // A stream rule looks at more than one packet's bytes.
      if (linted.rule.rule_class == RuleClass::packet) compare(linted, option, bounds, "pkt_data");
    } else if (option.name == "bsize") {
      compare(linted, option, bounds_of(option.value), buffer);
    } else if (option.name == "urilen") {
      compare_uri(linted, option);
    } else if (option.name == "isdataat") {
      compare_data_at(linted, option, buffer);
    }
  }
}

}  // namespace gatehouse::ids::lint
