// byte_jump:<bytes>,<offset>[,...]: the next relative option counts from a place the data names.
#include <algorithm>

#include "ids/keywords/byte_field.h"

namespace gatehouse::ids {
namespace {

class ByteJump : public BufferTest {
 public:
  enum class Base : std::uint8_t { here, beginning, end };
  ByteField field;
  Base base = Base::here;
  bool align = false;
  std::int64_t multiplier = 1;
  NumberArg post_offset;

  bool relative() const override { return field.relative; }
  bool holds(InspectContext& context, ByteView buffer, std::size_t& cursor) const override {
    std::uint64_t value = 0;
    std::size_t at = 0;
    if (!field.read(context, buffer, cursor, value, at)) return false;
    value = field.masked(value);
    // A jump this long leaves every buffer; the bounds also keep the arithmetic below exact.
    const std::int64_t after = value_of(post_offset, context);
    constexpr std::int64_t kFar = 0xffff'ffff;
    if (value > static_cast<std::uint64_t>(kFar) || after > kFar || after < -kFar) return false;
    std::int64_t jump = static_cast<std::int64_t>(value) * multiplier;
    if (align) jump = (jump + 3) / 4 * 4;
    const auto size = static_cast<std::int64_t>(buffer.size());
    jump += after;
    if (base == Base::here) jump += static_cast<std::int64_t>(at);
    if (base == Base::end) jump += size;
    if (jump > size) return false;
    // A jump to before the buffer lands on its start, as in the field.
    cursor = static_cast<std::size_t>(std::max<std::int64_t>(jump, 0));
    return true;
  }
};

bool parse_base(RuleBuilder& builder, const lang::RuleOption& option, const Part& part, ByteJump& jump) {
  if (jump.base != ByteJump::Base::here) {
    builder.error_at(option, part.at, part.text.size(), "byte-argument",
                     "where the jump begins was already given");
    return false;
  }
  jump.base = part.text == "from_end" ? ByteJump::Base::end : ByteJump::Base::beginning;
  return true;
}

bool parse_word(RuleBuilder& builder, const lang::RuleOption& option, ByteArguments& arguments,
                const Part& part, ByteJump& jump) {
  if (const auto common = arguments.common(part)) return *common;
  Part value;
  if (part.text == "align") {
    jump.align = true;
    return true;
  }
  if (part.text == "from_beginning" || part.text == "from_end")
    return parse_base(builder, option, part, jump);
  if (ByteArguments::keyed(part, "multiplier", value))
    return parse_bounded(builder, option, value, 1, 65535, jump.multiplier);
  if (ByteArguments::keyed(part, "post_offset", value))
    return arguments.number(value, -65535, 65535, jump.post_offset);
  return arguments.unknown(part);
}

void apply(RuleBuilder& builder, const lang::RuleOption& option) {
  const auto parts = split(option.value, ',');
  if (parts.size() < 2) {
    builder.error(option, "byte-syntax", "byte_jump needs two parts").hint =
        "byte_jump:<bytes>,<offset>[,relative][,little][,align][,from_beginning][,post_offset <n>]";
    return;
  }
  auto jump = std::make_shared<ByteJump>();
  ByteArguments arguments(builder, option, jump->field);
  if (!arguments.number(parts[0], 0, kMostTextBytes, jump->field.bytes)) return;
  if (!arguments.number(parts[1], -65535, 65535, jump->field.offset)) return;
  for (std::size_t i = 2; i < parts.size(); ++i) {
    if (!parse_word(builder, option, arguments, parts[i], *jump)) return;
  }
  if (arguments.finish()) builder.add_test(std::move(jump));
}

constexpr KeywordDescriptor kKeywords[] = {
    {"byte_jump", ValueNeed::required, "moves on by a number in the data", apply},
};

}  // namespace

std::span<const KeywordDescriptor> keyword_family_byte_jump() {
  return kKeywords;
}

}  // namespace gatehouse::ids
