// The bytes a match of a regex can begin with, read from its pattern: so that a search can skip to them.
#pragma once

#include <string_view>

#include "ids/keywords/regex.h"

namespace gatehouse::ids {

// Reads on while the pattern is plain: literals, escapes, classes, groups without alternatives, counts. What
// follows anything else is left out. `pattern` is one that PCRE2 compiled.
RegexPrefix regex_prefix(std::string_view pattern, const RegexOptions& options);

}  // namespace gatehouse::ids
