// byte_test:<bytes>,[!]<operator>,<value>,<offset>[,...]: compares a number in the data.
#include "ids/keywords/byte_field.h"

namespace gatehouse::ids {
namespace {

class ByteTest : public BufferTest {
 public:
  enum class Op : std::uint8_t { less, greater, equal, less_equal, greater_equal, bit_and, bit_xor };
  ByteField field;
  Op op = Op::equal;
  bool negated = false;
  NumberArg operand;

  bool relative() const override { return field.relative; }
  // A number that is not there compares with nothing, negated or not.
  bool holds(InspectContext& context, ByteView buffer, std::size_t& cursor) const override {
    std::uint64_t value = 0;
    std::size_t end = 0;
    if (!field.read(context, buffer, cursor, value, end)) return false;
    return compare(field.masked(value), static_cast<std::uint64_t>(value_of(operand, context))) != negated;
  }

 private:
  bool compare(std::uint64_t a, std::uint64_t b) const {
    switch (op) {
      case Op::less:
        return a < b;
      case Op::greater:
        return a > b;
      case Op::equal:
        return a == b;
      case Op::less_equal:
        return a <= b;
      case Op::greater_equal:
        return a >= b;
      case Op::bit_and:
        return (a & b) != 0;
      case Op::bit_xor:
        return (a ^ b) != 0;
    }
    return false;
  }
};

bool parse_operator(RuleBuilder& builder, const lang::RuleOption& option, Part part, ByteTest& test) {
  test.negated = part.text.starts_with('!');
  if (test.negated) part = trim({part.text.substr(1), part.at + 1});
  using Op = ByteTest::Op;
  static const std::pair<std::string_view, Op> kOps[] = {
      {"<", Op::less},           {">", Op::greater}, {"=", Op::equal},  {"<=", Op::less_equal},
      {">=", Op::greater_equal}, {"&", Op::bit_and}, {"^", Op::bit_xor}};
  if (part.text.empty() && test.negated) return true;  // `!` alone: not equal
  for (const auto& [text, op] : kOps) {
    if (part.text != text) continue;
    test.op = op;
    return true;
  }
  builder.error_at(option, part.at, part.text.size(), "byte-operator", "unknown operator").hint =
      "< > = <= >= & ^, with ! before it for the opposite";
  return false;
}

void apply(RuleBuilder& builder, const lang::RuleOption& option) {
  const auto parts = split(option.value, ',');
  if (parts.size() < 4) {
    builder.error(option, "byte-syntax", "byte_test needs four parts").hint =
        "byte_test:<bytes>,[!]<operator>,<value>,<offset>[,relative][,little][,string,dec][,bitmask <mask>]";
    return;
  }
  auto test = std::make_shared<ByteTest>();
  ByteArguments arguments(builder, option, test->field);
  constexpr std::int64_t kLargest = std::numeric_limits<std::int64_t>::max();
  if (!arguments.number(parts[0], 0, kMostTextBytes, test->field.bytes)) return;
  if (!parse_operator(builder, option, parts[1], *test)) return;
  if (!arguments.number(parts[2], 0, kLargest, test->operand)) return;
  if (!arguments.number(parts[3], -65535, 65535, test->field.offset)) return;
  for (std::size_t i = 4; i < parts.size(); ++i) {
    const auto common = arguments.common(parts[i]);
    if (common ? !*common : !arguments.unknown(parts[i])) return;
  }
  if (arguments.finish()) builder.add_test(std::move(test));
}

constexpr KeywordDescriptor kKeywords[] = {
    {"byte_test", ValueNeed::required, "compares a number in the data", apply},
};

}  // namespace

std::span<const KeywordDescriptor> keyword_family_byte_compare() {
  return kKeywords;
}

}  // namespace gatehouse::ids
