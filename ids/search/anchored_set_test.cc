#include "ids/search/anchored_set.h"

#include <gtest/gtest.h>
#include <rapidcheck/gtest.h>

#include <algorithm>
#include <map>

namespace gatehouse::ids {
namespace {

class Ends : public LiteralSink {
 public:
  void on_literal(std::uint32_t literal, std::size_t end) override {
    EXPECT_EQ(0U, ends.count(literal)) << "reported twice";
    ends[literal] = end;
  }
  std::map<std::uint32_t, std::size_t> ends;
};

std::map<std::uint32_t, std::size_t> naive(const std::vector<AnchoredLiteral>& literals,
                                           const std::vector<std::uint8_t>& data, std::int64_t origin) {
  std::map<std::uint32_t, std::size_t> ends;
  for (std::uint32_t i = 0; i < literals.size(); ++i) {
    const auto& [literal, place] = literals[i];
    const std::int64_t begin = origin + place;
    const std::int64_t end = begin + static_cast<std::int64_t>(literal.bytes.size());
    if (begin < 0 || end > static_cast<std::int64_t>(data.size())) continue;
    if (std::equal(literal.bytes.begin(), literal.bytes.end(), data.begin() + begin,
                   [&](char a, std::uint8_t b) {
                     const char c = static_cast<char>(b);
                     return literal.nocase ? lower_letter(a) == lower_letter(c) : a == c;
                   })) {
      ends[i] = static_cast<std::size_t>(end);
    }
  }
  return ends;
}

RC_GTEST_PROP(AnchoredSet, IsAComparisonAtEachPlace, ()) {
  const auto letter = rc::gen::element('a', 'A', 'b', '\0', '\xe1');
  const auto text = [&](int longest) {
    const auto size = static_cast<std::size_t>(*rc::gen::inRange(1, longest));
    return *rc::gen::container<std::string>(size, letter);
  };
  const std::string bytes = text(60);
  const std::vector<std::uint8_t> data(bytes.begin(), bytes.end());  // so that a sanitizer sees its end
  std::vector<AnchoredLiteral> literals;
  for (int i = *rc::gen::element(1, 20, 200); i > 0; --i) {
    const auto place = *rc::gen::inRange<std::uint32_t>(0, 70);
    // Half of them are what lies there.
    std::string literal = text(14);
    if (*rc::gen::arbitrary<bool>() && place < bytes.size()) literal = bytes.substr(place, literal.size());
    literals.push_back({{literal, *rc::gen::arbitrary<bool>()}, place});
  }
  const auto origin = *rc::gen::inRange<std::int64_t>(-20, 70);
  Ends ends;
  const AnchoredSet set(literals);
  set.find(data, origin, ends);
  RC_ASSERT(ends.ends == naive(literals, data, origin));
  RC_ASSERT(set.size() == literals.size());
}

TEST(AnchoredSet, ReachIsTheEndOfTheFarthest) {
  const AnchoredSet set({{{"GET ", false}, 0}, {{"\x01", false}, 40}, {{"abcdefghij", true}, 3}});
  EXPECT_EQ(41U, set.reach());
}

}  // namespace
}  // namespace gatehouse::ids
