// Lists of 100,000 sources, as feeds have them.
#include <fmt/format.h>
#include <gmock/gmock.h>

#include <random>

#include "tests/netns/fwctl_machine.h"
#include "tests/netns/fwctl_network.h"

namespace gatehouse::test {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;

class FwctlBlocklist : public OnMachine {
 protected:
  void SetUp() override {
    OnMachine::SetUp();
    if (!m_) return;
    site_ = m_->site("firewall:\n", "  blocklists: [list.txt]\n");
    ASSERT_FALSE(site_.empty());
  }
  void list(const std::string& text) {
    ASSERT_TRUE(core::write_file_atomic(m_->directory() + "/list.txt", text));
  }
  std::size_t count(const std::string& set) {
    std::size_t out = 0;
    m_->inside().enter([&] {
      auto kernel = Kernel::open();
      if (!kernel) return;
      const auto live = kernel->read("gatehouse");
      if (live && live->table && live->table->find_set(set) != nullptr)
        out = live->table->find_set(set)->elements.size();
    });
    return out;
  }
  bool dropped_as_listed(const std::string& source) {
    const std::string to = source.find(':') == std::string::npos ? "10.66.1.10:80" : "[fd66:1::10]:80";
    const std::string from =
        source.find(':') == std::string::npos ? source + ":4000" : "[" + source + "]:4000";
    const Output out =
        m_->fwctl("explain " + site_ + " in wan0 out srv0 tcp '" + from + "' '>' '" + to + "'");
    const bool policy = out.text.find("the source is on a blocklist") != std::string::npos;
    EXPECT_EQ(policy, out.text.find("ruleset  drop") != std::string::npos) << out.text;
    return policy;
  }
  std::string site_;
};

TEST_F(FwctlBlocklist, AHundredThousandEntriesArriveWholeAndMerged) {
  std::string text = "# a feed\r\n";
  for (std::uint32_t i = 0; i < 50'000; ++i) {
    const core::IpAddress host = core::IpAddress::v4(0x2d000000U + i * 3);
    text += host.to_string() + " ; host\r\n";
    if (i % 10 == 0) text += host.to_string() + "\r\n";  // twice
  }
  for (std::uint32_t i = 0; i < 50'000; ++i) {
    const core::IpAddress net = core::IpAddress::v4(0x50000000U + i * 512);
    text += net.to_string() + "/24\n";
    if (i % 10 == 0) text += core::IpAddress::v4(0x50000000U + i * 512 + 7).to_string() + "\n";  // within
  }
  text += "2001:db8:bad::/48\n2001:db8:bad:1::/64\n2001:db8:dead::1\n";
  list(text);
  const Output applied = m_->fwctl("apply " + site_);
  ASSERT_EQ(applied.status, 0) << applied.text;
  EXPECT_EQ(count("blocked-hosts-v4"), 50'000U);
  EXPECT_EQ(count("blocked-ranges-v4"), 50'000U);
  EXPECT_EQ(count("blocked-hosts-v6"), 1U);
  EXPECT_EQ(count("blocked-ranges-v6"), 1U);
  EXPECT_EQ(m_->fwctl("status " + site_).status, 0);
  for (const char* listed :
       {"45.0.0.3", "45.2.73.237", "80.0.2.200", "2001:db8:bad:1::5", "2001:db8:dead::1"})
    EXPECT_TRUE(dropped_as_listed(listed)) << listed;
  for (const char* free : {"45.0.0.4", "80.0.1.5", "2001:db8:dead::2", "198.51.100.7"})
    EXPECT_FALSE(dropped_as_listed(free)) << free;
  const Output proof = m_->fwctl("prove " + site_);
  EXPECT_EQ(proof.status, 0) << proof.text;
  // One that is lost is noticed; another feed changes what it changes.
  ASSERT_EQ(m_->run("nft delete element inet gatehouse blocked-hosts-v4 '{ 45.0.0.3 }'").status, 0);
  EXPECT_THAT(m_->fwctl("plan " + site_).text,
              AllOf(HasSubstr("+ 45.0.0.3"), HasSubstr("is no longer reachable"),
                    HasSubstr("from 45.0.0.3\n"), HasSubstr("1 change(s)")));
  list("198.51.100.7\n");
  const Output fewer = m_->fwctl("apply " + site_);
  EXPECT_EQ(fewer.status, 0) << fewer.text;
  EXPECT_EQ(count("blocked-hosts-v4"), 1U);
}

TEST_F(FwctlBlocklist, GarbageIsRefusedWithItsLineAndChangesNothing) {
  list("198.51.100.7\n");
  ASSERT_EQ(m_->fwctl("apply " + site_).status, 0);
  const std::string before = m_->ruleset();
  list("198.51.100.8\n0.0.0.0/0\n");
  const Output refused = m_->fwctl("apply " + site_);
  EXPECT_EQ(refused.status, 2);
  EXPECT_THAT(refused.text, HasSubstr("list.txt:2:1: error"));
  ASSERT_EQ(m_->run("rm " + m_->directory() + "/list.txt").status, 0);
  EXPECT_EQ(m_->fwctl("apply " + site_).status, 2);
  EXPECT_EQ(m_->ruleset(), before);
}

// Without CAP_NET_ADMIN in the first user namespace a socket sends so much at once and no more.
TEST_F(FwctlBlocklist, WhatIsTooLargeForAnotherUserNamespaceChangesNothing) {
  if (m_->run("unshare -Urn true").status != 0) GTEST_SKIP() << "no user namespaces here";
  const auto wmem_max = core::read_file("/proc/sys/net/core/wmem_max", 32);
  ASSERT_TRUE(wmem_max);
  const auto hosts = [](std::size_t count) {
    std::string out;
    for (std::uint32_t i = 0; i < count; ++i)
      out += core::IpAddress::v4(0x2d000000U + i * 3).to_string() + '\n';
    return out;
  };
  // An element is 16 bytes of a message at least.
  const std::size_t too_many = 2 * std::stoul(*wmem_max) / 16 + 50'000;
  if (too_many > 5'000'000) GTEST_SKIP() << "net.core.wmem_max is " << *wmem_max;
  list(hosts(too_many));
  ASSERT_EQ(m_->run("mv " + m_->directory() + "/list.txt " + m_->directory() + "/large").status, 0);
  list(hosts(100'000));
  const Output out = m_->run(fmt::format(
      R"(unshare -Urn sh -c 'cd {0}
{1} apply {2} || exit 10
nft list ruleset >before; grep -q 45.4.147.221 before || exit 11
mv large list.txt; {1} apply {2}; test $? = 3 || exit 12
{1} apply --confirm-within 60s {2}; test $? = 3 || exit 13
nft list ruleset >after; cmp before after || exit 14
nft flush ruleset; {1} boot {2} || exit 15
nft list ruleset | grep -q 45.4.147.221 || exit 16
nft flush ruleset; GATEHOUSE_STATE=/nowhere {1} boot {2}; test $? = 1 || exit 17
nft list ruleset | grep -q "policy drop" || exit 18')",
      m_->directory(), GATEHOUSE_FWCTL, site_));
  EXPECT_EQ(out.status, 0) << out.text;
  EXPECT_THAT(out.text, HasSubstr("twice net.core.wmem_max is the most; nothing was applied"));
}

class FwctlBlocked : public FwctlNetwork {};

TEST_F(FwctlBlocked, AListedSourceIsDroppedAndItsNeighbourPasses) {
  ASSERT_TRUE(
      topology_->outside.run("ip addr add 198.51.100.3/24 dev eth0; ip addr add 198.51.100.4/24 dev eth0\n"
                             "ip -6 addr add 2001:db8:ff::3/64 dev eth0 nodad"));
  const Listener web(topology_->servers, 80);
  site::Site site = full_site();
  const auto range = [&](const char* first, const char* last) {
    site.firewall.blocked.push_back({*core::IpAddress::parse(first), *core::IpAddress::parse(last)});
  };
  for (std::uint32_t i = 0; i < 100'000; ++i) {
    const core::IpAddress host = core::IpAddress::v4(0x2d000000U + i * 3);
    site.firewall.blocked.push_back({host, host});
  }
  range("198.51.100.3", "198.51.100.3");
  range("198.51.100.4", "198.51.100.7");
  range("2001:db8:ff::3", "2001:db8:ff::3");
  put(site);
  EXPECT_EQ(proof(site), "holds");
  EXPECT_TRUE(dial(topology_->outside, "198.51.100.2", "10.66.1.10", 80, 2000));
  EXPECT_TRUE(dial(topology_->outside, "2001:db8:ff::2", "fd66:1::10", 80, 2000));
  EXPECT_FALSE(dial(topology_->outside, "198.51.100.3", "10.66.1.10", 80));
  EXPECT_FALSE(dial(topology_->outside, "198.51.100.4", "10.66.1.10", 80));
  EXPECT_FALSE(dial(topology_->outside, "2001:db8:ff::3", "fd66:1::10", 80));
}

}  // namespace
}  // namespace gatehouse::test
