// The setting of connection tracking that a SYN proxy supposes, under a guard.
#include <fmt/format.h>
#include <gmock/gmock.h>

#include "tests/netns/fwctl_guarded.h"

namespace gatehouse::test {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;
using ::testing::Not;

constexpr const char* kLoose = "/proc/sys/net/netfilter/nf_conntrack_tcp_loose";

class FwctlGuardSetting : public OnGuardedMachine {
 protected:
  std::string loose() const { return m_->run(fmt::format("cat {}", kLoose)).text; }
  void loosen() const { ASSERT_EQ(m_->run(fmt::format("echo 1 >{}", kLoose)).status, 0); }
  // True when `what` is told within five seconds.
  bool tells(const std::string& what, std::size_t after) const {
    const std::int64_t until = core::monotonic_us() + 5'000'000;
    while (core::monotonic_us() < until) {
      if (told().find(what, after) != std::string::npos) return true;
      usleep(10'000);
    }
    return false;
  }
  std::string answering(const std::string& on_drift) const {
    const std::string site = m_->site("    expose: [outside, admin]\n", "    syn-proxy: true\n");
    auto text = core::read_file(site);
    const std::string key = "firewall:\n";
    if (!text || text->find(key) == std::string::npos) return {};
    text->insert(text->find(key) + key.size(), "  guard: {on-drift: " + on_drift + "}\n");
    return core::write_file_atomic(site, *text) ? site : std::string();
  }
};

TEST_F(FwctlGuardSetting, IsMadeRightAgainFromWithinTheSandbox) {
  const std::string site = answering("repair");
  start("", site);
  EXPECT_THAT(told(), AllOf(HasSubstr("seccomp fwctl-guard"), HasSubstr("landlock")));
  EXPECT_EQ(loose(), "0\n");
  for (int i = 0; i < 3; ++i) {
    const std::size_t at = told().size();
    loosen();
    EXPECT_TRUE(tells("nf_conntrack_tcp_loose is 0 again", at)) << told();
    EXPECT_THAT(told().substr(at), HasSubstr("nf_conntrack_tcp_loose is 1"));
    EXPECT_EQ(loose(), "0\n");
  }
  EXPECT_EQ(m_->fwctl("status " + site).status, 0);
  EXPECT_THAT(told(), Not(HasSubstr("the ruleset is not what")));
}

TEST_F(FwctlGuardSetting, IsOnlyToldWherePolicySaysSo) {
  const std::string site = answering("alert");
  start("", site);
  const std::size_t at = told().size();
  loosen();
  EXPECT_TRUE(tells("nf_conntrack_tcp_loose is 1", at)) << told();
  usleep(500'000);
  EXPECT_EQ(loose(), "1\n");
  const std::string said = told().substr(at);
  EXPECT_EQ(said.find("nf_conntrack_tcp_loose is 1"), said.rfind("nf_conntrack_tcp_loose is 1"))
      << "told once";
  EXPECT_EQ(m_->fwctl("status " + site).status, 1);
}

TEST_F(FwctlGuardSetting, IsNobodysBusinessWithoutASynProxy) {
  start("");
  loosen();
  usleep(500'000);
  EXPECT_EQ(loose(), "1\n");
  EXPECT_THAT(told(), Not(HasSubstr("tcp_loose")));
  // Until a policy comes that has one.
  const std::string site = m_->site("    expose: [outside, admin]\n", "    syn-proxy: true\n");
  EXPECT_EQ(m_->fwctl("apply --i-know " + site).status, 0);
  EXPECT_EQ(loose(), "0\n");
  const std::size_t at = told().size();
  loosen();
  EXPECT_TRUE(tells("nf_conntrack_tcp_loose is 0 again", at)) << told();
}

}  // namespace
}  // namespace gatehouse::test
