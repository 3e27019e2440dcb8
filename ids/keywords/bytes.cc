// byte_test, byte_jump, byte_extract, byte_math: numbers inside the data.
#include <algorithm>

#include "ids/keywords/values.h"

namespace gatehouse::ids {
namespace {

enum class Coding : std::uint8_t { big, little, decimal, hexadecimal, octal };

// Where a number stands and how it is written.
struct NumberField {
  NumberArg bytes;
  NumberArg offset;
  bool relative = false;
  Coding coding = Coding::big;
  std::uint64_t mask = 0;  // 0: none

  static std::int64_t value_of(const NumberArg& arg, const InspectContext& context) {
    return arg.slot >= 0 ? static_cast<std::int64_t>(context.variables[static_cast<std::size_t>(arg.slot)])
                         : arg.literal;
  }

  // Reads the number; `end` is where it ends in `buffer`.
  bool read(const InspectContext& context, ByteView buffer, std::size_t cursor, std::uint64_t& value,
            std::size_t& end) const {
    const std::int64_t count = value_of(bytes, context);
    const std::int64_t start = value_of(offset, context) + (relative ? static_cast<std::int64_t>(cursor) : 0);
    const bool text = coding != Coding::big && coding != Coding::little;
    if (start < 0 || count < 0 || count > (text ? 23 : 8)) return false;
    const auto size = static_cast<std::int64_t>(buffer.size());
    if (start > size || count > size - start) return false;
    const ByteView field = buffer.subspan(static_cast<std::size_t>(start), static_cast<std::size_t>(count));
    end = static_cast<std::size_t>(start + count);
    if (!(text ? read_text(field, value) : read_binary(field, value))) return false;
    if (mask != 0) value = (value & mask) >> static_cast<unsigned>(__builtin_ctzll(mask));
    return true;
  }

 private:
  bool read_binary(ByteView field, std::uint64_t& value) const {
    value = 0;
    for (std::size_t i = 0; i < field.size(); ++i) {
      value = value << 8U | field[coding == Coding::big ? i : field.size() - 1 - i];
    }
    return true;
  }
  bool read_text(ByteView field, std::uint64_t& value) const {
    const unsigned base = coding == Coding::decimal ? 10 : coding == Coding::octal ? 8 : 16;
    std::size_t i = 0;
    while (i < field.size() && (field[i] == ' ' || field[i] == '\t')) ++i;
    if (base == 16 && i + 1 < field.size() && field[i] == '0' && (field[i + 1] | 0x20) == 'x') i += 2;
    const std::size_t first = i;
    value = 0;
    for (; i < field.size(); ++i) {
      const std::uint8_t c = field[i];
      unsigned digit = 99;
      if (c >= '0' && c <= '9') digit = c - '0';
      if ((c | 0x20) >= 'a' && (c | 0x20) <= 'f') digit = (c | 0x20U) - 'a' + 10;
      if (digit >= base) break;
      if (value > (~std::uint64_t{0} - digit) / base) return false;
      value = value * base + digit;
    }
    return i > first;
  }
};

class ByteTest : public BufferTest {
 public:
  enum class Op : std::uint8_t { less, greater, equal, less_equal, greater_equal, bit_and, bit_xor };
  NumberField field;
  Op op = Op::equal;
  bool negated = false;
  NumberArg operand;

  bool relative() const override { return field.relative; }
  bool holds(InspectContext& context, ByteView buffer, std::size_t& cursor) const override {
    std::uint64_t value = 0;
    std::size_t end = 0;
    if (!field.read(context, buffer, cursor, value, end)) return false;
    return compare(value, static_cast<std::uint64_t>(NumberField::value_of(operand, context))) != negated;
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

class ByteJump : public BufferTest {
 public:
  enum class Base : std::uint8_t { here, beginning, end };
  NumberField field;
  Base base = Base::here;
  bool align = false;
  std::int64_t multiplier = 1;
  NumberArg post_offset;

  bool relative() const override { return field.relative; }
  bool holds(InspectContext& context, ByteView buffer, std::size_t& cursor) const override {
    std::uint64_t value = 0;
    std::size_t at = 0;
    if (!field.read(context, buffer, cursor, value, at)) return false;
    const auto size = static_cast<std::int64_t>(buffer.size());
    // A jump this long leaves every buffer; the bound also keeps the arithmetic below exact.
    if (value > 0xffff'ffffU) return false;
    std::int64_t jump = static_cast<std::int64_t>(value) * multiplier;
    if (align) jump = (jump + 3) / 4 * 4;
    jump += NumberField::value_of(post_offset, context);
    if (base == Base::here) jump += static_cast<std::int64_t>(at);
    if (base == Base::end) jump += size;
    if (jump > size) return false;
    // A jump to before the buffer lands on its start, as in the field.
    cursor = static_cast<std::size_t>(std::max<std::int64_t>(jump, 0));
    return true;
  }
};

class ByteExtract : public BufferTest {
 public:
  NumberField field;
  std::uint64_t multiplier = 1;
  unsigned align = 0;
  std::size_t slot = 0;

  bool relative() const override { return field.relative; }
  bool holds(InspectContext& context, ByteView buffer, std::size_t& cursor) const override {
    std::uint64_t value = 0;
    std::size_t end = 0;
    if (!field.read(context, buffer, cursor, value, end)) return false;
    value *= multiplier;
    if (align != 0) value = (value + align - 1) / align * align;
    context.variables[slot] = value;
    cursor = end;
    return true;
  }
};

class ByteMath : public BufferTest {
 public:
  enum class Op : std::uint8_t { add, subtract, multiply, divide, left, right };
  NumberField field;
  Op op = Op::add;
  NumberArg operand;
  std::size_t slot = 0;

  bool relative() const override { return field.relative; }
  bool holds(InspectContext& context, ByteView buffer, std::size_t& cursor) const override {
    std::uint64_t value = 0;
    std::size_t end = 0;
    if (!field.read(context, buffer, cursor, value, end)) return false;
    if (!combine(value, static_cast<std::uint64_t>(NumberField::value_of(operand, context)))) return false;
    context.variables[slot] = value;
    cursor = end;
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

// A number or the name of a variable set before.
bool parse_arg(RuleBuilder& builder, const lang::RuleOption& option, const Part& part, std::int64_t smallest,
               std::int64_t largest, NumberArg& out) {
  if (!is_variable_name(part.text))
    return parse_bounded(builder, option, part, smallest, largest, out.literal);
  out.slot = builder.variable(part.text);
  if (out.slot >= 0) return true;
  builder
      .error_at(option, part.at, part.text.size(), "unknown-byte-variable",
                "no byte_extract or byte_math before this sets `" + std::string(part.text) + "`")
      .hint = core::did_you_mean(part.text, builder.variables);
  return false;
}

bool parse_mask(RuleBuilder& builder, const lang::RuleOption& option, const Part& part, std::uint64_t& mask) {
  std::int64_t value = 0;
  if (!parse_bounded(builder, option, part, 1, 0xffff'ffff, value)) return false;
  mask = static_cast<std::uint64_t>(value);
  return true;
}

// Words common to all four keywords. Empty result: not one of them.
std::optional<bool> parse_common(RuleBuilder& builder, const lang::RuleOption& option, const Part& part,
                                 NumberField& field, bool& is_string) {
  if (part.text == "relative") {
    field.relative = true;
  } else if (part.text == "big") {
    field.coding = Coding::big;
  } else if (part.text == "little") {
    field.coding = Coding::little;
  } else if (part.text == "string") {
    is_string = true;
    if (field.coding == Coding::big || field.coding == Coding::little) field.coding = Coding::decimal;
  } else if (part.text == "dec") {
    field.coding = Coding::decimal;
  } else if (part.text == "hex") {
    field.coding = Coding::hexadecimal;
  } else if (part.text == "oct") {
    field.coding = Coding::octal;
  } else if (part.text.starts_with("bitmask")) {
    return parse_mask(builder, option, trim({part.text.substr(7), part.at + 7}), field.mask);
  } else {
    return std::nullopt;
  }
  return true;
}

bool unknown_word(RuleBuilder& builder, const lang::RuleOption& option, const Part& part) {
  static const std::vector<std::string> kWords = {
      "relative", "big",   "little",     "string",         "dec",      "hex",        "oct",
      "bitmask",  "align", "multiplier", "from_beginning", "from_end", "post_offset"};
  builder
      .error_at(option, part.at, part.text.size(), "byte-argument",
                "unknown argument of `" + option.name + "`: `" + std::string(part.text) + "`")
      .hint = core::did_you_mean(part.text, kWords);
  return false;
}

bool check_string(RuleBuilder& builder, const lang::RuleOption& option, const NumberField& field,
                  bool is_string) {
  const bool text = field.coding != Coding::big && field.coding != Coding::little;
  if (text != is_string) {
    builder.error(option, "byte-coding",
                  text ? "`dec`, `hex` and `oct` need `string`" : "`string` contradicts `little` or `big`");
    return false;
  }
  const std::int64_t most = text ? 23 : 8;
  if (field.bytes.slot < 0 && field.bytes.literal > most) {
    builder.error(option, "byte-count", "too many bytes for a number").hint =
        "at most " + std::to_string(most);
    return false;
  }
  return true;
}

bool parse_test_operator(RuleBuilder& builder, const lang::RuleOption& option, Part part, ByteTest& test) {
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

void apply_byte_test(RuleBuilder& builder, const lang::RuleOption& option) {
  const auto parts = split(option.value, ',');
  if (parts.size() < 4) {
    builder.error(option, "byte-syntax", "byte_test needs four parts").hint =
        "byte_test:<bytes>,[!]<operator>,<value>,<offset>[,relative][,little][,string,dec]";
    return;
  }
  auto test = std::make_shared<ByteTest>();
  if (!parse_arg(builder, option, parts[0], 0, 23, test->field.bytes)) return;
  if (!parse_test_operator(builder, option, parts[1], *test)) return;
  if (!parse_arg(builder, option, parts[2], 0, std::numeric_limits<std::int64_t>::max(), test->operand))
    return;
  if (!parse_arg(builder, option, parts[3], -65535, 65535, test->field.offset)) return;
  bool is_string = false;
  for (std::size_t i = 4; i < parts.size(); ++i) {
    const auto common = parse_common(builder, option, parts[i], test->field, is_string);
    if (common && !*common) return;
    if (!common && !unknown_word(builder, option, parts[i])) return;
  }
  if (!check_string(builder, option, test->field, is_string)) return;
  builder.add_test(std::move(test));
}

bool parse_jump_word(RuleBuilder& builder, const lang::RuleOption& option, const Part& part, ByteJump& jump,
                     bool& is_string) {
  const auto common = parse_common(builder, option, part, jump.field, is_string);
  if (common) return *common;
  if (part.text == "align") {
    jump.align = true;
  } else if (part.text == "from_beginning") {
    jump.base = ByteJump::Base::beginning;
  } else if (part.text == "from_end") {
    jump.base = ByteJump::Base::end;
  } else if (part.text.starts_with("multiplier")) {
    return parse_bounded(builder, option, trim({part.text.substr(10), part.at + 10}), 1, 65535,
                         jump.multiplier);
  } else if (part.text.starts_with("post_offset")) {
    return parse_arg(builder, option, trim({part.text.substr(11), part.at + 11}), -65535, 65535,
                     jump.post_offset);
  } else {
    return unknown_word(builder, option, part);
  }
  return true;
}

void apply_byte_jump(RuleBuilder& builder, const lang::RuleOption& option) {
  const auto parts = split(option.value, ',');
  if (parts.size() < 2) {
    builder.error(option, "byte-syntax", "byte_jump needs two parts").hint =
        "byte_jump:<bytes>,<offset>[,relative][,little][,align][,from_beginning][,post_offset <n>]";
    return;
  }
  auto jump = std::make_shared<ByteJump>();
  if (!parse_arg(builder, option, parts[0], 0, 23, jump->field.bytes)) return;
  if (!parse_arg(builder, option, parts[1], -65535, 65535, jump->field.offset)) return;
  bool is_string = false;
  for (std::size_t i = 2; i < parts.size(); ++i) {
    if (!parse_jump_word(builder, option, parts[i], *jump, is_string)) return;
  }
  if (!check_string(builder, option, jump->field, is_string)) return;
  builder.add_test(std::move(jump));
}

// The slot of a new variable; a name may be set again.
bool new_variable(RuleBuilder& builder, const lang::RuleOption& option, const Part& part, std::size_t& slot) {
  if (!is_variable_name(part.text)) {
    builder.error_at(option, part.at, part.text.size(), "byte-variable-name", "this is no variable name");
    return false;
  }
  const int known = builder.variable(part.text);
  if (known >= 0) {
    slot = static_cast<std::size_t>(known);
    return true;
  }
  if (builder.variables.size() >= kMaxByteVariables) {
    builder.error_at(option, part.at, part.text.size(), "too-many-byte-variables",
                     "the rule has too many byte variables");
    return false;
  }
  slot = builder.variables.size();
  builder.variables.emplace_back(part.text);
  return true;
}

bool parse_extract_word(RuleBuilder& builder, const lang::RuleOption& option, const Part& part,
                        ByteExtract& extract, bool& is_string) {
  const auto common = parse_common(builder, option, part, extract.field, is_string);
  if (common) return *common;
  std::int64_t number = 0;
  if (part.text.starts_with("multiplier")) {
    if (!parse_bounded(builder, option, trim({part.text.substr(10), part.at + 10}), 1, 65535, number))
      return false;
    extract.multiplier = static_cast<std::uint64_t>(number);
    return true;
  }
  if (part.text.starts_with("align")) {
    const Part value = trim({part.text.substr(5), part.at + 5});
    if (value.text != "2" && value.text != "4") {
      builder.error_at(option, part.at, part.text.size(), "byte-argument", "align takes 2 or 4");
      return false;
    }
    extract.align = value.text == "2" ? 2 : 4;
    return true;
  }
  return unknown_word(builder, option, part);
}

void apply_byte_extract(RuleBuilder& builder, const lang::RuleOption& option) {
  const auto parts = split(option.value, ',');
  if (parts.size() < 3) {
    builder.error(option, "byte-syntax", "byte_extract needs three parts").hint =
        "byte_extract:<bytes>,<offset>,<name>[,relative][,little][,multiplier <n>]";
    return;
  }
  auto extract = std::make_shared<ByteExtract>();
  if (!parse_arg(builder, option, parts[0], 1, 23, extract->field.bytes)) return;
  if (!parse_arg(builder, option, parts[1], -65535, 65535, extract->field.offset)) return;
  bool is_string = false;
  for (std::size_t i = 3; i < parts.size(); ++i) {
    if (!parse_extract_word(builder, option, parts[i], *extract, is_string)) return;
  }
  if (!check_string(builder, option, extract->field, is_string)) return;
  if (!new_variable(builder, option, parts[2], extract->slot)) return;
  builder.add_test(std::move(extract));
}

bool parse_math_operator(RuleBuilder& builder, const lang::RuleOption& option, const Part& part,
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

// "key value" of a byte_math part.
bool parse_math_part(RuleBuilder& builder, const lang::RuleOption& option, const Part& part, ByteMath& math,
                     Part& result, unsigned& seen, bool& is_string) {
  const std::size_t blank = std::min(part.text.find_first_of(" \t"), part.text.size());
  const std::string_view key = part.text.substr(0, blank);
  const Part value = trim({part.text.substr(blank), part.at + blank});
  if (key == "bytes") {
    seen |= 1U;
    return parse_arg(builder, option, value, 1, 10, math.field.bytes);
  }
  if (key == "offset") {
    seen |= 2U;
    return parse_arg(builder, option, value, -65535, 65535, math.field.offset);
  }
  if (key == "oper") {
    seen |= 4U;
    return parse_math_operator(builder, option, value, math.op);
  }
  if (key == "rvalue") {
    seen |= 8U;
    return parse_arg(builder, option, value, 0, 0xffff'ffff, math.operand);
  }
  if (key == "result") {
    seen |= 16U;
    result = value;
    return true;
  }
  Part word = part;
  if (key == "endian" || (key == "string" && !value.text.empty())) {
    word = value;
    if (key == "string") is_string = true;
  }
  const auto common = parse_common(builder, option, word, math.field, is_string);
  return common ? *common : unknown_word(builder, option, part);
}

void apply_byte_math(RuleBuilder& builder, const lang::RuleOption& option) {
  auto math = std::make_shared<ByteMath>();
  Part result;
  unsigned seen = 0;
  bool is_string = false;
  for (const Part& part : split(option.value, ',')) {
    if (!parse_math_part(builder, option, part, *math, result, seen, is_string)) return;
  }
  if (seen != 31U) {
    builder.error(option, "byte-syntax", "byte_math lacks a part").hint =
        "byte_math:bytes <n>, offset <n>, oper <op>, rvalue <n>, result <name>";
    return;
  }
  if (!check_string(builder, option, math->field, is_string)) return;
  if (!new_variable(builder, option, result, math->slot)) return;
  builder.add_test(std::move(math));
}

constexpr KeywordDescriptor kKeywords[] = {
    {"byte_test", ValueNeed::required, "compares a number in the data", apply_byte_test},
    {"byte_jump", ValueNeed::required, "moves on by a number in the data", apply_byte_jump},
    {"byte_extract", ValueNeed::required, "keeps a number of the data in a variable", apply_byte_extract},
    {"byte_math", ValueNeed::required, "computes with a number of the data", apply_byte_math},
};

}  // namespace

std::span<const KeywordDescriptor> keyword_family_bytes() {
  return kKeywords;
}

}  // namespace gatehouse::ids
