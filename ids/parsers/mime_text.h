// Header fields of mail as text: parameters (RFC 2045 5.1, RFC 2231), encoded words (RFC 2047),
// address lists (RFC 5322 3.4). Lenient where mail readers are.
#pragma once

#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace gatehouse::ids::mime {

std::string_view trim_blanks(std::string_view text);
std::string lower_ascii(std::string_view text);
bool equals_nocase(std::string_view a, std::string_view lower);

// `text/plain; charset=utf-8; name*0=a; name*1=b`
struct StructuredValue {
  std::string main;  // lower case, without comments and quotes
  // Names in lower case, values without quotes, in header order.
  std::vector<std::pair<std::string, std::string>> parameters;

  // One parameter, its RFC 2231 pieces put together and its character set undone; empty: none.
  std::string parameter(std::string_view name) const;
};
StructuredValue parse_structured(std::string_view value);

// Undoes encoded words: `=?utf-8?B?...?=`. Text that is none stays.
std::string decode_words(std::string_view text);

// What stands between the commas that are outside of quotes, comments and angle brackets.
std::vector<std::string_view> split_addresses(std::string_view value);

// A header field name and what follows its colon; an empty name: this line is no field.
struct FieldLine {
  std::string_view name, value;
};
FieldLine split_field(std::string_view line);

}  // namespace gatehouse::ids::mime
