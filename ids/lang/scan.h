// Scanning helpers shared by the files of this folder.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "ids/lang/ast.h"

namespace gatehouse::ids::lang {

// A mistake in a rule, at an offset into its text.
struct SyntaxError {
  std::string code;
  std::string message;
  std::string hint;
  TextOffset at = 0;
  std::uint32_t length = 1;
};

inline bool is_blank(char c) {
  return c == ' ' || c == '\t' || c == '\r' || c == '\n';
}

inline std::size_t skip_blanks(std::string_view text, std::size_t at) {
  while (at < text.size() && is_blank(text[at])) ++at;
  return at;
}

// Parses the group that starts at `at` and leaves `at` behind it. False: `error` says why.
bool scan_group(std::string_view text, std::size_t& at, GroupKind kind, GroupExpr& group, SyntaxError& error);

}  // namespace gatehouse::ids::lang
