#include "ids/keywords/byte_field.h"

#include <algorithm>

#include "ids/parsers/byte_order.h"

namespace gatehouse::ids {
namespace {

using Coding = ByteField::Coding;

constexpr std::int64_t kLongestText = 256;  // blanks and leading zeros included

// DCE/RPC is little-endian unless its header says otherwise (C706 14.1).
bool dce_is_little(const Transaction* tx) {
  const auto* ordered = dynamic_cast<const ByteOrdered*>(tx);
  return ordered == nullptr || ordered->little_endian();
}

std::uint64_t read_binary(ByteView field, bool little) {
  std::uint64_t value = 0;
  for (std::size_t i = 0; i < field.size(); ++i)
    value = value << 8U | field[little ? field.size() - 1 - i : i];
  return value;
}

unsigned digit_of(std::uint8_t c) {
  if (c >= '0' && c <= '9') return c - '0';
  const auto folded = static_cast<std::uint8_t>(c | 0x20);
  return folded >= 'a' && folded <= 'f' ? folded - 'a' + 10U : 99;
}

// As strtoull() reads it: blanks, a sign, for hex an optional 0x, then digits as far as they go.
bool read_text(ByteView field, unsigned base, std::uint64_t& value, std::size_t& used) {
  std::size_t i = 0;
  while (i < field.size() && (field[i] == ' ' || (field[i] >= '\t' && field[i] <= '\r'))) ++i;
  const bool negative = i < field.size() && field[i] == '-';
  if (i < field.size() && (field[i] == '-' || field[i] == '+')) ++i;
  if (base == 16 && i + 2 < field.size() && field[i] == '0' && (field[i + 1] | 0x20) == 'x' &&
      digit_of(field[i + 2]) < 16) {
    i += 2;
  }
  const std::size_t first = i;
  value = 0;
  for (; i < field.size(); ++i) {
    const unsigned digit = digit_of(field[i]);
    if (digit >= base) break;
    if (value > (~std::uint64_t{0} - digit) / base) return false;
    value = value * base + digit;
  }
  if (negative) value = 0 - value;
  used = i;
  return i > first;
}

}  // namespace

std::int64_t value_of(const NumberArg& arg, const InspectContext& context) {
  return arg.slot >= 0 ? static_cast<std::int64_t>(context.variables[static_cast<std::size_t>(arg.slot)])
                       : arg.literal;
}

bool ByteField::read(const InspectContext& context, ByteView buffer, std::size_t cursor, std::uint64_t& value,
                     std::size_t& end) const {
  const std::int64_t count = value_of(bytes, context);
  const std::int64_t shift = value_of(offset, context);
  const auto size = static_cast<std::int64_t>(buffer.size());
  if (shift < -size || shift > size || count < 0 || count > (is_text() ? kMostTextBytes : kMostBinaryBytes))
    return false;
  const std::int64_t start = shift + (relative ? static_cast<std::int64_t>(cursor) : 0);
  if (buffer.empty() || start < 0 || start > size || count > size - start) return false;
  // Text of no given length goes as far as its digits do.
  const std::int64_t length = is_text() && count == 0 ? std::min(size - start, kLongestText) : count;
  const ByteView field = buffer.subspan(static_cast<std::size_t>(start), static_cast<std::size_t>(length));
  std::size_t used = field.size();
  switch (coding) {
    case Coding::big:
      value = read_binary(field, false);
      break;
    case Coding::little:
      value = read_binary(field, true);
      break;
    case Coding::dce:
      value = read_binary(field, dce_is_little(context.tx));
      break;
    case Coding::decimal:
      if (!read_text(field, 10, value, used)) return false;
      break;
    case Coding::hexadecimal:
      if (!read_text(field, 16, value, used)) return false;
      break;
    case Coding::octal:
      if (!read_text(field, 8, value, used)) return false;
      break;
  }
  end = static_cast<std::size_t>(start) + used;
  return true;
}

bool ByteArguments::number(const Part& part, std::int64_t smallest, std::int64_t largest,
                           NumberArg& out) const {
  if (!is_variable_name(part.text))
    return parse_bounded(builder_, option_, part, smallest, largest, out.literal);
  return parse_variable(builder_, option_, part, out);
}

bool ByteArguments::keyed(const Part& part, std::string_view keyword, Part& value) {
  if (!part.text.starts_with(keyword)) return false;
  const std::string_view rest = part.text.substr(keyword.size());
  if (!rest.empty() && rest[0] != ' ' && rest[0] != '\t') return false;
  value = trim({rest, part.at + keyword.size()});
  return true;
}

bool ByteArguments::coding(const Part& part, Coding coding, bool text) {
  bool& seen = text ? text_coding_ : binary_coding_;
  if (seen) {
    builder_.error_at(option_, part.at, part.text.size(), "byte-coding",
                      "the coding of the number was already given");
    return false;
  }
  seen = true;
  if (text || !text_coding_) field_.coding = coding;
  return true;
}

std::optional<bool> ByteArguments::common(const Part& part) {
  Part value;
  if (part.text == "relative") {
    field_.relative = true;
    return true;
  }
  if (part.text == "string") {
    string_ = true;
    return true;
  }
  if (part.text == "big") return coding(part, Coding::big, false);
  if (part.text == "little") return coding(part, Coding::little, false);
  if (part.text == "dce") {
    static constexpr std::string_view kCarriers[] = {"dcerpc", "smb"};
    return builder_.require_protocols(kCarriers, option_) && coding(part, Coding::dce, false);
  }
  if (part.text == "dec") return coding(part, Coding::decimal, true);
  if (part.text == "hex") return coding(part, Coding::hexadecimal, true);
  if (part.text == "oct") return coding(part, Coding::octal, true);
  if (keyed(part, "bitmask", value)) {
    std::int64_t mask = 0;
    if (!parse_bounded(builder_, option_, value, 1, 0xffff'ffff, mask)) return false;
    field_.mask = static_cast<std::uint64_t>(mask);
    return true;
  }
  return std::nullopt;
}

bool ByteArguments::unknown(const Part& part) const {
  static const std::vector<std::string> kWords = {
      "relative", "big",        "little",         "dce",      "string",      "dec",   "hex",   "oct",
      "bitmask",  "multiplier", "from_beginning", "from_end", "post_offset", "align", "endian"};
  builder_
      .error_at(option_, part.at, part.text.size(), "byte-argument",
                part.text.empty()
                    ? "an argument is missing here"
                    : "unknown argument of `" + option_.name + "`: `" + std::string(part.text) + "`")
      .hint = core::did_you_mean(part.text, kWords);
  return false;
}

bool ByteArguments::finish() {
  if (string_ && binary_coding_)
    builder_.warning(option_, "byte-coding", "`big`, `little` and `dce` have no effect beside `string`");
  if (text_coding_ && !string_) {
    builder_.error(option_, "byte-coding", "`dec`, `hex` and `oct` need `string`");
    return false;
  }
  if (string_ && !text_coding_) field_.coding = Coding::decimal;
  const std::int64_t most = string_ ? kMostTextBytes : kMostBinaryBytes;
  if (field_.bytes.slot < 0 && field_.bytes.literal > most) {
    builder_.error(option_, "byte-count", "too many bytes for a number").hint =
        "at most " + std::to_string(most);
    return false;
  }
  return true;
}

bool ByteArguments::result(const Part& part, std::size_t& slot) const {
  if (!is_variable_name(part.text)) {
    builder_.error_at(option_, part.at, part.text.size(), "byte-variable-name", "this is no variable name");
    return false;
  }
  const int known = builder_.variable(part.text);
  if (known >= 0) {
    slot = static_cast<std::size_t>(known);
    return true;
  }
  if (builder_.variables.size() >= kMaxByteVariables) {
    builder_.error_at(option_, part.at, part.text.size(), "too-many-byte-variables",
                      "the rule has too many byte variables");
    return false;
  }
  slot = builder_.variables.size();
  builder_.variables.emplace_back(part.text);
  return true;
}

}  // namespace gatehouse::ids
