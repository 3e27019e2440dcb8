#include "ids/state/reputation.h"

#include <gtest/gtest.h>
#include <rapidcheck/gtest.h>

namespace gatehouse::ids {
namespace {

core::IpAddress ip(const char* text) {
  return *core::IpAddress::parse(text);
}

bool read(Reputation& out, const std::string& scores, core::Diagnostics& d) {
  EXPECT_TRUE(
      out.read_categories(core::SourceText("cat", "# all\n1,Bad,hosts that attack\n2,CnC,servers\n"), d));
  const bool good = out.read_scores(core::SourceText("list", scores), d);
  out.build();
  return good;
}

TEST(Reputation, AHostSpeaksBeforeItsNetworksAndTheLongestNetworkFirst) {
  Reputation r;
  core::Diagnostics d;
  ASSERT_TRUE(read(r,
                   "10.0.0.0/8,1,10\n10.1.2.3/16,1,20\r\n\n# x\n10.1.2.3,1,30\n2001:db8::1/32,2,127\n"
                   "10.1.2.3/32,2,5\n",
                   d))
      << d.render_all();
  EXPECT_EQ(r.category("CnC"), 2U);
  EXPECT_FALSE(r.category("cnc"));
  EXPECT_EQ(r.score(ip("10.9.9.9"), 1), 10);
  EXPECT_EQ(r.score(ip("10.1.9.9"), 1), 20);
  EXPECT_EQ(r.score(ip("10.1.2.3"), 1), 30);
  EXPECT_EQ(r.score(ip("10.1.2.3"), 2), 5);
  EXPECT_FALSE(r.score(ip("10.1.2.4"), 2));
  EXPECT_FALSE(r.score(ip("11.0.0.0"), 1));
  EXPECT_EQ(r.score(ip("2001:db8:ffff::"), 2), 127);
  EXPECT_FALSE(r.score(ip("2001:db9::"), 2));
}

TEST(Reputation, RefusesMistakesWhereTheyAre) {
  const std::pair<const char*, const char*> rows[] = {
      {"10.0.0.1,1", "reputation-line"},         {"10.0.0.256,1,1", "reputation-address"},
      {"10.0.0.0/33,1,1", "reputation-address"}, {"10.0.0.1,3,1", "reputation-category"},
      {"10.0.0.1,1,128", "reputation-score"},    {"10.0.0.1,1,", "reputation-score"},
      {"10.0.0.1,-1,1", "reputation-category"}};
  for (const auto& [line, code] : rows) {
    Reputation r;
    core::Diagnostics d;
    EXPECT_FALSE(read(r, "10.0.0.1,1,1\n" + std::string(line) + "\n", d)) << line;
    ASSERT_EQ(d.all().size(), 1U) << line;
    EXPECT_EQ(d.all()[0].code, code) << line;
    EXPECT_EQ(d.all()[0].where.line, 2U) << line;
  }
  Reputation r;
  core::Diagnostics d;
  EXPECT_FALSE(r.read_categories(core::SourceText("cat", "0,a,b\n60,a,b\n1,,b\n1,a,b\n1,c,b\n2,a,b\n"), d));
  EXPECT_EQ(d.error_count(), 5U);
}

// Against asking every prefix.
RC_GTEST_PROP(PrefixScores, AgreeWithALookAtEveryPrefix, ()) {
  struct Entry {
    core::IpPrefix prefix;
    std::uint8_t score;
  };
  std::vector<Entry> entries;
  PrefixScores scores;
  const auto count = *rc::gen::inRange(0, 40);
  for (int i = 0; i < count; ++i) {
    // Few bits, so that prefixes nest and touch; the top ones meet the end of the address space.
    const auto length = *rc::gen::inRange(0, 33);
    const auto base =
        (*rc::gen::element(0U, 0xffffff00U)) | static_cast<std::uint32_t>(*rc::gen::inRange(0, 256));
    const std::uint32_t mask = length == 0 ? 0 : ~std::uint32_t{0} << (32 - length);
    const core::IpPrefix prefix{core::IpAddress::v4(base & mask), static_cast<std::uint8_t>(length)};
    const auto score = static_cast<std::uint8_t>(*rc::gen::inRange(0, 128));
    entries.push_back({prefix, score});
    scores.add(prefix, score);
  }
  scores.build();
  for (const std::uint32_t high : {0U, 0x7fffff00U, 0xffffff00U}) {
    for (std::uint32_t low = 0; low < 256; low += 3) {
      const core::IpAddress address = core::IpAddress::v4(high | low);
      std::optional<std::uint8_t> expected;
      int longest = -1;
      for (const Entry& e : entries) {
        if (!e.prefix.contains(address) || e.prefix.length < longest) continue;
        longest = e.prefix.length;
        expected = e.score;
      }
      RC_ASSERT(scores.find(address) == expected);
    }
  }
}

}  // namespace
}  // namespace gatehouse::ids
