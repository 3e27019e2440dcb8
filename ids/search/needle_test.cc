#include "ids/search/needle.h"

#include <gtest/gtest.h>
#include <rapidcheck/gtest.h>

#include <vector>

namespace gatehouse::ids {
namespace {

ByteView bytes_of(const std::string& text) {
  return {reinterpret_cast<const std::uint8_t*>(text.data()), text.size()};
}

std::string lowered(std::string text) {
  for (char& c : text) {
    if (c >= 'A' && c <= 'Z') c = static_cast<char>(c + 32);
  }
  return text;
}

std::size_t plainly(const std::string& text, std::size_t from, std::size_t to, const std::string& pattern,
                    bool nocase) {
  to = std::min(to, text.size());
  if (from > to) return Needle::kNowhere;
  const std::string part = text.substr(0, to);
  const std::size_t found = nocase ? lowered(part).find(lowered(pattern), from) : part.find(pattern, from);
  return found == std::string::npos ? Needle::kNowhere : found;
}

// Few letters, so that there are many near misses; every alignment and window.
RC_GTEST_PROP(NeedleTest, FindsWhatAPlainSearchFinds, ()) {
  const auto letter = rc::gen::element('a', 'A', 'b', '@', '`', '\0', '[', '{');
  const auto text = *rc::gen::container<std::string>(letter);
  const auto pattern = *rc::gen::resize(6, rc::gen::nonEmpty(rc::gen::container<std::string>(letter)));
  const auto from = *rc::gen::inRange<std::size_t>(0, text.size() + 2);
  const auto to = *rc::gen::inRange<std::size_t>(0, text.size() + 2);
  const bool nocase = *rc::gen::arbitrary<bool>();
  RC_ASSERT(Needle(pattern, nocase).find(bytes_of(text), from, to) ==
            plainly(text, from, to, pattern, nocase));
}

TEST(NeedleTest, LiesAtEveryPlaceOfALongBuffer) {
  for (const std::string pattern : {"x", "xy", "needle", "a needle of more than sixteen bytes"}) {
    const Needle needle(pattern, true);
    for (std::size_t at = 0; at < 80; ++at) {
      const std::string text = std::string(at, '.') + pattern;
      EXPECT_EQ(needle.find(bytes_of(text), 0, text.size()), at) << pattern;
      EXPECT_EQ(needle.find(bytes_of(text), 0, text.size() - 1), Needle::kNowhere) << pattern;
      EXPECT_EQ(needle.find(bytes_of(text), at + 1, text.size()), Needle::kNowhere) << pattern;
    }
  }
}

TEST(NeedleTest, EmptyPatternLiesWhereTheSearchBegins) {
  EXPECT_EQ(Needle("", false).find(bytes_of("abc"), 2, 3), 2U);
  EXPECT_EQ(Needle("", false).find(bytes_of("abc"), 4, 9), Needle::kNowhere);
}

}  // namespace
}  // namespace gatehouse::ids
