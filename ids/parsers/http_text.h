// Small text helpers of the HTTP parser. ASCII only: HTTP field names and tokens have no locale.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace gatehouse::ids::http {

inline char to_lower(char c) {
  return c >= 'A' && c <= 'Z' ? static_cast<char>(c + ('a' - 'A')) : c;
}
inline bool is_blank(char c) {
  return c == ' ' || c == '\t';
}
// White space as servers take it, not only what the grammar allows: also VT, FF, CR, LF.
inline bool is_space(char c) {
  return c == ' ' || (c >= '\t' && c <= '\r');
}
inline bool is_digit(char c) {
  return c >= '0' && c <= '9';
}
// -1 when it is no hexadecimal digit.
int hex_digit(char c);
// RFC 9110 5.6.2 tchar.
bool is_token_char(char c);

bool equal_nocase(std::string_view a, std::string_view b);
// Where `needle` (lower case) begins in `text`, case ignored; npos when absent.
std::size_t find_nocase(std::string_view text, std::string_view needle);
std::string lower(std::string_view text);
// Without white space and NUL at both ends.
std::string_view trim(std::string_view text);
// Without NUL bytes: receivers written in C ignore or stop at them, so names are compared without.
std::string without_nul(std::string_view text);

// The first run of digits; anything before it must not be a minus sign. Empty when there is none
// or it exceeds 63 bits. `clean` is set to whether nothing but white space surrounds it.
std::optional<std::uint64_t> parse_length(std::string_view text, bool& clean);

// The elements of a comma separated list, trimmed, empty ones left out.
std::vector<std::string_view> split_list(std::string_view text);

// RFC 4648 5, padding optional. Empty optional: other characters.
std::optional<std::string> base64url_decode(std::string_view text);

// A parameter of a field value such as `attachment; filename="a b.txt"`; quotes and backslashes
// removed. Empty optional when absent.
std::optional<std::string> parameter(std::string_view value, std::string_view name);

}  // namespace gatehouse::ids::http
