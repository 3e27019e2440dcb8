// byte_extract and byte_math: variables made of numbers in the data.
#include "ids/keywords/byte_field.h"

namespace gatehouse::ids {
namespace {

class ByteExtract : public BufferTest {
 public:
  ByteField field;
  std::uint64_t multiplier = 1;
  unsigned align = 0;
  std::size_t slot = 0;

  bool relative() const override { return field.relative; }
  bool holds(InspectContext& context, ByteView buffer, std::size_t& cursor) const override {
    std::uint64_t value = 0;
    if (!field.read(context, buffer, cursor, value, cursor)) return false;
    value = field.masked(value) * multiplier;
    if (align != 0) value = (value + align - 1) / align * align;
    context.variables[slot] = value;
    return true;
  }
};

class ByteMath : public BufferTest {
 public:
  enum class Op : std::uint8_t { add, subtract, multiply, divide, left, right };
  ByteField field;
  Op op = Op::add;
  NumberArg operand;
  std::size_t slot = 0;

  bool relative() const override { return field.relative; }
  bool holds(InspectContext& context, ByteView buffer, std::size_t& cursor) const override {
    std::uint64_t value = 0;
    if (!field.read(context, buffer, cursor, value, cursor)) return false;
    if (!combine(value, static_cast<std::uint64_t>(value_of(operand, context)))) return false;
    // The mask is of the result, not of what was read.
    context.variables[slot] = field.masked(value);
    return true;
  }

 private:
  bool combine(std::uint64_t& value, std::uint64_t by) const {
    switch (op) {
      case Op::add:
        value += by;
        return true;
      case Op::subtract:
        value -= by;
        return true;
      case Op::multiply:
        value *= by;
        return true;
      case Op::divide:
        if (by == 0) return false;
        value /= by;
        return true;
      case Op::left:
        value = by < 64 ? value << by : 0;
        return true;
      case Op::right:
        value = by < 64 ? value >> by : 0;
        return true;
    }
    return false;
  }
};

bool parse_extract_word(RuleBuilder& builder, const lang::RuleOption& option, ByteArguments& arguments,
                        const Part& part, ByteExtract& extract) {
  if (const auto common = arguments.common(part)) return *common;
  Part value;
  std::int64_t number = 0;
  if (ByteArguments::keyed(part, "multiplier", value)) {
    if (!parse_bounded(builder, option, value, 1, 65535, number)) return false;
    extract.multiplier = static_cast<std::uint64_t>(number);
    return true;
  }
  if (ByteArguments::keyed(part, "align", value)) {
    if (value.text != "2" && value.text != "4") {
      builder.error_at(option, part.at, part.text.size(), "byte-argument", "align takes 2 or 4");
      return false;
    }
    extract.align = value.text == "2" ? 2 : 4;
    return true;
  }
  return arguments.unknown(part);
}

void apply_extract(RuleBuilder& builder, const lang::RuleOption& option) {
  const auto parts = split(option.value, ',');
  if (parts.size() < 3) {
    builder.error(option, "byte-syntax", "byte_extract needs three parts").hint =
        "byte_extract:<bytes>,<offset>,<name>[,relative][,little][,multiplier <n>]";
    return;
  }
  auto extract = std::make_shared<ByteExtract>();
  ByteArguments arguments(builder, option, extract->field);
  if (!arguments.number(parts[0], 0, kMostTextBytes, extract->field.bytes)) return;
  if (!arguments.number(parts[1], -65535, 65535, extract->field.offset)) return;
  for (std::size_t i = 3; i < parts.size(); ++i) {
    if (!parse_extract_word(builder, option, arguments, parts[i], *extract)) return;
  }
  if (arguments.finish() && arguments.result(parts[2], extract->slot)) builder.add_test(std::move(extract));
}

bool parse_operator(RuleBuilder& builder, const lang::RuleOption& option, const Part& part,
                    ByteMath::Op& op) {
  using Op = ByteMath::Op;
  static const std::pair<std::string_view, Op> kOps[] = {{"+", Op::add},      {"-", Op::subtract},
                                                         {"*", Op::multiply}, {"/", Op::divide},
                                                         {"<<", Op::left},    {">>", Op::right}};
  for (const auto& [text, value] : kOps) {
    if (part.text != text) continue;
    op = value;
    return true;
  }
  builder.error_at(option, part.at, part.text.size(), "byte-operator", "unknown operator").hint =
      "+ - * / << or >>";
  return false;
}

// The "key value" parts of byte_math; each key once.
class MathParser {
 public:
  MathParser(RuleBuilder& builder, const lang::RuleOption& option, ByteMath& math)
      : builder_(builder), option_(option), math_(math), arguments_(builder, option, math.field) {}

  bool take(const Part& part) {
    Part value;
    if (ByteArguments::keyed(part, "bytes", value))
      return once(part, 1) && arguments_.number(value, 1, kMostBinaryBytes + 2, math_.field.bytes);
    if (ByteArguments::keyed(part, "offset", value))
      return once(part, 2) && arguments_.number(value, -65535, 65535, math_.field.offset);
    if (ByteArguments::keyed(part, "oper", value))
      return once(part, 4) && parse_operator(builder_, option_, value, math_.op);
    if (ByteArguments::keyed(part, "rvalue", value))
      return once(part, 8) && arguments_.number(value, 0, 0xffff'ffff, math_.operand);
    if (ByteArguments::keyed(part, "result", value)) {
      result_ = value;
      return once(part, 16);
    }
    return word(part);
  }

  bool finish() {
    if ((seen_ & 31U) != 31U) {
      builder_.error(option_, "byte-syntax", "byte_math lacks a part").hint =
          "byte_math:bytes <n>, offset <n>, oper <op>, rvalue <n>, result <name>";
      return false;
    }
    return arguments_.finish() && arguments_.result(result_, math_.slot);
  }

 private:
  // `endian little` and `string hex` are written as pairs here.
  bool word(const Part& part) {
    Part inner = part;
    Part value;
    if (ByteArguments::keyed(part, "endian", value)) inner = value;
    if (ByteArguments::keyed(part, "string", value) && !value.text.empty()) {
      arguments_.set_string();
      inner = value;
    }
    const auto common = arguments_.common(inner);
    return common ? *common : arguments_.unknown(inner);
  }
  bool once(const Part& part, unsigned bit) {
    const bool again = (seen_ & bit) != 0;
    seen_ |= bit;
    if (again)
      builder_.error_at(option_, part.at, part.text.size(), "byte-argument", "this was already given");
    return !again;
  }

  RuleBuilder& builder_;
  const lang::RuleOption& option_;
  ByteMath& math_;
  ByteArguments arguments_;
  Part result_;
  unsigned seen_ = 0;
};

void apply_math(RuleBuilder& builder, const lang::RuleOption& option) {
  auto math = std::make_shared<ByteMath>();
  MathParser parser(builder, option, *math);
  for (const Part& part : split(option.value, ',')) {
    if (!parser.take(part)) return;
  }
  if (parser.finish()) builder.add_test(std::move(math));
}

constexpr KeywordDescriptor kKeywords[] = {
    {"byte_extract", ValueNeed::required, "keeps a number of the data in a variable", apply_extract},
    {"byte_math", ValueNeed::required, "computes with a number of the data", apply_math},
};

}  // namespace

std::span<const KeywordDescriptor> keyword_family_byte_math() {
  return kKeywords;
}

}  // namespace gatehouse::ids
