#include "ids/parsers/mime_text.h"

#include <algorithm>
#include <optional>

#include "ids/parsers/mime_decode.h"

namespace gatehouse::ids::mime {
namespace {

// More parameters than any mail needs: the rest is not read.
constexpr std::size_t kMaxParameters = 64;

constexpr bool is_blank(char c) {
  return c == ' ' || c == '\t' || c == '\r' || c == '\n';
}

char lower(char c) {
  return c >= 'A' && c <= 'Z' ? static_cast<char>(c + 32) : c;
}

// A comment in parentheses, nested; `at` is behind its opening one. Returns the place behind it.
std::size_t skip_comment(std::string_view text, std::size_t at) {
  unsigned depth = 1;
  while (at < text.size() && depth > 0) {
    if (text[at] == '\\') {
      ++at;
    } else if (text[at] == '(') {
      ++depth;
    } else if (text[at] == ')') {
      --depth;
    }
    ++at;
  }
  return std::min(at, text.size());
}

// Reads `"..."` with its escapes; `at` stands on the quote and then behind the closing one.
std::string take_quoted(std::string_view text, std::size_t& at) {
  std::string out;
  for (++at; at < text.size() && text[at] != '"'; ++at) {
    if (text[at] == '\\' && at + 1 < text.size()) ++at;
    out.push_back(text[at]);
  }
  if (at < text.size()) ++at;
  return out;
}

// Bytes of a character set as UTF-8, as far as that takes no tables.
std::string to_utf8(std::string_view charset, std::string bytes) {
  const std::string name = lower_ascii(charset);
  if (name != "iso-8859-1" && name != "latin1" && name != "windows-1252") return bytes;
  std::string out;
  for (const char c : bytes) {
    const auto byte = static_cast<unsigned char>(c);
    if (byte < 0x80) {
      out.push_back(c);
    } else {
      out.push_back(static_cast<char>(0xc0U | byte >> 6U));
      out.push_back(static_cast<char>(0x80U | (byte & 0x3fU)));
    }
  }
  return out;
}

std::string undo_percent(std::string_view text) {
  std::string out;
  for (std::size_t i = 0; i < text.size(); ++i) {
    if (text[i] == '%' && i + 2 < text.size()) {
      const int high = hex_digit(text[i + 1]), low = hex_digit(text[i + 2]);
      if (high >= 0 && low >= 0) {
        out.push_back(static_cast<char>(high * 16 + low));
        i += 2;
        continue;
      }
    }
    out.push_back(text[i]);
  }
  return out;
}

// RFC 2231 4: charset'language'text.
std::string undo_extended(std::string_view value) {
  const std::size_t first = value.find('\'');
  const std::size_t second = first == std::string_view::npos ? first : value.find('\'', first + 1);
  if (second == std::string_view::npos) return undo_percent(value);
  return to_utf8(value.substr(0, first), undo_percent(value.substr(second + 1)));
}

// One encoded word at `at`; moves behind it.
std::optional<std::string> take_word(std::string_view text, std::size_t& at) {
  const std::size_t charset_end = text.find('?', at + 2);
  if (charset_end == std::string_view::npos || charset_end + 2 >= text.size()) return std::nullopt;
  const char encoding = lower(text[charset_end + 1]);
  if ((encoding != 'b' && encoding != 'q') || text[charset_end + 2] != '?') return std::nullopt;
  const std::size_t end = text.find("?=", charset_end + 3);
  if (end == std::string_view::npos) return std::nullopt;
  const std::string_view body = text.substr(charset_end + 3, end - charset_end - 3);
  std::string_view charset = text.substr(at + 2, charset_end - at - 2);
  charset = charset.substr(0, charset.find('*'));  // a language may follow: RFC 2231 5
  std::vector<std::uint8_t> bytes;
  if (encoding == 'b') {
    Base64Decoder decoder;
    decoder.feed(body, bytes);
    decoder.finish(bytes);
  } else {
    for (std::size_t i = 0; i < body.size(); ++i) {
      const int high = body[i] == '=' && i + 2 < body.size() ? hex_digit(body[i + 1]) : -1;
      const int low = high >= 0 ? hex_digit(body[i + 2]) : -1;
      if (low >= 0) {
        bytes.push_back(static_cast<std::uint8_t>(high * 16 + low));
        i += 2;
      } else {
        bytes.push_back(static_cast<std::uint8_t>(body[i] == '_' ? ' ' : body[i]));
      }
    }
  }
  at = end + 2;
  return to_utf8(charset, std::string(bytes.begin(), bytes.end()));
}

}  // namespace

std::string_view trim_blanks(std::string_view text) {
  while (!text.empty() && is_blank(text.front())) text.remove_prefix(1);
  while (!text.empty() && is_blank(text.back())) text.remove_suffix(1);
  return text;
}

std::string lower_ascii(std::string_view text) {
  std::string out(text);
  std::transform(out.begin(), out.end(), out.begin(), lower);
  return out;
}

bool equals_nocase(std::string_view a, std::string_view lower_case) {
  return a.size() == lower_case.size() &&
         std::equal(a.begin(), a.end(), lower_case.begin(), [](char x, char y) { return lower(x) == y; });
}

StructuredValue parse_structured(std::string_view value) {
  StructuredValue out;
  std::size_t at = 0;
  std::string main;
  while (at < value.size() && value[at] != ';') {
    if (value[at] == '(') {
      at = skip_comment(value, at + 1);
    } else if (value[at] == '"') {
      main += take_quoted(value, at);
    } else {
      main.push_back(value[at++]);
    }
  }
  out.main = lower_ascii(trim_blanks(main));
  while (at < value.size() && out.parameters.size() < kMaxParameters) {
    const std::size_t name_end = std::min(value.find_first_of("=;", ++at), value.size());
    std::string name = lower_ascii(trim_blanks(value.substr(at, name_end - at)));
    at = name_end;
    if (at >= value.size() || value[at] == ';') continue;  // no value: not a parameter
    ++at;
    while (at < value.size() && is_blank(value[at])) ++at;
    if (at < value.size() && value[at] == '"') {
      out.parameters.emplace_back(std::move(name), take_quoted(value, at));
      at = std::min(value.find(';', at), value.size());
    } else {
      // Blanks belong to it: names of files are sent like that.
      const std::size_t end = std::min(value.find(';', at), value.size());
      out.parameters.emplace_back(std::move(name), trim_blanks(value.substr(at, end - at)));
      at = end;
    }
  }
  return out;
}

std::string StructuredValue::parameter(std::string_view name) const {
  const std::string* plain = nullptr;
  std::string joined;
  bool pieces = false;
  std::string charset;
  for (const auto& [key, value] : parameters) {
    if (!key.starts_with(name)) continue;
    std::string_view rest = std::string_view(key).substr(name.size());
    if (rest.empty()) {
      if (plain == nullptr) plain = &value;
    } else if (rest == "*") {
      return undo_extended(value);
    }
  }
  for (std::size_t i = 0; i < kMaxParameters; ++i) {
    const std::string wanted = std::string(name) + '*' + std::to_string(i);
    const auto found = std::find_if(parameters.begin(), parameters.end(), [&](const auto& p) {
      return p.first == wanted ||
             (p.first.size() == wanted.size() + 1 && p.first.starts_with(wanted) && p.first.back() == '*');
    });
    if (found == parameters.end()) break;
    pieces = true;
    std::string_view text = found->second;
    if (found->first.back() != '*') {
      joined += text;
      continue;
    }
    if (i == 0) {
      const std::size_t first = text.find('\'');
      const std::size_t second = first == std::string_view::npos ? first : text.find('\'', first + 1);
      if (second != std::string_view::npos) {
        charset = text.substr(0, first);
        text.remove_prefix(second + 1);
      }
    }
    joined += undo_percent(text);
  }
  if (pieces) return to_utf8(charset, std::move(joined));
  return plain == nullptr ? std::string() : *plain;
}

std::string decode_words(std::string_view text) {
  if (text.find("=?") == std::string_view::npos) return std::string(text);
  std::string out;
  std::size_t at = 0;
  std::size_t blanks = 0;  // behind the last encoded word: they go when another one follows
  bool after_word = false;
  while (at < text.size()) {
    if (text.substr(at).starts_with("=?")) {
      if (auto word = take_word(text, at)) {
        if (after_word) out.resize(out.size() - blanks);
        out += *word;
        after_word = true;
        blanks = 0;
        continue;
      }
    }
    const char c = text[at++];
    out.push_back(c);
    if (after_word && is_blank(c)) {
      ++blanks;
    } else {
      after_word = false;
      blanks = 0;
    }
  }
  return out;
}

std::vector<std::string_view> split_addresses(std::string_view value) {
  std::vector<std::string_view> out;
  std::size_t begin = 0, at = 0;
  bool angle = false;
  const auto take = [&](std::size_t end) {
    const std::string_view part = trim_blanks(value.substr(begin, end - begin));
    if (!part.empty()) out.push_back(part);
    begin = end + 1;
  };
  while (at < value.size()) {
    const char c = value[at];
    if (c == '"') {
      (void)take_quoted(value, at);
      continue;
    }
    if (c == '(') {
      at = skip_comment(value, at + 1);
      continue;
    }
    if (c == '<' || c == '>') angle = c == '<';
    if (c == ',' && !angle) take(at);
    ++at;
  }
  take(value.size());
  return out;
}

FieldLine split_field(std::string_view line) {
  const std::size_t colon = line.find(':');
  if (colon == std::string_view::npos || colon == 0) return {};
  std::string_view name = line.substr(0, colon);
  while (!name.empty() && (name.back() == ' ' || name.back() == '\t')) name.remove_suffix(1);
  const bool printable =
      !name.empty() && std::all_of(name.begin(), name.end(), [](char c) { return c > ' ' && c < 127; });
  if (!printable) return {};
  return {name, trim_blanks(line.substr(colon + 1))};
}

}  // namespace gatehouse::ids::mime
