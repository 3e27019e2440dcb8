#include "fwctl/guard/bans.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <rapidcheck/gtest.h>

#include "fwctl/guard/report.h"

namespace gatehouse::fwctl {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;

core::IpAddress ip(const char* text) {
  return *core::IpAddress::parse(text);
}
core::BanRequest request(const char* address, std::uint32_t seconds) {
  core::BanRequest out;
  out.address = ip(address);
  out.seconds = seconds;
  return out;
}

TEST(Bans, TheEndIsNeverMovedNearer) {
  Bans bans(10);
  const auto first = bans.order(request("198.51.100.1", 10), 0);
  ASSERT_TRUE(first);
  EXPECT_FALSE(first->is_there);
  EXPECT_EQ(first->time_ms, 10'000U);
  bans.add({ip("198.51.100.1"), 10'000'000, "", ""});
  EXPECT_FALSE(bans.order(request("198.51.100.1", 5), 0)) << "it lasts that long already";
  const auto longer = bans.order(request("198.51.100.1", 20), 0);
  ASSERT_TRUE(longer);
  EXPECT_TRUE(longer->is_there);
  const auto after = bans.order(request("198.51.100.1", 5), 10'000'001);
  ASSERT_TRUE(after);
  EXPECT_FALSE(after->is_there) << "the kernel has dropped it";
}

TEST(Bans, SparesWhomItMust) {
  site::Site site;
  site::Zone servers;
  servers.name = "servers";
  servers.networks = {*core::IpPrefix::parse("10.0.0.0/8"), *core::IpPrefix::parse("fd00::/8")};
  site.zones = {servers};
  Bans bans(10);
  bans.spare(spared_by(site));
  EXPECT_TRUE(bans.allowed(ip("198.51.100.1"), 0));
  for (const char* a : {"10.1.2.3", "fd00::1", "127.0.0.1", "::1", "0.0.0.0", "::", "224.0.0.1", "ff02::1",
                        "fe80::1", "255.255.255.255"})
    EXPECT_FALSE(bans.allowed(ip(a), 0)) << a;
}

TEST(Bans, ThereIsAMostAndTimeMakesRoom) {
  Bans bans(2);
  bans.add({ip("198.51.100.1"), 100, "", ""});
  bans.add({ip("198.51.100.2"), 200, "", ""});
  EXPECT_FALSE(bans.allowed(ip("198.51.100.3"), 50));
  EXPECT_TRUE(bans.allowed(ip("198.51.100.1"), 50)) << "it is among them";
  EXPECT_TRUE(bans.allowed(ip("198.51.100.3"), 150));
  EXPECT_EQ(bans.all(150).size(), 1U);
}

// Against the plainest model: what is banned is the latest end of all requests that were granted.
RC_GTEST_PROP(Bans, FollowTheLatestEnd, ()) {
  Bans bans(1000);
  std::map<core::IpAddress, std::int64_t> model;
  std::int64_t now = 0;
  const int steps = *rc::gen::inRange(1, 60);
  for (int i = 0; i < steps; ++i) {
    now += *rc::gen::inRange(0, 5'000'000);
    core::BanRequest r;
    r.address = core::IpAddress::v4(0xc6336400U + *rc::gen::inRange<std::uint32_t>(0, 4));
    r.seconds = *rc::gen::inRange<std::uint32_t>(1, 8);
    const auto order = bans.order(r, now);
    const std::int64_t until = now + std::int64_t{r.seconds} * 1'000'000;
    const bool banned = model.count(r.address) != 0 && model[r.address] > now;
    RC_ASSERT(order.has_value() == (!banned || model[r.address] < until));
    if (order) {
      RC_ASSERT(order->is_there == banned);
      bans.add({r.address, until, "", ""});
      model[r.address] = until;
    }
    RC_ASSERT(bans.has(r.address, now));
  }
}

TEST(Metrics, AreWhatPrometheusReads) {
  GuardCounters c;
  c.in_force = true;
  c.drifts = 3;
  const std::string text =
      metrics_text(c, {{"input", "a \"quoted\" \\ comment", 7, 900}, {"input", "b", 1, 2}});
  EXPECT_THAT(text, HasSubstr("gatehouse_fwctl_in_force 1\n"));
  EXPECT_THAT(text,
              HasSubstr("# TYPE gatehouse_fwctl_drifts_total counter\ngatehouse_fwctl_drifts_total 3\n"));
  EXPECT_THAT(text, HasSubstr("gatehouse_fwctl_rule_packets_total{chain=\"input\",number=\"1\",rule=\"a "
                              "\\\"quoted\\\" \\\\ comment\"} 7\n"));
  EXPECT_THAT(text,
              HasSubstr("gatehouse_fwctl_rule_bytes_total{chain=\"input\",number=\"2\",rule=\"b\"} 2\n"));
  for (const char* line_end : {"\r", "\t"}) EXPECT_THAT(text, Not(HasSubstr(line_end)));
}

}  // namespace
}  // namespace gatehouse::fwctl
