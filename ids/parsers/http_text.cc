#include "ids/parsers/http_text.h"

#include <algorithm>

namespace gatehouse::ids::http {

int hex_digit(char c) {
  if (c >= '0' && c <= '9') return c - '0';
  if (c >= 'a' && c <= 'f') return c - 'a' + 10;
  if (c >= 'A' && c <= 'F') return c - 'A' + 10;
  return -1;
}

bool is_token_char(char c) {
  if (c <= ' ' || c >= 0x7f) return false;  // char may be signed: bytes above 0x7f are negative or >= 0x80
  return std::string_view("()<>@,;:\\\"/[]?={}").find(c) == std::string_view::npos;
}

bool equal_nocase(std::string_view a, std::string_view b) {
  return a.size() == b.size() &&
         std::equal(a.begin(), a.end(), b.begin(), [](char x, char y) { return to_lower(x) == to_lower(y); });
}

std::size_t find_nocase(std::string_view text, std::string_view needle) {
  const auto at = std::search(text.begin(), text.end(), needle.begin(), needle.end(),
                              [](char x, char y) { return to_lower(x) == y; });
  return at == text.end() && !needle.empty() ? std::string_view::npos
                                             : static_cast<std::size_t>(at - text.begin());
}

std::string lower(std::string_view text) {
  std::string out(text);
  for (char& c : out) c = to_lower(c);
  return out;
}

std::string_view trim(std::string_view text) {
  const auto drop = [](char c) { return is_space(c) || c == '\0'; };
  while (!text.empty() && drop(text.front())) text.remove_prefix(1);
  while (!text.empty() && drop(text.back())) text.remove_suffix(1);
  return text;
}

std::string without_nul(std::string_view text) {
  std::string out(text);
  std::erase(out, '\0');
  return out;
}

std::optional<std::uint64_t> parse_length(std::string_view text, bool& clean) {
  clean = true;
  std::size_t i = 0;
  while (i < text.size() && !is_digit(text[i])) {
    if (text[i] == '-') {
      clean = false;
      return std::nullopt;
    }
    clean = clean && is_space(text[i]);
    ++i;
  }
  if (i == text.size()) {
    clean = false;
    return std::nullopt;
  }
  std::uint64_t value = 0;
  for (; i < text.size() && is_digit(text[i]); ++i) {
    const auto digit = static_cast<std::uint64_t>(text[i] - '0');
    if (value > (INT64_MAX - digit) / 10) return std::nullopt;
    value = value * 10 + digit;
  }
  for (; i < text.size(); ++i) clean = clean && is_space(text[i]);
  return value;
}

std::optional<std::string> base64url_decode(std::string_view text) {
  while (!text.empty() && text.back() == '=') text.remove_suffix(1);
  std::string out;
  std::uint32_t bits = 0;
  unsigned count = 0;
  for (const char c : text) {
    std::uint32_t value = 0;
    if (c >= 'A' && c <= 'Z') {
      value = static_cast<std::uint32_t>(c - 'A');
    } else if (c >= 'a' && c <= 'z') {
      value = static_cast<std::uint32_t>(c - 'a' + 26);
    } else if (is_digit(c)) {
      value = static_cast<std::uint32_t>(c - '0' + 52);
    } else if (c == '-' || c == '+') {
      value = 62;
    } else if (c == '_' || c == '/') {
      value = 63;
    } else {
      return std::nullopt;
    }
    bits = bits << 6U | value;
    if ((count += 6) < 8) continue;
    count -= 8;
    out.push_back(static_cast<char>(bits >> count & 0xffU));
  }
  return out;
}

std::vector<std::string_view> split_list(std::string_view text) {
  std::vector<std::string_view> out;
  while (!text.empty()) {
    const std::size_t comma = std::min(text.find(','), text.size());
    const std::string_view item = trim(text.substr(0, comma));
    if (!item.empty()) out.push_back(item);
    text.remove_prefix(std::min(comma + 1, text.size()));
  }
  return out;
}

namespace {

// Reads a token or a quoted string at `i`.
std::string parameter_value(std::string_view value, std::size_t i) {
  std::string out;
  if (i < value.size() && value[i] == '"') {
    for (++i; i < value.size() && value[i] != '"'; ++i) {
      if (value[i] == '\\' && i + 1 < value.size()) ++i;
      out.push_back(value[i]);
    }
    return out;
  }
  while (i < value.size() && value[i] != ';') out.push_back(value[i++]);
  return std::string(trim(out));
}

}  // namespace

std::optional<std::string> parameter(std::string_view value, std::string_view name) {
  std::size_t i = value.find(';');
  while (i != std::string_view::npos && i < value.size()) {
    ++i;
    while (i < value.size() && is_space(value[i])) ++i;
    const std::size_t begin = i;
    while (i < value.size() && value[i] != '=' && value[i] != ';') ++i;
    const std::string_view key = trim(value.substr(begin, i - begin));
    if (i == value.size() || value[i] == ';') continue;
    ++i;
    while (i < value.size() && is_space(value[i])) ++i;
    if (equal_nocase(key, name)) return parameter_value(value, i);
    // Skip this value; a quoted one may contain semicolons.
    bool quoted = false;
    for (; i < value.size() && (quoted || value[i] != ';'); ++i) {
      if (value[i] == '\\' && quoted && i + 1 < value.size()) {
        ++i;
      } else if (value[i] == '"') {
        quoted = !quoted;
      }
    }
  }
  return std::nullopt;
}

}  // namespace gatehouse::ids::http
