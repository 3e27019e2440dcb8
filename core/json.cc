#include "core/json.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <cmath>

namespace gatehouse::core {
namespace {

constexpr char kHex[] = "0123456789abcdef";

void append_escape(std::string& out, unsigned char byte) {
  const char text[6] = {'\\', 'u', '0', '0', kHex[byte >> 4], kHex[byte & 15]};
  out.append(text, sizeof text);
}

// Length of the valid UTF-8 sequence at `p` (RFC 3629: no overlong forms, no surrogates), 0 if none.
std::size_t utf8_length(const unsigned char* p, std::size_t left) {
  const auto continues = [&](std::size_t i) { return i < left && (p[i] & 0xc0) == 0x80; };
  if (p[0] < 0x80) return 1;
  if (p[0] >= 0xc2 && p[0] <= 0xdf) return continues(1) ? 2 : 0;
  if (p[0] >= 0xe0 && p[0] <= 0xef) {
    if (!continues(1) || !continues(2)) return 0;
    if (p[0] == 0xe0 && p[1] < 0xa0) return 0;
    if (p[0] == 0xed && p[1] > 0x9f) return 0;
    return 3;
  }
  if (p[0] >= 0xf0 && p[0] <= 0xf4) {
    if (!continues(1) || !continues(2) || !continues(3)) return 0;
    if (p[0] == 0xf0 && p[1] < 0x90) return 0;
    if (p[0] == 0xf4 && p[1] > 0x8f) return 0;
    return 4;
  }
  return 0;
}

template <class T>
void append_number(std::string& out, T value) {
  std::array<char, 32> text;
  const auto end = std::to_chars(text.data(), text.data() + text.size(), value).ptr;
  out.append(text.data(), static_cast<std::size_t>(end - text.data()));
}

// Eight bytes at once: none is a control character, a quote, a backslash, 0x7f or above. The sums are
// exact as to whether there is such a byte, not as to which.
bool all_plain(const unsigned char* p) {
  constexpr std::uint64_t kOnes = 0x0101'0101'0101'0101U, kHigh = 0x8080'8080'8080'8080U;
  std::uint64_t word = 0;
  std::memcpy(&word, p, sizeof word);
  const auto holds = [&](std::uint64_t byte) {
    const std::uint64_t x = word ^ (kOnes * byte);
    return (x - kOnes) & ~x;
  };
  const std::uint64_t control = (word - kOnes * 0x20) & ~word;
  return ((word | control | holds('"') | holds('\\') | holds(0x7f)) & kHigh) == 0;
}

bool is_plain(std::string_view text) {
  const auto* p = reinterpret_cast<const unsigned char*>(text.data());
  std::size_t i = 0;
  for (; text.size() - i >= 8; i += 8) {
    if (!all_plain(p + i)) return false;
  }
  for (; i < text.size(); ++i) {
    if (p[i] < 0x20 || p[i] >= 0x7f || p[i] == '"' || p[i] == '\\') return false;
  }
  return true;
}

// `text` between quotes, with what stands before and behind it, in one step: nearly all that events are made
// of. False: it is long or needs escapes.
bool append_short(std::string& out, std::string_view before, std::string_view text, std::string_view behind) {
  std::array<char, 64> room;
  if (before.size() + text.size() + behind.size() + 2 > room.size() || !is_plain(text)) return false;
  char* end = std::copy(before.begin(), before.end(), room.data());
  *end++ = '"';
  end = std::copy(text.begin(), text.end(), end);
  *end++ = '"';
  end = std::copy(behind.begin(), behind.end(), end);
  out.append(room.data(), static_cast<std::size_t>(end - room.data()));
  return true;
}

}  // namespace

void append_json_string(std::string& out, std::string_view value) {
  out += '"';
  const auto* p = reinterpret_cast<const unsigned char*>(value.data());
  std::size_t plain = 0;  // start of the run that needs no escape
  for (std::size_t i = 0; i < value.size();) {
    if (value.size() - i >= 8 && all_plain(p + i)) {
      i += 8;
      continue;
    }
    const unsigned char c = p[i];
    if (c >= 0x20 && c < 0x7f && c != '"' && c != '\\') {
      ++i;
      continue;
    }
    if (c >= 0x80) {
      if (const std::size_t length = utf8_length(p + i, value.size() - i); length != 0) {
        i += length;
        continue;
      }
    }
    out.append(value.data() + plain, i - plain);
    switch (c) {
      case '"':
        out += "\\\"";
        break;
      case '\\':
        out += "\\\\";
        break;
      case '\n':
        out += "\\n";
        break;
      case '\r':
        out += "\\r";
        break;
      case '\t':
        out += "\\t";
        break;
      default:
        append_escape(out, c);
    }
    plain = ++i;
  }
  out.append(value.data() + plain, value.size() - plain);
  out += '"';
}

void JsonWriter::separate() {
  if (need_comma_) out_ += ',';
  need_comma_ = true;
}

JsonWriter& JsonWriter::begin_object() {
  separate();
  out_ += '{';
  need_comma_ = false;
  return *this;
}
JsonWriter& JsonWriter::end_object() {
  out_ += '}';
  need_comma_ = true;
  return *this;
}
JsonWriter& JsonWriter::begin_array() {
  separate();
  out_ += '[';
  need_comma_ = false;
  return *this;
}
JsonWriter& JsonWriter::end_array() {
  out_ += ']';
  need_comma_ = true;
  return *this;
}
JsonWriter& JsonWriter::key(std::string_view name) {
  if (!append_short(out_, need_comma_ ? "," : "", name, ":")) {
    separate();
    append_json_string(out_, name);
    out_ += ':';
  }
  need_comma_ = false;
  return *this;
}
JsonWriter& JsonWriter::string(std::string_view value) {
  if (!append_short(out_, need_comma_ ? "," : "", value, "")) {
    separate();
    append_json_string(out_, value);
  }
  need_comma_ = true;
  return *this;
}
JsonWriter& JsonWriter::number(std::int64_t value) {
  separate();
  append_number(out_, value);
  return *this;
}
JsonWriter& JsonWriter::number(std::uint64_t value) {
  separate();
  append_number(out_, value);
  return *this;
}
JsonWriter& JsonWriter::number(double value) {
  if (!std::isfinite(value)) return null();
  separate();
  append_number(out_, value);
  return *this;
}
JsonWriter& JsonWriter::boolean(bool value) {
  return raw(value ? "true" : "false");
}
JsonWriter& JsonWriter::null() {
  return raw("null");
}
JsonWriter& JsonWriter::raw(std::string_view json) {
  separate();
  out_ += json;
  return *this;
}

}  // namespace gatehouse::core
