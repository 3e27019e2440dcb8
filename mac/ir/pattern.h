// Path patterns: a literal path, `dir/*` (its entries) or `dir/**` (the directory and all below).
#pragma once

#include <compare>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "core/result.h"

namespace gatehouse::mac {

// An absolute path without `.`, `..`, doubled or trailing slashes; the root is "/".
// Purely textual: symbolic links are not followed. `..` is refused, since its meaning would
// depend on links.
core::Result<std::string> normalise_path(std::string_view path);
// True when `path` lies strictly below `directory`; both normalised.
bool is_below(std::string_view path, std::string_view directory);

struct Pattern {
  // In rising order of precedence for the same path text.
  enum class Kind : std::uint8_t { subtree, entries, literal };

  Kind kind = Kind::literal;
  std::string path;  // normalised, without the wildcard

  static core::Result<Pattern> parse(std::string_view text);
  bool matches(std::string_view normalised) const;
  std::string to_string() const;
  friend bool operator==(const Pattern&, const Pattern&) = default;
};

// Whether `a` is the more specific of two patterns that match the same path: a literal beats all,
// then the longer directory, then `/*` before `/**`. Two different patterns that match one path are
// always ordered: both directories are ancestors of it, so the texts differ in length or kind.
bool more_specific(const Pattern& a, const Pattern& b);

}  // namespace gatehouse::mac
