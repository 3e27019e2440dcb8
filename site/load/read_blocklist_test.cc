#include <gtest/gtest.h>
#include <rapidcheck/gtest.h>

#include <set>

#include "site/load/load.h"

namespace gatehouse::site {
namespace {

std::string parsed(const std::string& text) {
  core::Diagnostics diagnostics;
  std::string out;
  for (const AddressRange& r : parse_blocklist(core::SourceText("list", text), diagnostics))
    out += r.first.to_string() + "-" + r.last.to_string() + "\n";
  return out + diagnostics.render_all();
}

TEST(Blocklist, ReadsWhatFeedsPublish) {
  EXPECT_EQ(
      parsed("# comment\r\n\r\n 192.0.2.7 ; why\r\n192.0.2.7\r\n198.51.100.9/24\n203.0.113.5 - 203.0.113.9\n"
             "2001:db8:bad::/48\n2001:db8:bad::1"),
      "192.0.2.7-192.0.2.7\n198.51.100.0-198.51.100.255\n203.0.113.5-203.0.113.9\n"
      "2001:db8:bad::-2001:db8:bad:ffff:ffff:ffff:ffff:ffff\n");
}

TEST(Blocklist, MergesWhatOverlapsOrTouches) {
  EXPECT_EQ(parsed("10.0.1.0/24\n10.0.0.0/24\n10.0.0.7\n10.0.2.0\n255.255.255.255\n255.255.255.254"),
            "10.0.0.0-10.0.2.0\n255.255.255.254-255.255.255.255\n");
}

TEST(Blocklist, MistakesHavePlaces) {
  for (const char* bad :
       {"x", "1.2.3", "1.2.3.4/33", "1.2.3.4/", "1.2.3.4/-1", "9.9.9.9-1.1.1.1", "1.2.3.4-::1", "::/129",
        "1.2.3.4 5.6.7.8", "0.0.0.0/0", "10.0.0.0/7", "::/0", "2000::/3", "0.0.0.0-255.255.255.255"}) {
    core::Diagnostics diagnostics;
    (void)parse_blocklist(core::SourceText("list", std::string("192.0.2.1\n  ") + bad + "\n"), diagnostics);
    ASSERT_EQ(diagnostics.error_count(), 1U) << bad;
    EXPECT_EQ(diagnostics.all()[0].where.line, 2U) << bad;
    EXPECT_EQ(diagnostics.all()[0].where.column, 3U) << bad;
  }
  EXPECT_EQ(parsed("10.0.0.0/8"), "10.0.0.0-10.255.255.255\n");
}

// Against a set of all addresses.
RC_GTEST_PROP(Blocklist, HoldsExactlyWhatIsListed, ()) {
  std::string text;
  std::set<std::uint32_t> model;
  const int entries = *rc::gen::inRange(0, 30);
  for (int i = 0; i < entries; ++i) {
    const std::uint32_t first = 0x0a000000U + *rc::gen::inRange<std::uint32_t>(0, 300);
    const std::uint32_t last = first + *rc::gen::inRange<std::uint32_t>(0, 20);
    text += IpAddress::v4(first).to_string() + "-" + IpAddress::v4(last).to_string() + "\n";
    for (std::uint32_t a = first; a <= last; ++a) model.insert(a);
  }
  core::Diagnostics diagnostics;
  std::set<std::uint32_t> seen;
  std::uint32_t before = 0;
  for (const AddressRange& r : parse_blocklist(core::SourceText("list", text), diagnostics)) {
    RC_ASSERT(before == 0 || r.first.v4_host_order() > before + 1);
    before = r.last.v4_host_order();
    for (std::uint32_t a = r.first.v4_host_order(); a <= before; ++a) seen.insert(a);
  }
  RC_ASSERT(seen == model);
}

}  // namespace
}  // namespace gatehouse::site
