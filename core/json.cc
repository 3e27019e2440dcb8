#include "core/json.h"

#include <algorithm>
#include <cmath>

#include "core/utf8.h"

namespace gatehouse::core {
namespace {

constexpr char kHex[] = "0123456789abcdef";

void append_escape(std::string& out, unsigned char byte) {
  const char text[6] = {'\\', 'u', '0', '0', kHex[byte >> 4], kHex[byte & 15]};
  out.append(text, sizeof text);
}

// Eight bytes at once: none is a control character, a quote, a backslash, 0x7f or above. The sums are
// exact as to whether there is such a byte, not as to which.
bool all_plain(std::uint64_t word) {
  constexpr std::uint64_t kOnes = 0x0101'0101'0101'0101U, kHigh = 0x8080'8080'8080'8080U;
  const auto holds = [&](std::uint64_t byte) {
    const std::uint64_t x = word ^ (kOnes * byte);
    return (x - kOnes) & ~x;
  };
  const std::uint64_t control = (word - kOnes * 0x20) & ~word;
  return ((word | control | holds('"') | holds('\\') | holds(0x7f)) & kHigh) == 0;
}

// Copies `text` if it needs no escapes; `to` has room for it. The last bytes are copied with some before
// them.
bool copy_plain(char* to, std::string_view text) {
  const std::size_t size = text.size();
  const auto copy = [&]<class Word>(Word& word, std::size_t at) {
    std::memcpy(&word, text.data() + at, sizeof word);
    std::memcpy(to + at, &word, sizeof word);
  };
  std::uint64_t word = 0;
  if (size >= 8) {
    for (std::size_t at = 0; at + 8 <= size; at += 8) {
      copy(word, at);
      if (!all_plain(word)) return false;
    }
    copy(word, size - 8);
    return all_plain(word);
  }
  if (size >= 4) {
    std::uint32_t first = 0, last = 0;
    copy(first, 0);
    copy(last, size - 4);
    return all_plain(std::uint64_t{first} << 32U | last);
  }
  word = 0x2020'2020'2020'2020U;
  for (std::size_t at = 0; at < size; ++at) {
    to[at] = text[at];
    word = word << 8U | static_cast<unsigned char>(text[at]);
  }
  return all_plain(word);
}

}  // namespace

void append_json_string(std::string& out, std::string_view value) {
  out += '"';
  const auto* p = reinterpret_cast<const unsigned char*>(value.data());
  std::size_t plain = 0;  // start of the run that needs no escape
  for (std::size_t i = 0; i < value.size();) {
    if (value.size() - i >= 8) {
      std::uint64_t word = 0;
      std::memcpy(&word, p + i, sizeof word);
      if (all_plain(word)) {
        i += 8;
        continue;
      }
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

void JsonWriter::flush() {
  out_.append(room_.data(), static_cast<std::size_t>(end_ - room_.data()));
  end_ = room_.data();
}

JsonWriter& JsonWriter::any_key(std::string_view name) {
  ++depth_;  // a name alone is not a complete value
  string(name);
  --depth_;
  *end_++ = ':';
  need_comma_ = false;
  return *this;
}

JsonWriter& JsonWriter::raw(std::string_view json) {
  end_ = open_value();
  flush();
  out_ += json;
  return *this;
}

JsonWriter& JsonWriter::append_number(char* to, double value) {
  if (std::isfinite(value)) return part(std::to_chars(to, to + kMostPut, value).ptr);
  std::memcpy(to, "null", 4);
  return part(to + 4);
}

JsonWriter& JsonWriter::append_string(char* to, std::string_view value) {
  if (value.size() <= kMostPut && copy_plain(to + 1, value)) {
    *to = '"';
    to += value.size() + 1;
    *to++ = '"';
    return part(to);
  }
  end_ = to;
  flush();
  append_json_string(out_, value);
  return *this;
}

}  // namespace gatehouse::core
