// Boot: whatever is missing or broken, the ruleset is never empty.
#include <fmt/format.h>
#include <gmock/gmock.h>

#include "tests/netns/fwctl_machine.h"

namespace gatehouse::test {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;
using ::testing::Not;

class FwctlBoot : public OnMachine {
 protected:
  void SetUp() override {
    OnMachine::SetUp();
    if (!m_) return;
    broken_ = m_->directory() + "/broken.yaml";
    ASSERT_TRUE(core::write_file_atomic(broken_, "site: [\n"));
  }
  // What the base does with a packet, asked of the second evaluation of the proof.
  bool passes(const std::string& packet) {
    const Output out = m_->fwctl("explain " + example("web-mail.yaml") + " " + packet);
    EXPECT_THAT(out.text, HasSubstr("ruleset  ")) << packet;
    return out.text.find("ruleset  accept") != std::string::npos;
  }
  std::string broken_;
};

TEST_F(FwctlBoot, WithoutAnythingAllIsDroppedButNeighbourDiscovery) {
  const Output out = m_->fwctl("boot --entrance 10.66.2.0/24 " + broken_);
  EXPECT_EQ(out.status, 1) << "this is no policy";
  EXPECT_THAT(out.text, AllOf(HasSubstr("broken.yaml"), HasSubstr("neighbour discovery and the entrance")));
  EXPECT_TRUE(passes("in wan0 icmpv6 'fe80::1 > fe80::2' type 135 hop-limit 255 untracked"));
  EXPECT_FALSE(passes("in wan0 icmpv6 'fe80::1 > fe80::2' type 135 hop-limit 64 untracked"));
  EXPECT_TRUE(passes("in adm0 tcp '10.66.2.10:4000 > 10.66.2.1:22'"));
  EXPECT_TRUE(passes("in adm0 out srv0 tcp '10.66.2.10:4000 > 10.66.1.10:22'"));
  EXPECT_FALSE(passes("in adm0 tcp '10.66.2.10:4000 > 10.66.2.1:80'"));
  EXPECT_FALSE(passes("in wan0 tcp '198.51.100.7:4000 > 198.51.100.1:22'"));
  EXPECT_FALSE(passes("in wan0 out srv0 tcp '198.51.100.7:4000 > 10.66.1.10:80'"));
  EXPECT_FALSE(passes("out wan0 udp '198.51.100.1:4000 > 198.51.100.2:53'"));
  // The policy replaces it in place.
  EXPECT_EQ(m_->fwctl("apply " + example("web-mail.yaml")).status, 0);
  EXPECT_EQ(m_->fwctl("prove " + example("web-mail.yaml")).status, 0);
}

TEST_F(FwctlBoot, MistakesInItsArgumentsDoNotOpen) {
  EXPECT_EQ(m_->fwctl("boot --entrance nonsense").status, 1);
  EXPECT_THAT(m_->ruleset(), AllOf(HasSubstr("policy drop"), Not(HasSubstr("entrance"))));
  EXPECT_THAT(m_->fwctl("boot --entrance-port 2222").text, HasSubstr("nothing without --entrance"));
  EXPECT_THAT(m_->fwctl("boot --entrance 10.66.2.10 --entrance-port 0").text,
              HasSubstr("--entrance-port wants"));
}

TEST_F(FwctlBoot, SaysWhatIsInForce) {
  EXPECT_EQ(m_->fwctl("boot --json").text, "{\"in_force\":\"base\"}\n");
  ASSERT_EQ(m_->fwctl("boot " + example("minimal.yaml")).status, 0);
  const std::string before = m_->ruleset();
  const Output again = m_->fwctl("boot");
  EXPECT_EQ(again.status, 1);
  EXPECT_THAT(again.text, HasSubstr("the table that was there stays"));
  EXPECT_EQ(m_->ruleset(), before);
}

TEST_F(FwctlBoot, APolicyThatCanBeReadIsInForce) {
  const Output out = m_->fwctl("boot " + example("web-mail.yaml"));
  EXPECT_EQ(out.status, 0) << out.text;
  EXPECT_EQ(m_->fwctl("status " + example("web-mail.yaml")).status, 0);
}

TEST_F(FwctlBoot, WhatWasLastInForceComesBackThoughThePolicyIsBroken) {
  ASSERT_EQ(m_->fwctl("apply --confirm-within 60s " + example("web-mail.yaml")).status, 0);
  ASSERT_EQ(m_->fwctl("confirm").status, 0);
  const std::string before = m_->ruleset();
  ASSERT_EQ(m_->run("nft flush ruleset").status, 0);
  EXPECT_EQ(m_->fwctl("boot " + broken_).status, 0);
  EXPECT_EQ(m_->ruleset(), before);
  // A damaged image: the base stays, and the policy is the next to be tried.
  ASSERT_EQ(m_->run("nft flush ruleset; printf x >>" + m_->directory() + "/00000001.after").status, 0);
  EXPECT_EQ(m_->fwctl("boot " + broken_).status, 1);
  EXPECT_THAT(m_->ruleset(), HasSubstr("policy drop"));
  EXPECT_EQ(m_->fwctl("boot " + example("minimal.yaml")).status, 0);
}

TEST_F(FwctlBoot, AnUnconfirmedChangeIsOverAfterAReboot) {
  ASSERT_EQ(m_->fwctl("apply --confirm-within 60s " + example("minimal.yaml")).status, 0);
  ASSERT_EQ(m_->fwctl("confirm").status, 0);
  const std::string before = m_->ruleset();
  ASSERT_EQ(m_->fwctl("apply --confirm-within 60s " + example("web-mail.yaml")).status, 0);
  // As after a restart: the entry is of another boot, its keepers and the ruleset are gone.
  const auto entries = m_->entries();
  ASSERT_TRUE(entries && entries->size() == 2);
  for (const pid_t k : keepers_of(entries->back().network)) kill(k, SIGKILL);
  ASSERT_EQ(m_->run("nft flush ruleset; sed -i 's/\"boot\":\"[^\"]*\"/\"boot\":\"another\"/' " +
                    m_->directory() + "/00000002.json")
                .status,
            0);
  EXPECT_EQ(m_->fwctl("boot").status, 0);
  EXPECT_EQ(m_->ruleset(), before);
  EXPECT_THAT(m_->fwctl("history").text, HasSubstr("not confirmed before the machine was restarted"));
}

// Whatever memory there is: the policy is in force, or the base, or the program did not begin.
TEST_F(FwctlBoot, MemoryThatRunsOutLeavesTheBase) {
  std::string list;
  for (std::uint32_t i = 0; i < 300'000; ++i)
    list += core::IpAddress::v4(0x2d000000U + 2 * i).to_string() + '\n';
  ASSERT_TRUE(core::write_file_atomic(m_->directory() + "/list.txt", list));
  const std::string site = m_->site("firewall:\n", "  blocklists: [list.txt]\n");
  int ran_out = 0, in_force = 0;
  for (int megabytes = 16; megabytes <= 1024 && in_force == 0; megabytes += megabytes / 4) {
    ASSERT_EQ(m_->run("nft flush ruleset").status, 0);
    const Output out =
        m_->run(fmt::format("ulimit -v {}; {} boot {}", megabytes * 1024, GATEHOUSE_FWCTL, site));
    const std::string rules = m_->run("nft -s -t list ruleset").text;
    if (out.status == 0) {
      ++in_force;
      EXPECT_THAT(rules, HasSubstr("blocked-hosts-v4"));
    } else if (out.status == 1) {
      EXPECT_THAT(out.text, HasSubstr("everything is dropped but neighbour discovery"));
      EXPECT_THAT(rules, AllOf(HasSubstr("policy drop"), Not(HasSubstr("blocked-hosts-v4"))));
      ran_out += out.text.find("the memory ran out") != std::string::npos ? 1 : 0;
    } else {
      EXPECT_EQ(in_force + ran_out, 0) << "with less memory it came further: " << out.text;
    }
  }
  EXPECT_GT(ran_out, 0);
  EXPECT_EQ(in_force, 1);
}

// A control group of the test's own, with so much memory; nothing where none can be made.
class MemoryGroup {
 public:
  MemoryGroup() {
    for (const bool unified : {true, false}) {
      directory_ = fmt::format("/sys/fs/cgroup/{}gatehouse-test-{}", unified ? "" : "memory/", getpid());
      limit_ = directory_ + (unified ? "/memory.max" : "/memory.limit_in_bytes");
      if (mkdir(directory_.c_str(), 0755) == 0 && access(limit_.c_str(), W_OK) == 0) return;
      rmdir(directory_.c_str());
    }
    directory_.clear();
  }
  ~MemoryGroup() {
    if (!directory_.empty()) rmdir(directory_.c_str());
  }
  bool is_there() const { return !directory_.empty(); }
  // A command that runs `command` within `bytes`.
  std::string around(const std::string& command, std::uint64_t bytes) const {
    return fmt::format("echo {} >{} && sh -c 'echo $$ >{}/cgroup.procs && exec {}'", bytes, limit_,
                       directory_, command);
  }

 private:
  std::string directory_, limit_;
};

TEST_F(FwctlBoot, WhomTheKernelKillsForMemoryLeavesTheBase) {
  const MemoryGroup group;
  if (!group.is_there()) GTEST_SKIP() << "no control group for memory can be made here";
  std::string list;
  for (std::uint32_t i = 0; i < 100'000; ++i)
    list += core::IpAddress::v4(0x2d000000U + 2 * i).to_string() + '\n';
  ASSERT_TRUE(core::write_file_atomic(m_->directory() + "/list.txt", list));
  const std::string site = m_->site("firewall:\n", "  blocklists: [list.txt]\n");
  int told = 0, in_force = 0;
  for (std::uint64_t bytes = 3 << 20; bytes <= 512U << 20 && in_force == 0; bytes += bytes / 3) {
    ASSERT_EQ(m_->run("nft flush ruleset").status, 0);
    const Output out = m_->run(group.around(fmt::format("{} boot {}", GATEHOUSE_FWCTL, site), bytes));
    const std::string rules = m_->run("nft -s -t list ruleset").text;
    const bool policy = rules.find("blocked-hosts-v4") != std::string::npos;
    in_force += out.status == 0 ? 1 : 0;
    if (out.status == 0) {
      EXPECT_TRUE(policy);
    } else if (out.status == 1) {
      // The transaction may have been done when its sender was killed.
      EXPECT_EQ(out.text.find("everything is dropped but neighbour discovery") != std::string::npos, !policy)
          << out.text;
      EXPECT_THAT(rules, HasSubstr("policy drop"));
      told += out.text.find("killed before a policy was in force") != std::string::npos ? 1 : 0;
    }
  }
  EXPECT_GT(told, 0);
  EXPECT_EQ(in_force, 1);
}

}  // namespace
}  // namespace gatehouse::test
