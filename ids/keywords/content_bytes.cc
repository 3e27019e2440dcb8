// The bytes a content stands for: text with |hex| parts and escapes.
#include "ids/keywords/values.h"

namespace gatehouse::ids {
namespace {

constexpr std::size_t kMaxPattern = 8192;

int hex_value(char c) {
  if (c >= '0' && c <= '9') return c - '0';
  if (c >= 'a' && c <= 'f') return c - 'a' + 10;
  if (c >= 'A' && c <= 'F') return c - 'A' + 10;
  return -1;
}

// The bytes between two `|`; `at` stands behind the first one and is left behind the second.
bool decode_hex(RuleBuilder& builder, const lang::RuleOption& option, const Part& text, std::size_t& at,
                std::string& out) {
  const std::size_t open = at - 1;
  int high = -1;
  for (; at < text.text.size(); ++at) {
    const char c = text.text[at];
    if (c == '|') {
      if (high >= 0) {
        builder.error_at(option, text.at + at - 1, 1, "content-hex", "a hex byte needs two digits");
        return false;
      }
      ++at;
      return true;
    }
    if (c == ' ') continue;
    const int digit = hex_value(c);
    if (digit < 0) {
      builder.error_at(option, text.at + at, 1, "content-hex", "this is no hex digit").hint =
          "bytes between `|` are written as pairs of hex digits: |0d 0a|";
      return false;
    }
    if (high < 0) {
      high = digit;
    } else {
      out += static_cast<char>(high << 4 | digit);
      high = -1;
    }
  }
  builder.error_at(option, text.at + open, 1, "content-hex", "this `|` is never closed").hint =
      "a literal `|` is written |7c|";
  return false;
}

}  // namespace

bool decode_bytes(RuleBuilder& builder, const lang::RuleOption& option, const Part& text, std::string& out) {
  std::size_t at = 0;
  while (at < text.text.size()) {
    const char c = text.text[at];
    if (c == '|') {
      if (!decode_hex(builder, option, text, ++at, out)) return false;
      continue;
    }
    if (c == '"') {
      builder.error_at(option, text.at + at, 1, "content-escape", "a `\"` inside a string must be escaped")
          .hint = "write `\\\"` or |22|";
      return false;
    }
    if (c == '\\') {
      const char next = at + 1 < text.text.size() ? text.text[at + 1] : '\0';
      if (next != '\\' && next != '"' && next != ';' && next != ':') {
        builder.error_at(option, text.at + at, 2, "content-escape", "unknown escape").hint =
            "only \\\\ \\\" \\; \\: are escapes; write other bytes as |hex|";
        return false;
      }
      out += next;
      at += 2;
      continue;
    }
    out += c;
    ++at;
  }
  if (out.empty()) {
    builder.error(option, "content-empty", "an empty content matches nothing");
    return false;
  }
  if (out.size() > kMaxPattern) {
    builder.error(option, "content-size", "this is too long").hint = "at most " + std::to_string(kMaxPattern);
    return false;
  }
  return true;
}

}  // namespace gatehouse::ids
