// entropy: Shannon entropy of a buffer's bytes, 0 to 8 bits.
#include <array>
#include <charconv>
#include <cmath>

#include "ids/keywords/values.h"

namespace gatehouse::ids {
namespace {

double entropy_of(ByteView bytes) {
  std::array<std::size_t, 256> counts{};
  for (const std::uint8_t b : bytes) ++counts[b];
  const auto total = static_cast<double>(bytes.size());
  double sum = 0;
  for (const std::size_t count : counts) {
    if (count == 0) continue;
    const double share = static_cast<double>(count) / total;
    sum -= share * std::log2(share);
  }
  return sum;
}

class Entropy : public BufferTest {
 public:
  enum class Op : std::uint8_t {
    equal,
    not_equal,
    less,
    less_equal,
    greater,
    greater_equal,
    within,
    outside
  };
  Op op = Op::equal;
  double first = 0, second = 0;
  std::size_t bytes = 0, offset = 0;  // bytes 0: to the end

  bool needs_final() const override { return bytes == 0; }
  bool holds(InspectContext&, ByteView buffer, std::size_t&) const override {
    if (offset >= buffer.size() || bytes > buffer.size() - offset) return false;
    return compare(entropy_of(buffer.subspan(offset, bytes == 0 ? buffer.size() - offset : bytes)));
  }

 private:
  bool compare(double value) const {
    switch (op) {
      case Op::equal:
        return std::abs(value - first) < 1e-9;
      case Op::not_equal:
        return std::abs(value - first) >= 1e-9;
      case Op::less:
        return value < first;
      case Op::less_equal:
        return value <= first;
      case Op::greater:
        return value > first;
      case Op::greater_equal:
        return value >= first;
      case Op::within:
        return value > first && value < second;
      case Op::outside:
        return value <= first || value >= second;
    }
    return false;
  }
};

bool parse_entropy_number(RuleBuilder& builder, const lang::RuleOption& option, const Part& part,
                          double& out) {
  const char* end = part.text.data() + part.text.size();
  const auto [stop, failure] = std::from_chars(part.text.data(), end, out, std::chars_format::fixed);
  if (failure == std::errc{} && stop == end && !part.text.empty() && out >= 0 && out <= 8) return true;
  builder.error_at(option, part.at, part.text.size(), "entropy-value", "an entropy is a number from 0 to 8");
  return false;
}

bool parse_value(RuleBuilder& builder, const lang::RuleOption& option, const Part& part, Entropy& test) {
  using Op = Entropy::Op;
  static constexpr std::pair<std::string_view, Op> kOps[] = {
      {">=", Op::greater_equal}, {"<=", Op::less_equal}, {"!=", Op::not_equal},
      {">", Op::greater},        {"<", Op::less},        {"=", Op::equal}};
  for (const auto& [text, op] : kOps) {
    if (!part.text.starts_with(text)) continue;
    test.op = op;
    return parse_entropy_number(builder, option, trim({part.text.substr(text.size()), part.at + text.size()}),
                                test.first);
  }
  const bool negated = part.text.starts_with('!');
  const Part rest = negated ? trim({part.text.substr(1), part.at + 1}) : part;
  const std::size_t dash = rest.text.find('-');
  if (dash == std::string_view::npos) {
    test.op = negated ? Op::not_equal : Op::equal;
    return parse_entropy_number(builder, option, rest, test.first);
  }
  test.op = negated ? Op::outside : Op::within;
  return parse_entropy_number(builder, option, trim({rest.text.substr(0, dash), rest.at}), test.first) &&
         parse_entropy_number(builder, option, trim({rest.text.substr(dash + 1), rest.at + dash + 1}),
                              test.second);
}

bool parse_part(RuleBuilder& builder, const lang::RuleOption& option, const Part& part, Entropy& test,
                bool& has_value) {
  const std::size_t blank = std::min(part.text.find(' '), part.text.size());
  const std::string_view name = part.text.substr(0, blank);
  const Part value = trim({part.text.substr(blank), part.at + blank});
  std::int64_t number = 0;
  if (name == "value") {
    has_value = true;
    return parse_value(builder, option, value, test);
  }
  if (name == "bytes" || name == "offset") {
    if (!parse_bounded(builder, option, value, 0, 0x7fff'ffff, number)) return false;
    (name == "bytes" ? test.bytes : test.offset) = static_cast<std::size_t>(number);
    return true;
  }
  builder.error_at(option, part.at, part.text.size(), "entropy-argument", "unknown argument of entropy")
      .hint = "entropy: [bytes <n>, offset <n>,] value [<operator>]<0.0 to 8.0>;";
  return false;
}

void apply(RuleBuilder& builder, const lang::RuleOption& option) {
  auto test = std::make_shared<Entropy>();
  bool has_value = false;
  for (const Part& part : split(option.value, ',')) {
    if (!parse_part(builder, option, part, *test, has_value)) return;
  }
  if (!has_value) {
    builder.error(option, "entropy-argument", "`value` is missing").hint = "entropy: value >= 4.5;";
    return;
  }
  builder.add_test(std::move(test));
}

constexpr KeywordDescriptor kKeywords[] = {
    {"entropy", ValueNeed::required, "entropy of the bytes", apply},
};

}  // namespace

std::span<const KeywordDescriptor> keyword_family_entropy() {
  return kKeywords;
}

}  // namespace gatehouse::ids
