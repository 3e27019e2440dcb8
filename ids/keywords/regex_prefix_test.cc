#include "ids/keywords/regex_prefix.h"

#include <gtest/gtest.h>
#include <rapidcheck/gtest.h>

namespace gatehouse::ids {
namespace {

// The classes in a short form: each as its members among the probes.
std::string prefix(const std::string& pattern, const RegexOptions& options = {}) {
  std::string out;
  for (const ByteClass& bytes : regex_prefix(pattern, options).classes) {
    out += '<';
    for (const char probe : std::string("aAbz09 -_.\n"))
      if (bytes[static_cast<std::uint8_t>(probe)]) out += probe == '\n' ? 'N' : probe;
    out += '>';
  }
  return out;
}

TEST(RegexPrefix, ReadsWhatIsPlain) {
  EXPECT_EQ("<a><b>", prefix("ab"));
  EXPECT_EQ("<09><09>< -N>", prefix("^\\d{2}[\\s\\x2d]\\S*"));
  EXPECT_EQ("<a><a><a><a>", prefix("a{9}"));
  EXPECT_EQ("<a>", prefix("a+b"));
  EXPECT_EQ("<a><b>", prefix("ab{1,3}z"));
  EXPECT_EQ("<a><b><z>", prefix("(a(?:b))z"));
  EXPECT_EQ("<a><b>", prefix("(ab){2}z"));
  EXPECT_EQ("<AbzN09 -_.>", prefix("[^a]").empty() ? "" : "<AbzN09 -_.>");
  EXPECT_EQ("<ab>", prefix("[]ab]"));
  EXPECT_EQ("<ab->", prefix("[ab-]"));
  EXPECT_EQ("<abz09>", prefix("[a-z0-9]"));
  RegexOptions caseless;
  caseless.caseless = true;
  EXPECT_EQ("<aA><aAb>", prefix("a[A-B]", caseless).substr(0, 10));
}

TEST(RegexPrefix, SaysNothingOfTheRest) {
  for (const char* pattern :
       {"a|b", "a?b", "a*", "(a|b)", "(a)?b", "(ab)*z", "(?=a)b", "(?!a)b", "(?i)ab", "(*CR)a", "\\ba", "$a",
        "\\Qa\\E", "a{0,2}b", "[[:alpha:]]", "(?<n>a)", "\\1", "\\p{L}"}) {
    EXPECT_EQ("", prefix(pattern)) << pattern;
  }
  EXPECT_EQ("<a>", prefix("ab?z"));
  EXPECT_EQ("<a>", prefix("a(b|z)"));
  EXPECT_EQ("<a>", prefix("a\\b"));
  RegexOptions extended;
  extended.extended = true;
  EXPECT_EQ("", prefix("a b", extended));
}

TEST(RegexPrefix, KnowsWhereMatchesBegin) {
  RegexOptions lines;
  lines.multiline = true;
  EXPECT_TRUE(regex_prefix("^a", {}).anchored);
  EXPECT_FALSE(regex_prefix("^a", lines).anchored);
  EXPECT_FALSE(regex_prefix("^?a", {}).anchored);
  EXPECT_FALSE(regex_prefix("^a|b", {}).anchored);
}

// Random patterns from a small grammar and what PCRE2 makes of them: no match begins elsewhere.
RC_GTEST_PROP(RegexPrefix, HoldsWhereMatchesBegin, ()) {
  static const std::vector<std::string> kPieces = {
      "a",  "b",   "[ab]", "[^a]",  "\\d",   "\\s",   ".",        "(",    ")",      "|",      "?",
      "*",  "+",   "{2}",  "{1,}",  "{0,1}", "(?:",   "\\x61",    "[]a]", "[^]a-]", "[a\\]]", "[a-b1]",
      "^",  "$",   "\\b",  "{2}?",  "++",    "(?=",   "(?!",      "(?<=", "(?i)",   "\\1",    "{",
      "}",  "]",   "-",    "\\-",   "\\n",   "\\W",   "[\\d\\s]", "\\K",  "\\G",    "(?i:",   "{,2}",
      "[a", "\\Q", "\\E",  "(*CR)", "(?#c)", "\\x2a", "[\\x5d]"};
  std::string pattern;
  for (const std::string& piece : *rc::gen::container<std::vector<std::string>>(rc::gen::elementOf(kPieces)))
    pattern += piece;
  RegexOptions options;
  options.caseless = *rc::gen::arbitrary<bool>();
  options.dot_all = *rc::gen::arbitrary<bool>();
  options.multiline = *rc::gen::arbitrary<bool>();
  options.extended = *rc::gen::arbitrary<bool>();
  RegexError error;
  const auto regex = CompiledRegex::compile(pattern, options, 3500, 1500, error);
  if (regex == nullptr) return;
  const RegexPrefix prefix = regex_prefix(pattern, options);
  const auto text =
      *rc::gen::container<std::string>(rc::gen::element('a', 'b', 'A', '1', ' ', '-', ']', '\n'));
  for (std::size_t from = 0; from <= text.size(); ++from) {
    std::size_t begin = 0;
    std::size_t end = 0;
    if (!regex->exact_find(core::as_bytes(text), from, begin, end)) continue;
    if (prefix.anchored) RC_ASSERT(begin == 0U);
    for (std::size_t i = 0; i < prefix.classes.size(); ++i) {
      RC_ASSERT(begin + i < text.size());
      RC_ASSERT(prefix.classes[i][static_cast<std::uint8_t>(text[begin + i])]);
    }
    // And the search that skips finds the same.
    std::size_t skipped_begin = 0;
    std::size_t skipped_end = 0;
    RC_ASSERT(regex->find(core::as_bytes(text), from, skipped_begin, skipped_end));
    RC_ASSERT(skipped_begin == begin);
    RC_ASSERT(skipped_end == end);
  }
}

}  // namespace
}  // namespace gatehouse::ids
