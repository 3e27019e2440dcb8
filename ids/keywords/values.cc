#include "ids/keywords/values.h"

#include <charconv>
#include <limits>

namespace gatehouse::ids {
namespace {

bool is_blank(char c) {
  return c == ' ' || c == '\t';
}

class PacketNumberCondition : public Condition {
 public:
  PacketNumberCondition(const NumberTest& test, PacketNumber number) : test_(test), number_(number) {}
  bool holds(const InspectContext& context) const override {
    const auto value = number_(context.packet);
    return value && test_.holds(*value);
  }

 private:
  NumberTest test_;
  PacketNumber number_;
};

std::optional<std::uint64_t> parse_unsigned(std::string_view text) {
  int base = 10;
  if (text.size() > 2 && text[0] == '0' && (text[1] == 'x' || text[1] == 'X')) {
    base = 16;
    text.remove_prefix(2);
  }
  std::uint64_t value = 0;
  const auto [end, failure] = std::from_chars(text.data(), text.data() + text.size(), value, base);
  if (failure != std::errc{} || end != text.data() + text.size() || text.empty()) return std::nullopt;
  return value;
}

// A number that may end in kb, kib, mb, mib, gb or gib, in any case.
std::optional<std::uint64_t> parse_sized(std::string_view text) {
  const auto folded = [](char c) { return static_cast<char>(c >= 'A' && c <= 'Z' ? c + 32 : c); };
  unsigned shift = 0;
  if (text.size() > 2 && folded(text.back()) == 'b' && !text.starts_with("0x") && !text.starts_with("0X")) {
    std::string_view number = text.substr(0, text.size() - 1);
    if (folded(number.back()) == 'i') number.remove_suffix(1);
    const char unit = folded(number.back());
    shift = unit == 'k' ? 10 : unit == 'm' ? 20 : unit == 'g' ? 30 : 0;
    if (shift != 0) text = number.substr(0, number.size() - 1);
  }
  const auto value = parse_unsigned(text);
  if (!value || *value > ~std::uint64_t{0} >> shift) return std::nullopt;
  return *value << shift;
}

bool take_number(RuleBuilder& builder, const lang::RuleOption& option, Part part, std::uint64_t largest,
                 std::uint64_t& out) {
  const auto value = parse_sized(part.text);
  if (!value) {
    builder.error_at(option, part.at, part.text.size(), "number-syntax",
                     part.text.empty() ? "a number is missing here" : "this is no number");
    return false;
  }
  if (*value > largest) {
    builder.error_at(option, part.at, part.text.size(), "number-range", "this number is too large").hint =
        "at most " + std::to_string(largest);
    return false;
  }
  out = *value;
  return true;
}

// What follows the `&` of `&<mask>=<value>` or `&<mask>!=<value>`.
bool take_mask(RuleBuilder& builder, const lang::RuleOption& option, Part part, std::uint64_t largest,
               NumberTest& test) {
  const std::size_t equals = part.text.find('=');
  if (equals == std::string_view::npos) {
    builder.error_at(option, part.at, part.text.size(), "number-syntax", "a mask is compared with a value")
        .hint = "&<mask>=<value> or &<mask>!=<value>";
    return false;
  }
  const bool negated = equals > 0 && part.text[equals - 1] == '!';
  const Part mask = trim({part.text.substr(0, equals - (negated ? 1 : 0)), part.at});
  const Part value = trim({part.text.substr(equals + 1), part.at + equals + 1});
  test.op = negated ? NumberTest::Op::masked_not_equal : NumberTest::Op::masked_equal;
  if (!take_number(builder, option, mask, largest, test.first)) return false;
  if (!take_number(builder, option, value, largest, test.second)) return false;
  if ((test.second & ~test.first) == 0) return true;
  builder.error_at(option, value.at, value.text.size(), "never-matches",
                   "this value has bits that the mask takes away");
  return false;
}

}  // namespace

Part trim(Part part) {
  while (!part.text.empty() && is_blank(part.text.front())) {
    part.text.remove_prefix(1);
    ++part.at;
  }
  while (!part.text.empty() && is_blank(part.text.back())) part.text.remove_suffix(1);
  return part;
}

std::vector<Part> split(std::string_view value, char separator) {
  std::vector<Part> parts;
  std::size_t start = 0;
  for (;;) {
    const std::size_t end = std::min(value.find(separator, start), value.size());
    parts.push_back(trim({value.substr(start, end - start), start}));
    if (end == value.size()) return parts;
    start = end + 1;
  }
}

std::optional<std::int64_t> parse_number(std::string_view text) {
  const bool negative = !text.empty() && text[0] == '-';
  if (!text.empty() && (text[0] == '-' || text[0] == '+')) text.remove_prefix(1);
  const auto value = parse_unsigned(text);
  if (!value || *value > static_cast<std::uint64_t>(std::numeric_limits<std::int64_t>::max()))
    return std::nullopt;
  return negative ? -static_cast<std::int64_t>(*value) : static_cast<std::int64_t>(*value);
}

bool is_variable_name(std::string_view text) {
  if (text.empty() || (text[0] >= '0' && text[0] <= '9') || text[0] == '-') return false;
  for (const char c : text) {
    const bool good = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
                      c == '_' || c == '.' || c == '-';
    if (!good) return false;
  }
  return true;
}

bool NumberTest::holds(std::uint64_t value) const {
  switch (op) {
    case Op::equal:
      return value == first;
    case Op::not_equal:
      return value != first;
    case Op::less:
      return value < first;
    case Op::greater:
      return value > first;
    case Op::less_equal:
      return value <= first;
    case Op::greater_equal:
      return value >= first;
    case Op::between:
      return value > first && value < second;
    case Op::outside:
      return value <= first || value >= second;
    case Op::masked_equal:
      return (value & first) == second;
    case Op::masked_not_equal:
      return (value & first) != second;
  }
  return false;
}

std::uint64_t NumberTest::largest() const {
  switch (op) {
    case Op::equal:
    case Op::less_equal:
      return first;
    case Op::less:
      return first == 0 ? 0 : first - 1;
    case Op::between:
      return second == 0 ? 0 : second - 1;
    default:
      return std::numeric_limits<std::uint64_t>::max();
  }
}

bool parse_variable(RuleBuilder& builder, const lang::RuleOption& option, const Part& part, NumberArg& out) {
  out.slot = builder.variable(part.text);
  if (out.slot >= 0) return true;
  builder
      .error_at(option, part.at, part.text.size(), "unknown-byte-variable",
                "no byte_extract or byte_math before this sets `" + std::string(part.text) + "`")
      .hint = core::did_you_mean(part.text, builder.variables);
  return false;
}

bool parse_number_test(RuleBuilder& builder, const lang::RuleOption& option, Part part, std::uint64_t largest,
                       NumberTest& test) {
  part = trim(part);
  const auto after = [&](std::size_t count) { return trim({part.text.substr(count), part.at + count}); };
  if (part.text.starts_with("<=")) {
    test.op = NumberTest::Op::less_equal;
    return take_number(builder, option, after(2), largest, test.first);
  }
  if (part.text.starts_with(">=")) {
    test.op = NumberTest::Op::greater_equal;
    return take_number(builder, option, after(2), largest, test.first);
  }
  if (part.text.starts_with('<')) {
    test.op = NumberTest::Op::less;
    return take_number(builder, option, after(1), largest, test.first);
  }
  if (part.text.starts_with('>')) {
    test.op = NumberTest::Op::greater;
    return take_number(builder, option, after(1), largest, test.first);
  }
  if (part.text.starts_with('=')) return take_number(builder, option, after(1), largest, test.first);
  if (part.text.starts_with('&')) return take_mask(builder, option, after(1), largest, test);
  const bool negated = part.text.starts_with('!');
  const Part rest = negated ? after(part.text.starts_with("!=") ? 2 : 1) : part;
  std::size_t split_at = rest.text.find("<>");
  std::size_t width = 2;
  if (split_at == std::string_view::npos) {
    split_at = rest.text.find('-');
    width = 1;
  }
  if (split_at == std::string_view::npos) {
    test.op = negated ? NumberTest::Op::not_equal : NumberTest::Op::equal;
    return take_number(builder, option, rest, largest, test.first);
  }
  test.op = negated ? NumberTest::Op::outside : NumberTest::Op::between;
  if (!take_number(builder, option, trim({rest.text.substr(0, split_at), rest.at}), largest, test.first))
    return false;
  const Part last = trim({rest.text.substr(split_at + width), rest.at + split_at + width});
  if (!take_number(builder, option, last, largest, test.second)) return false;
  if (test.first >= test.second) {
    builder.error_at(option, rest.at, rest.text.size(), "range-order", "the range is empty").hint =
        "write the smaller number first";
    return false;
  }
  return true;
}

bool parse_bounded(RuleBuilder& builder, const lang::RuleOption& option, Part part, std::int64_t smallest,
                   std::int64_t largest, std::int64_t& out) {
  const auto value = parse_number(part.text);
  if (!value) {
    builder.error_at(option, part.at, part.text.size(), "number-syntax",
                     part.text.empty() ? "a number is missing here" : "this is no number");
    return false;
  }
  if (*value < smallest || *value > largest) {
    builder.error_at(option, part.at, part.text.size(), "number-range", "this number is out of range").hint =
        std::to_string(smallest) + " to " + std::to_string(largest);
    return false;
  }
  out = *value;
  return true;
}

bool parse_quoted(RuleBuilder& builder, const lang::RuleOption& option, bool may_negate, Quoted& out) {
  const Part part = trim({option.value, 0});
  std::size_t at = 0;
  out.negated = part.text.starts_with('!');
  if (out.negated) {
    if (!may_negate) {
      builder.error_at(option, 0, 1, "negation", "`" + option.name + "` cannot be negated");
      return false;
    }
    at = 1;
    while (at < part.text.size() && is_blank(part.text[at])) ++at;
  }
  if (at >= part.text.size() || part.text[at] != '"') {
    builder.error(option, "quotes", "`" + option.name + "` needs its value in double quotes");
    return false;
  }
  if (part.text.size() < at + 2 || part.text.back() != '"') {
    builder.error_at(option, at, 1, "quotes", "this string is never closed").hint =
        "a `;` inside a string is written `\\;` or `|3b|`";
    return false;
  }
  out.at = part.at + at + 1;
  out.text = part.text.substr(at + 1, part.text.size() - at - 2);
  return true;
}

void add_packet_number_test(RuleBuilder& builder, const NumberTest& test, PacketNumber number) {
  builder.add_condition(std::make_unique<PacketNumberCondition>(test, number));
}

}  // namespace gatehouse::ids
