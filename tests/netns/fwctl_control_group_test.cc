// What the gatehouse itself may send, by the control group of the program.
#include <gmock/gmock.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <fstream>
#include <thread>

#include "core/control_group.h"
#include "fwctl/compile/groups.h"
#include "fwctl/control/restore.h"
#include "fwctl/guard/groups.h"
#include "fwctl/journal/journal.h"
#include "fwctl/prove/interpret.h"
#include "fwctl/replay/replay.h"
#include "tests/netns/fwctl_command.h"
#include "tests/netns/fwctl_network.h"

namespace gatehouse::test {
namespace {

using ::testing::HasSubstr;

// A group of this machine, for as long as it lives.
class Group {
 public:
  explicit Group(std::string path) : path_(std::move(path)) { ok_ = mkdir(directory().c_str(), 0755) == 0; }
  Group(const Group&) = delete;
  Group& operator=(const Group&) = delete;
  ~Group() { remove(); }

  bool ok() const { return ok_; }
  const std::string& path() const { return path_; }
  std::uint64_t id() const {
    const auto ids = core::control_group_ids(path_);
    return ids.empty() ? 0 : ids.back();
  }
  site::ControlGroup named() const { return {path_, id()}; }
  void remove() const { (void)rmdir(directory().c_str()); }
  // Its successor: the same name, another number.
  void make_anew() const {
    remove();
    ASSERT_EQ(mkdir(directory().c_str(), 0755), 0);
  }
  // In a process of the group.
  template <class Work>
  bool inside(Work work) const {
    const pid_t child = fork();
    if (child == 0) {
      std::ofstream members(directory() + "/cgroup.procs");
      members << "0" << std::flush;
      _exit(members.good() && work() ? 0 : 1);
    }
    int status = 0;
    return child > 0 && waitpid(child, &status, 0) == child && WIFEXITED(status) && WEXITSTATUS(status) == 0;
  }

 private:
  std::string directory() const { return core::control_group_root() + '/' + path_; }

  std::string path_;
  bool ok_ = false;
};

std::string own_name(const char* what) {
  return "gatehouse-test-" + std::to_string(getpid()) + "-" + what;
}

site::Site with_group(std::optional<site::ControlGroup> group, std::optional<std::uint32_t> user = {}) {
  site::Site out = full_site();
  site::Flow flow = out.flows[0];
  flow.to = {};
  flow.to.zone = "outside";
  flow.ports = {out.services[0].ports[1], out.flows[1].ports[0]};  // tcp/443, udp/53
  flow.user = user;
  flow.group = std::move(group);
  out.flows.push_back(flow);
  return out;
}

#define NEED_GROUPS(...)                                                                    \
  for (const Group* g : {__VA_ARGS__}) {                                                    \
    if (!g->ok()) GTEST_SKIP() << "no control group can be made here (cgroup v2, as root)"; \
  }

class FwctlControlGroup : public FwctlNetwork {
 protected:
  bool dial_in(const Group& group, const char* source, const char* to, bool expected) {
    return group.inside(
        [&] { return dial(topology_->gatehouse, source, to, 443, expected ? 2500 : 300).has_value(); });
  }
};

TEST_F(FwctlControlGroup, OnlyTheGroupOfTheFlowMaySend) {
  const Group updates(own_name("updates"));
  const Group below(updates.path() + "/below");
  const Group other(own_name("other"));
  NEED_GROUPS(&updates, &below, &other);
  const site::Site site = with_group(updates.named());
  put(site);
  EXPECT_EQ(proof(site), "holds");
  const Listener https(topology_->outside, 443);
  EXPECT_TRUE(dial_in(updates, "198.51.100.1", "198.51.100.2", true));
  EXPECT_TRUE(dial_in(updates, "2001:db8:ff::1", "2001:db8:ff::2", true));
  EXPECT_TRUE(dial_in(below, "198.51.100.1", "198.51.100.2", true));
  EXPECT_FALSE(dial_in(other, "198.51.100.1", "198.51.100.2", false));
  EXPECT_FALSE(dial_in(other, "2001:db8:ff::1", "2001:db8:ff::2", false));
  EXPECT_FALSE(dial(topology_->gatehouse, "198.51.100.1", "198.51.100.2", 443).has_value());

  const site::Site deeper = with_group(below.named());
  put(deeper);
  EXPECT_EQ(proof(deeper), "holds");
  EXPECT_TRUE(dial_in(below, "198.51.100.1", "198.51.100.2", true));
  EXPECT_FALSE(dial_in(updates, "198.51.100.1", "198.51.100.2", false));
}

TEST_F(FwctlControlGroup, AnotherGroupIsADifference) {
  const Group updates(own_name("updates"));
  const Group other(own_name("other"));
  NEED_GROUPS(&updates, &other);
  const site::Site site = with_group(updates.named());
  put(with_group(other.named()));
  EXPECT_THAT(proof(site), HasSubstr("cgroup 1:" + std::to_string(updates.id())));
  EXPECT_THAT(proof(site), HasSubstr("cgroup 1:" + std::to_string(other.id())));
  put(with_group(std::nullopt));
  EXPECT_THAT(proof(site), HasSubstr("the policy drops it, the ruleset accepts it"));
  // A user as well: both must be right.
  const site::Site both = with_group(updates.named(), 4711);
  put(both);
  EXPECT_EQ(proof(both), "holds");
  EXPECT_THAT(proof(site), HasSubstr("the policy accepts it, the ruleset drops it"));
}

TEST_F(FwctlControlGroup, TheKernelAgrees) {
  const Group updates(own_name("updates"));
  const Group below(updates.path() + "/below");
  const Group other(own_name("other"));
  NEED_GROUPS(&updates, &below, &other);
  put(with_group(updates.named(), 4711));
  const auto live = kernel_->read_all();
  const auto copy = kernel_->copy();
  ASSERT_TRUE(live && copy);
  std::thread([&] {
    ASSERT_TRUE(fwctl::Replay::enter_namespace());
    auto replay = fwctl::Replay::make({{"wan0", 0}});
    ASSERT_TRUE(replay) << replay.error().to_string();
    ASSERT_TRUE(replay->load(*copy));
    const std::string to = "out wan0 tcp 198.51.100.1:4000 > 9.9.9.9:443 ";
    const std::pair<std::string, bool> rows[] = {
        {to + "user 4711 cgroup " + updates.path(), true},
        {to + "user 4711 cgroup " + below.path(), true},
        {to + "user 4712 cgroup " + updates.path(), false},
        {to + "user 4711 cgroup " + other.path(), false},
        {to + "user 4711", false},
        {"out wan0 udp [2001:db8:ff::1]:4000 > [2a00::1]:53 user 4711 cgroup " + updates.path(), true},
    };
    for (const auto& [text, passes] : rows) {
      const auto packet = fwctl::prove::parse_packet(
          text, [](const std::string& name) { return name; }, core::control_group_ids);
      ASSERT_TRUE(packet) << packet.error().to_string();
      const auto kernel = replay->send(*packet);
      ASSERT_TRUE(kernel) << kernel.error().to_string();
      EXPECT_EQ(kernel->steps, fwctl::steps_of(fwctl::prove::interpret(*live, *packet))) << text;
      EXPECT_EQ(kernel->dropped, !passes) << text;
    }
    const auto nobodys =
        fwctl::prove::parse_packet(to + "user 4711 cgroup 1:4", [](const std::string& name) { return name; });
    ASSERT_TRUE(nobodys);
    const auto refused = replay->send(*nobodys);
    EXPECT_FALSE(refused) << "no such group";
  }).join();
}

TEST_F(FwctlControlGroup, AGroupMadeAnewIsAnother) {
  const Group updates(own_name("updates"));
  NEED_GROUPS(&updates);
  const site::Site first = with_group(updates.named());
  const Listener https(topology_->outside, 443);
  put(first);
  EXPECT_TRUE(dial_in(updates, "198.51.100.1", "198.51.100.2", true));
  fwctl::GroupWatch watch(first);
  EXPECT_TRUE(watch.look(table_of(first)).empty());
  updates.make_anew();
  EXPECT_NE(updates.id(), first.flows.back().group->id);
  EXPECT_FALSE(dial_in(updates, "198.51.100.1", "198.51.100.2", false));
  const site::Site second = with_group(updates.named());
  EXPECT_THAT(proof(second), HasSubstr("the policy accepts it, the ruleset drops it"));
  ASSERT_EQ(watch.look(table_of(first)).size(), 1U);
  EXPECT_TRUE(watch.look(table_of(first)).empty()) << "told once";
  EXPECT_FALSE(watch.all_fit());
  put(second);
  EXPECT_TRUE(watch.look(table_of(second)).empty());
  EXPECT_TRUE(watch.all_fit());
  EXPECT_TRUE(dial_in(updates, "198.51.100.1", "198.51.100.2", true));
  updates.remove();
  const auto gone = watch.look(table_of(second));
  ASSERT_EQ(gone.size(), 1U);
  EXPECT_THAT(gone[0], HasSubstr("there is no control group"));
}

class FwctlGroupCommands : public CommandInNamespace {
 protected:
  void SetUp() override {
    CommandInNamespace::SetUp();
    if (IsSkipped()) return;
    group_.emplace(own_name("commands"));
    if (!group_->ok()) GTEST_SKIP() << "no control group can be made here";
    std::string pattern = "/tmp/gh-fwctl-groups-XXXXXX";
    ASSERT_NE(mkdtemp(pattern.data()), nullptr);
    directory_ = pattern;
    ASSERT_EQ(chmod(directory_.c_str(), 0700), 0);
    site_ = directory_ + "/site.yaml";
    auto text = core::read_file(example("private-network.yaml"));
    ASSERT_TRUE(text);
    const std::size_t at = text->find("user: 104");
    ASSERT_NE(at, std::string::npos);
    text->replace(at, 9, "cgroup: " + group_->path());
    ASSERT_TRUE(core::write_file_atomic(site_, *text, 0600));
  }
  void TearDown() override {
    if (!directory_.empty()) (void)!system(("rm -rf " + directory_).c_str());
  }
  Output journaled(const std::string& arguments) {
    return run_inside(*inside_, "GATEHOUSE_STATE=" + directory_ + " GATEHOUSE_RUN=" + directory_,
                      std::string(GATEHOUSE_FWCTL) + " " + arguments);
  }

  std::optional<Group> group_;
  std::string directory_, site_;
};

TEST_F(FwctlGroupCommands, StatusSeesThatTheGroupIsAnotherOne) {
  ASSERT_EQ(fwctl("apply " + site_).status, 0);
  EXPECT_EQ(fwctl("status " + site_).status, 0);
  group_->make_anew();
  const Output status = fwctl("status " + site_);
  EXPECT_EQ(status.status, 1);
  EXPECT_THAT(status.text, HasSubstr("NOT in force"));
  EXPECT_EQ(fwctl("apply " + site_).status, 0);
  EXPECT_EQ(fwctl("status " + site_).status, 0);
  group_->remove();
  const Output gone = fwctl("status " + site_);
  EXPECT_EQ(gone.status, 1);
  EXPECT_THAT(gone.text, HasSubstr("there is no control group `" + group_->path() + "` now"));
  // Without the group the rest of the policy can be in force, and nothing is open for it.
  EXPECT_EQ(fwctl("apply " + site_).status, 0);
  EXPECT_EQ(fwctl("prove " + site_).status, 0) << fwctl("prove " + site_).text;
}

TEST_F(FwctlGroupCommands, ExplainTakesThePathAndTheKernelAgrees) {
  ASSERT_EQ(fwctl("apply " + site_).status, 0);
  const std::string packet = " --trace 'out wan0 udp 198.51.100.1:4000 > 9.9.9.9:53 cgroup ";
  const Output in = fwctl("explain " + site_ + packet + group_->path() + " user 0'");
  EXPECT_EQ(in.status, 0) << in.text;
  EXPECT_THAT(in.text, HasSubstr("kernel   went the same way and accepted it"));
  EXPECT_THAT(in.text, HasSubstr("socket cgroupv2 level 1"));
  const Output unknown = fwctl("explain " + site_ + packet + "no-such-group'");
  EXPECT_EQ(unknown.status, 2);
  EXPECT_THAT(unknown.text, HasSubstr("there is no control group `no-such-group`"));
}

// nft looks for groups in /sys/fs/cgroup.
TEST_F(FwctlGroupCommands, NftReadsTheExportAndMakesTheSameTable) {
  const std::string file = directory_ + "/export.nft";
  ASSERT_EQ(fwctl("export --format nft " + site_ + " > " + file).status, 0);
  const std::string root = core::control_group_root();
  const Output loaded =
      shell("unshare -m sh -c 'if [ " + root + " != /sys/fs/cgroup ]; then mount --bind " + root +
            " /sys/fs/cgroup; fi && nft -f " + file + " && nft list table inet gatehouse'");
  ASSERT_EQ(loaded.status, 0) << loaded.text;
  EXPECT_THAT(loaded.text, HasSubstr("\"" + group_->path() + "\""));
  EXPECT_THAT(fwctl("plan --rules-only " + site_).text, HasSubstr("no difference"));
  const Output proposed = fwctl("import --outside wan0");
  EXPECT_THAT(proposed.text, HasSubstr("depends on the user or the control group of the program"))
      << proposed.text;
}

// Numbers of groups are of one start of the machine: what was in force before the last one is not brought
// back.
TEST_F(FwctlGroupCommands, WhatIsOfAnotherStartOfTheMachineIsNotBroughtBack) {
  ASSERT_EQ(journaled("apply " + example("private-network.yaml")).status, 0);
  ASSERT_EQ(journaled("apply " + site_).status, 0);
  ASSERT_EQ(shell("sed -i 's/\"boot\":\"[^\"]*\"/\"boot\":\"another\"/' " + directory_ + "/*.json").status,
            0);
  EXPECT_NE(journaled("rollback").status, 3) << "what it takes back to asks for no group";
  ASSERT_EQ(journaled("apply " + site_).status, 0);
  ASSERT_EQ(shell("sed -i 's/\"boot\":\"[^\"]*\"/\"boot\":\"another\"/' " + directory_ + "/*.json").status,
            0);
  ASSERT_EQ(shell("nft delete table inet gatehouse").status, 0);
  group_->make_anew();
  const Output alone = journaled("boot");
  EXPECT_EQ(alone.status, 1) << alone.text;
  EXPECT_THAT(alone.text, HasSubstr("it asks for control groups"));
  const Output booted = journaled("boot " + site_);
  EXPECT_EQ(booted.status, 0) << booted.text;
  EXPECT_EQ(fwctl("status " + site_).status, 0);
}

}  // namespace
}  // namespace gatehouse::test
