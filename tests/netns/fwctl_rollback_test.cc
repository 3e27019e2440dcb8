// Changes with a way back: whoever dies, what was before comes back in time.
#include <fmt/format.h>
#include <gmock/gmock.h>
#include <sys/stat.h>
#include <unistd.h>

#include <csignal>
#include <cstdlib>
#include <filesystem>
#include <random>
#include <thread>

#include "core/os.h"
#include "fwctl/journal/journal.h"
#include "tests/netns/fwctl_machine.h"

namespace gatehouse::test {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;

class FwctlRollback : public OnMachine {
 protected:
  Output fwctl(const std::string& arguments) { return m_->fwctl(arguments); }
  // Until the ruleset is `wanted`, at most so long; the time it took.
  double seconds_until(const std::string& wanted, double most) {
    const std::int64_t start = core::monotonic_us();
    while (m_->ruleset() != wanted && core::monotonic_us() - start < static_cast<std::int64_t>(most * 1e6))
      usleep(20'000);
    return static_cast<double>(core::monotonic_us() - start) / 1e6;
  }

  const std::string small_ = example("minimal.yaml"), large_ = example("web-mail.yaml");
};

TEST_F(FwctlRollback, UnconfirmedIsTakenBackInTime) {
  ASSERT_EQ(fwctl("apply " + small_).status, 0);
  const std::string before = m_->ruleset();
  const Output applied = fwctl("apply --confirm-within 2s " + large_);
  ASSERT_EQ(applied.status, 0) << applied.text;
  EXPECT_THAT(applied.text, HasSubstr("is taken back in 2 s unless"));
  EXPECT_NE(m_->ruleset(), before);
  EXPECT_THAT(fwctl("apply " + small_).text, HasSubstr("waits for `fwctl confirm`"));
  EXPECT_LE(seconds_until(before, 5), 3.0);
  EXPECT_EQ(m_->ruleset(), before);
  EXPECT_THAT(fwctl("history").text, AllOf(HasSubstr("rolled back"), HasSubstr("not confirmed in time")));
  EXPECT_EQ(fwctl("confirm").status, 2);
}

TEST_F(FwctlRollback, ConfirmedStays) {
  ASSERT_EQ(fwctl("apply " + small_).status, 0);
  ASSERT_EQ(fwctl("apply --confirm-within 2s " + large_).status, 0);
  const std::string changed = m_->ruleset();
  EXPECT_EQ(fwctl("confirm").status, 0);
  usleep(2'700'000);
  EXPECT_EQ(m_->ruleset(), changed);
  EXPECT_THAT(fwctl("history").text, HasSubstr("confirmed by"));
}

TEST_F(FwctlRollback, WhatWasMadeByHandComesBackToo) {
  ASSERT_EQ(
      m_->run("nft add table inet gatehouse; nft add chain inet gatehouse c '{ type filter hook input "
              "priority 5; policy accept; }'; nft add rule inet gatehouse c tcp option maxseg size 1-500 "
              "drop; nft add set "
              "inet gatehouse s '{ type ipv4_addr; flags timeout; elements = { 10.0.0.1 timeout 1h } }'")
          .status,
      0);
  const auto without_times = [&] {
    return m_->run("nft -s list ruleset | sed 's/ expires [^ ,}]*//g'").text;
  };
  const std::string before = without_times();
  ASSERT_EQ(fwctl("apply --confirm-within 20s " + small_).status, 0);
  EXPECT_NE(without_times(), before);
  const Output back = fwctl("rollback");
  EXPECT_EQ(back.status, 0) << back.text;
  EXPECT_EQ(without_times(), before);
}

TEST_F(FwctlRollback, GoesBackStepByStep) {
  const std::string nothing = m_->ruleset();
  ASSERT_EQ(fwctl("apply --confirm-within 20s " + small_).status, 0);
  ASSERT_EQ(fwctl("confirm").status, 0);
  const std::string first = m_->ruleset();
  ASSERT_EQ(fwctl("apply " + large_).status, 0);
  EXPECT_EQ(fwctl("rollback 1").status, 2) << "not the newest";
  EXPECT_EQ(fwctl("rollback 2").status, 0);
  EXPECT_EQ(m_->ruleset(), first);
  EXPECT_EQ(fwctl("rollback").status, 0);
  EXPECT_EQ(m_->ruleset(), nothing);
  EXPECT_EQ(fwctl("rollback").status, 2);
}

TEST_F(FwctlRollback, TheSameSessionConfirmsNothing) {
  const std::string session =
      "SSH_CONNECTION='10.66.2.10 40000 10.66.2.1 22' " + std::string(GATEHOUSE_FWCTL);
  ASSERT_EQ(m_->run(session + " apply --i-know --confirm-within 20s " + small_).status, 0);
  const Output refused = m_->run(session + " confirm");
  EXPECT_EQ(refused.status, 3);
  EXPECT_THAT(refused.text, HasSubstr("confirm over a new connection"));
  EXPECT_EQ(
      m_->run("SSH_CONNECTION='10.66.2.10 40001 10.66.2.1 22' " + std::string(GATEHOUSE_FWCTL) + " confirm")
          .status,
      0);
}

TEST_F(FwctlRollback, ThePathOfAdministrationIsNotShut) {
  // Another table drops SSH to the servers, which the policy opens to the administration host.
  ASSERT_EQ(m_->run("nft add table ip other; nft add chain ip other f '{ type filter hook forward "
                    "priority 5; }'; nft "
                    "add rule ip other f tcp dport 22 drop")
                .status,
            0);
  const Output refused = fwctl("apply " + large_);
  EXPECT_EQ(refused.status, 2);
  EXPECT_THAT(refused.text,
              AllOf(HasSubstr("admin/bastion to servers/front, service ssh"),
                    HasSubstr("10.66.2.10:40000 > 10.66.1.10:22 SYN"), HasSubstr("ip other f rule 1")));
  EXPECT_THAT(m_->ruleset(), ::testing::Not(HasSubstr("gatehouse")));
  EXPECT_EQ(fwctl("apply --i-know " + large_).status, 0);
  ASSERT_EQ(m_->run("nft flush ruleset").status, 0);
  const Output session = m_->run("SSH_CONNECTION='198.51.100.7 40000 198.51.100.1 22' " +
                                 std::string(GATEHOUSE_FWCTL) + " apply " + large_);
  EXPECT_EQ(session.status, 2);
  EXPECT_THAT(session.text, HasSubstr("the SSH session in use, from 198.51.100.7"));
}

TEST_F(FwctlRollback, AKeeperThatIsKilledIsReplaced) {
  for (const bool first : {true, false}) {
    const std::string before = m_->ruleset();
    ASSERT_EQ(fwctl("apply --confirm-within 2s " + (first ? small_ : large_)).status, 0);
    const auto entries = m_->entries();
    ASSERT_TRUE(entries && !entries->empty());
    const std::uint64_t network = entries->back().network;
    ASSERT_EQ(keepers_of(network).size(), 2U);
    ASSERT_EQ(kill(first ? keepers_of(network).front() : keepers_of(network).back(), SIGKILL), 0);
    EXPECT_LE(seconds_until(before, 6), 3.2);
    EXPECT_EQ(m_->ruleset(), before);
    usleep(400'000);
    EXPECT_TRUE(keepers_of(network).empty()) << "they end with their work";
  }
}

}  // namespace
}  // namespace gatehouse::test
