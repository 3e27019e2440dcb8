#include "ids/keywords/regex.h"

#include <gtest/gtest.h>
#include <rapidcheck/gtest.h>

#include <regex>

namespace gatehouse::ids {
namespace {

std::shared_ptr<const CompiledRegex> compiled(const std::string& pattern, const RegexOptions& options = {}) {
  RegexError error;
  auto regex = CompiledRegex::compile(pattern, options, 3500, 1500, error);
  EXPECT_NE(regex, nullptr) << pattern << ": " << error.message;
  return regex;
}

bool found(const CompiledRegex& regex, const std::string& text, std::size_t from = 0) {
  std::size_t begin = 0;
  std::size_t end = 0;
  return regex.find(core::as_bytes(text), from, begin, end);
}

// Anchored regexes are given up on the first byte: that must never lose a match.
RC_GTEST_PROP(Regex, AnchoredOnesFindWhatAnotherLibraryFinds, ()) {
  static const std::vector<std::string> kPatterns = {
      "^a",       "^[ab]c?", "^(?:a|bc)", "^(?!a)b", "^(?=ab)a", "^a*$",  "^b?a",
      "^\\w+\\b", "^[^a]",   "^\\d*c",    "^$",      "^",        "^.*c$", "^(a|b)\\1",
  };
  const std::string pattern = *rc::gen::elementOf(kPatterns);
  const auto text = *rc::gen::container<std::string>(rc::gen::element('a', 'b', 'c', '1', ' ', 'A'));
  const auto regex = compiled(pattern);
  RC_ASSERT(found(*regex, text) == std::regex_search(text, std::regex(pattern)));
}

TEST(Regex, AnchoredAtTheFirstByteByOptionOrPattern) {
  RegexOptions anchored;
  anchored.anchored = true;
  EXPECT_TRUE(found(*compiled("b", anchored), "ab", 1));
  EXPECT_FALSE(found(*compiled("b", anchored), "ab", 0));
  EXPECT_TRUE(found(*compiled("\\Gb"), "ab", 1));
  RegexOptions caseless;
  caseless.caseless = true;
  EXPECT_TRUE(found(*compiled("^get", caseless), "GET /"));
  EXPECT_TRUE(found(*compiled("^\\x00"), std::string("\0a", 2)));
  EXPECT_TRUE(found(*compiled("^\\s*$"), ""));
  RegexOptions lines;
  lines.multiline = true;
  EXPECT_TRUE(found(*compiled("^b", lines), "a\nb"));
}

}  // namespace
}  // namespace gatehouse::ids
