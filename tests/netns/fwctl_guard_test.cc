// The guard: nobody changes the ruleset unseen, who tries is named, bans last their time, and nothing it does
// depends on its staying alive.
#include <fmt/format.h>
#include <gmock/gmock.h>

#include "fwctl/guard/keeper.h"
#include "tests/netns/fwctl_guarded.h"

namespace gatehouse::test {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;
using ::testing::Not;

class FwctlGuard : public OnGuardedMachine {};

TEST_F(FwctlGuard, TheTableBelongsToIt) {
  start("");
  EXPECT_THAT(told(), AllOf(HasSubstr("seccomp fwctl-guard"), HasSubstr("landlock")));
  const std::string before = m_->ruleset();
  EXPECT_THAT(nft("insert rule inet gatehouse input accept").text, HasSubstr("Operation not permitted"));
  EXPECT_THAT(nft("delete table inet gatehouse").text, HasSubstr("Operation not permitted"));
  EXPECT_EQ(nft("flush ruleset").status, 0);
  EXPECT_EQ(m_->ruleset(), before);
  // Who has the right goes through the guard.
  const Output applied = m_->fwctl("apply --confirm-within 2s " + example("minimal.yaml"));
  EXPECT_EQ(applied.status, 0) << applied.text;
  EXPECT_NE(m_->ruleset(), before);
  EXPECT_EQ(m_->fwctl("status " + example("minimal.yaml")).status, 0);
  usleep(2'800'000);
  EXPECT_EQ(m_->ruleset(), before);
  EXPECT_THAT(m_->fwctl("history").text, HasSubstr("not confirmed in time"));
  EXPECT_EQ(m_->fwctl("apply " + example("minimal.yaml")).status, 0);
  EXPECT_EQ(m_->fwctl("status " + example("minimal.yaml")).status, 0);
  EXPECT_EQ(m_->fwctl("rollback").status, 0);
  EXPECT_EQ(m_->ruleset(), before);
  usleep(300'000);
  EXPECT_THAT(told(), Not(HasSubstr("is not what"))) << "none of this is drift";
}

TEST_F(FwctlGuard, DriftIsRepairedAndItsMakerNamed) {
  ASSERT_TRUE(core::write_file_atomic(m_->directory() + "/list.txt", "203.0.113.1\n203.0.113.3\n"));
  start("--no-owner", m_->site("firewall:\n", "  blocklists: [list.txt]\n"));
  const std::string before = m_->ruleset();
  const char* const changes[] = {
      "delete rule inet gatehouse forward handle $(nft -a list chain inet gatehouse forward | sed -n 's/.*no "
      "valid "
      "state.*handle //p')",
      "flush chain inet gatehouse forward",
      "chain inet gatehouse input '{ policy accept; }'",
      "insert rule inet gatehouse input tcp dport 8080 accept",
      "delete element inet gatehouse never-outside-v4 '{ 10.66.1.0/24 }'",
      "add element inet gatehouse outside-to-servers-v4 '{ 10.66.1.10 . tcp . 8080 : goto service-web }'",
      // As many as before.
      "'delete element inet gatehouse blocked-hosts-v4 { 203.0.113.1 }; add element inet gatehouse "
      "blocked-hosts-v4 { 203.0.113.77 }'",
      "flush set inet gatehouse blocked-hosts-v4",
      "add table inet gatehouse '{ flags dormant; }'",
      "delete table inet gatehouse",
  };
  double worst = 0;
  for (const char* change : changes) {
    const std::size_t at = told().size();
    ASSERT_EQ(nft(change).status, 0) << change;
    const std::int64_t start = core::monotonic_us();
    while (told().find(" ms\n", at) == std::string::npos && core::monotonic_us() - start < 3'000'000)
      usleep(5'000);
    EXPECT_EQ(m_->ruleset(), before) << change;
    const std::string said = told().substr(at);
    EXPECT_THAT(
        said, AllOf(HasSubstr("is not what"), HasSubstr("changed by nft (pid "), HasSubstr("again, after ")))
        << change;
    if (const std::size_t after = said.find("again, after "); after != std::string::npos)
      worst = std::max(worst, std::stod(said.substr(after + 13)));
  }
  std::printf("the slowest repair took %.1f ms from the event to the commit that made it right\n", worst);
  EXPECT_LT(worst, 250.0);
  EXPECT_THAT(*core::read_file(m_->directory() + "/commits.log"), HasSubstr("\"process\":\"nft\""));
}

// What the kernel tells of commits leads to the same as reading everything, whoever commits in between.
TEST_F(FwctlGuard, WhatIsToldIsWhatIsRead) {
  std::string list;
  for (std::uint32_t i = 0; i < 2000; ++i) {
    list += core::IpAddress::v4(0x2d000000U + 2 * i).to_string() + '\n';
    list += core::IpAddress::v4(0x50000000U + 512 * i).to_string() + "/24\n";
  }
  ASSERT_TRUE(core::write_file_atomic(m_->directory() + "/list.txt", list));
  const std::string site = m_->site("firewall:\n", "  blocklists: [list.txt]\n");
  ASSERT_EQ(m_->fwctl("apply " + site).status, 0);
  std::optional<RulesetWatch> watch;
  std::optional<TableKeeper> keeper;
  m_->inside().enter([&] {
    auto listens = RulesetWatch::open("gatehouse");
    auto opened = TableKeeper::open(m_->directory(), false);
    ASSERT_TRUE(listens && opened);
    watch.emplace(std::move(*listens));
    keeper.emplace(std::move(*opened));
    ASSERT_TRUE(keeper->reload());
  });
  ASSERT_TRUE(keeper && keeper->desired());
  ASSERT_TRUE(keeper->repair());
  const auto host = [](int i) {
    return core::IpAddress::v4(0x2d000000U + static_cast<unsigned>(i)).to_string();
  };
  const auto net = [](int i) {
    return core::IpAddress::v4(0x50000000U + 256 * static_cast<unsigned>(i)).to_string() + "/24";
  };
  const auto change = [](const std::string& how, const std::string& set, const std::string& what) {
    return fmt::format("{} element inet gatehouse blocked-{}-v4 {{ {} }}", how, set, what);
  };
  int by_events = 0;
  for (int i = 0; i < 30; ++i) {
    const std::string commands[] = {
        change("delete", "hosts", host(2 * i)),
        change("add", "hosts", host(2 * i + 1)),
        change("delete", "ranges", net(2 * i)),
        change("add", "ranges", net(2 * i + 1)),
        change("delete", "hosts", host(2 * i)) + "; " + change("add", "hosts", host(2 * i + 1)),
        "flush chain inet gatehouse forward",
    };
    const int many = 1 + i % 3;
    for (int n = 0; n < many; ++n) ASSERT_EQ(nft("'" + commands[(i + n) % 6] + "'").status, 0);
    for (const Commit& c : watch->drain()) keeper->told(c, c.port == keeper->writer().port());
    const auto told = keeper->look(TableKeeper::Reading::told);
    const auto read = keeper->look(TableKeeper::Reading::all);
    ASSERT_TRUE(told && *told && read && *read);
    EXPECT_EQ(print_plan((*told)->plan), print_plan((*read)->plan)) << i;
    EXPECT_TRUE((*read)->plan.changes_effect()) << i;
    by_events += (*told)->all_was_read ? 0 : 1;
    ASSERT_TRUE(keeper->repair(**told));
  }
  EXPECT_EQ(by_events, 30);
  // Who gives up reading everything is none the worse for it.
  m_->inside().enter([&] {
    const auto given_up = keeper->look(TableKeeper::Reading::all, [] { return true; });
    ASSERT_TRUE(given_up);
    EXPECT_FALSE(given_up->has_value());
  });
  const auto then = keeper->look(TableKeeper::Reading::told);
  ASSERT_TRUE(then && *then);
  EXPECT_FALSE((*then)->all_was_read);
  // Of whom we have not been told, nothing is said.
  ASSERT_EQ(nft("add table ip stranger").status, 0);
  const auto ahead = keeper->look(TableKeeper::Reading::told);
  ASSERT_TRUE(ahead);
  EXPECT_FALSE(ahead->has_value());
}

TEST_F(FwctlGuard, ForeignTablesAreTold) {
  start("");
  ASSERT_EQ(nft("add table ip stranger").status, 0);
  usleep(300'000);
  EXPECT_THAT(told(), AllOf(HasSubstr("the table ip stranger has appeared"), HasSubstr("nft (pid ")));
  EXPECT_THAT(m_->ruleset(), HasSubstr("stranger"));
  // Told once, and again when it comes again.
  const std::size_t at = told().size();
  ASSERT_EQ(nft("add chain ip stranger c").status, 0);
  ASSERT_EQ(nft("delete table ip stranger").status, 0);
  usleep(300'000);
  EXPECT_THAT(told().substr(at), Not(HasSubstr("has appeared")));
  ASSERT_EQ(nft("add table ip stranger").status, 0);
  usleep(300'000);
  EXPECT_THAT(told().substr(at), HasSubstr("the table ip stranger has appeared"));
}

TEST_F(FwctlGuard, DoesWhatThePolicySays) {
  ASSERT_TRUE(core::make_directories(m_->directory() + "/spool"));
  start("--no-owner", m_->site("firewall:\n",
                               "  guard: {on-drift: alert, foreign-tables: remove, ban-group: nogroup, "
                               "most-bans: 2}\n"));
  ASSERT_EQ(nft("add table ip stranger").status, 0);
  ASSERT_EQ(nft("insert rule inet gatehouse input tcp dport 8080 accept").status, 0);
  usleep(400'000);
  EXPECT_THAT(told(), AllOf(HasSubstr("stranger has appeared"), HasSubstr("is not what"),
                            Not(HasSubstr("again, after"))));
  EXPECT_THAT(m_->ruleset(), AllOf(HasSubstr("8080"), Not(HasSubstr("stranger"))));
  // Events, in the spool of the policy.
  EXPECT_EQ(m_->run("grep -rqa foreign-table " + m_->directory() + "/spool").status, 0);
  // A member of the group asks, whom the directory lets through.
  ASSERT_EQ(chmod(m_->directory().c_str(), 0711), 0);
  const std::string as_nobody =
      std::string("setpriv --reuid 65534 --regid nogroup --clear-groups ") + GATEHOUSE_FWCTL;
  const Output asked = m_->run(as_nobody + " ban 198.51.100.1");
  EXPECT_EQ(asked.status, 0) << asked.text;
  EXPECT_EQ(m_->run(as_nobody + " unban 198.51.100.1").status, 3) << "that is root's";
  EXPECT_TRUE(ban("198.51.100.2", 60).ok);
  const core::BanReply third = ban("198.51.100.3", 60);
  EXPECT_FALSE(third.ok);
  EXPECT_THAT(third.error, HasSubstr("2 sources are banned already"));
}

// More than a socket takes at once.
TEST_F(FwctlGuard, ListsAllBans) {
  start("");
  const core::UniqueFd detector = connected("guard.sock");
  constexpr std::uint32_t kBans = 1500;
  for (std::uint32_t i = 0; i < kBans; ++i) {
    const std::string address = core::IpAddress::v4(0xcb007100U + i).to_string();
    ASSERT_TRUE(ban(detector, address, 600, std::string(core::kMostBanReason - 4, 'x') + " end").ok) << i;
  }
  const Output bans = m_->fwctl("bans");
  EXPECT_EQ(bans.status, 0) << bans.text;
  EXPECT_EQ(std::count(bans.text.begin(), bans.text.end(), '\n'), kBans);
}

TEST_F(FwctlGuard, BansLastTheirTime) {
  start("--metrics " + m_->directory() + "/fwctl.prom");
  EXPECT_THAT(*core::read_file(m_->directory() + "/fwctl.prom"), HasSubstr("\ngatehouse_fwctl_in_force 1\n"));
  EXPECT_TRUE(ban("198.51.100.66", 2).ok);
  EXPECT_TRUE(ban("2001:db8:ff::66", 60).ok);
  EXPECT_THAT(m_->run("nft list set inet gatehouse banned-v4").text, HasSubstr("198.51.100.66 timeout 2s"));
  EXPECT_THAT(m_->fwctl("bans").text, HasSubstr("2001:db8:ff::66 "));
  EXPECT_EQ(m_->fwctl("prove " + example("web-mail.yaml")).status, 0) << "a ban is no difference";
  EXPECT_EQ(m_->fwctl("plan " + example("web-mail.yaml")).status, 0);
  EXPECT_THAT(m_->fwctl("explain " + example("web-mail.yaml") +
                        " in wan0 out srv0 tcp '[2001:db8:ff::66]:4000' '>' '[fd66:1::10]:80'")
                  .text,
              AllOf(HasSubstr("the source is banned for a time"), HasSubstr("ruleset  drop")));
  // Made longer, never shorter.
  EXPECT_TRUE(ban("198.51.100.66", 30).ok);
  EXPECT_TRUE(ban("198.51.100.66", 1).ok);
  usleep(2'300'000);
  EXPECT_THAT(m_->ruleset(), HasSubstr("198.51.100.66"));
  EXPECT_THAT(m_->fwctl("bans --json").text, HasSubstr("{\"address\":\"198.51.100.66\",\"seconds-left\":"));
  EXPECT_EQ(m_->fwctl("unban --json 198.51.100.66").text, "{\"address\":\"198.51.100.66\"}\n");
  EXPECT_EQ(m_->fwctl("unban 198.51.100.66").status, 2);
  EXPECT_EQ(m_->fwctl("ban --for 1s 198.51.100.67").status, 0);
  usleep(1'300'000);
  EXPECT_THAT(m_->ruleset(), Not(HasSubstr("198.51.100.67")));
  struct Row {
    const char* address;
    const char* why;
  };
  for (const Row& row :
       {Row{"10.66.2.10", "is the administration host"}, Row{"10.66.1.99", "trusted zone servers"},
        Row{"127.0.0.1", "no host"}, Row{"fe80::1", "no host"}, Row{"224.0.0.5", "no host"}}) {
    const core::BanReply a = ban(row.address, 60);
    EXPECT_FALSE(a.ok) << row.address;
    EXPECT_THAT(a.error, HasSubstr(row.why));
  }
  EXPECT_EQ(
      m_->run(std::string("setpriv --reuid 65534 --clear-groups ") + GATEHOUSE_FWCTL + " ban 198.51.100.68")
          .status,
      3);
  EXPECT_THAT(told(), Not(HasSubstr("is not what")));
}

TEST_F(FwctlGuard, ItsDeathOpensNothing) {
  start("");
  const std::string before = m_->ruleset();
  ASSERT_TRUE(ban("198.51.100.66", 60).ok);
  stop(SIGKILL);
  EXPECT_THAT(m_->ruleset(), AllOf(HasSubstr("198.51.100.66"), HasSubstr("chain forward")));
  // Without an owner anybody may write; the next guard finds it.
  ASSERT_EQ(nft("insert rule inet gatehouse input tcp dport 8080 accept").status, 0);
  start("");
  EXPECT_THAT(nft("insert rule inet gatehouse input accept").text, HasSubstr("Operation not permitted"));
  EXPECT_THAT(m_->ruleset(), Not(HasSubstr("8080")));
  EXPECT_TRUE(ban("198.51.100.66", 600).ok) << "a ban that the guard before it made";
}

// Both keepers of a pending change and the command are dead: the guard takes it back.
TEST_F(FwctlGuard, TakesBackWhatNobodyElseCan) {
  ASSERT_EQ(m_->fwctl("apply " + example("minimal.yaml")).status, 0);
  start("");
  const std::string before = m_->ruleset();
  ASSERT_EQ(m_->fwctl("apply --confirm-within 2s " + example("web-mail.yaml")).status, 0);
  EXPECT_NE(m_->ruleset(), before);
  const auto entries = m_->entries();
  ASSERT_TRUE(entries && !entries->empty());
  const std::vector<pid_t> keepers = keepers_of(entries->back().network);
  ASSERT_EQ(keepers.size(), 2U);
  for (const pid_t k : keepers) kill(k, SIGKILL);
  usleep(3'000'000);
  EXPECT_EQ(m_->ruleset(), before);
  EXPECT_THAT(m_->fwctl("history").text, HasSubstr("taken back by the guard"));
}

// One that is confirmed at the last moment is not taken back by who waited for the lock meanwhile.
TEST_F(FwctlGuard, AConfirmationOnItsWayIsHeeded) {
  start("");
  ASSERT_EQ(m_->fwctl("apply --confirm-within 2s " + example("minimal.yaml")).status, 0);
  const std::string changed = m_->ruleset();
  {
    auto entries = m_->entries();
    const auto journal = Journal::open(m_->directory(), false);
    ASSERT_TRUE(journal && entries && !entries->empty());
    const auto lock = journal->lock();
    ASSERT_TRUE(lock);
    usleep(2'400'000);
    Entry& e = entries->back();
    e.state = EntryState::confirmed;
    e.step = next_step(*entries);
    ASSERT_TRUE(journal->put(e));
  }
  usleep(600'000);
  EXPECT_EQ(m_->ruleset(), changed);
  EXPECT_THAT(m_->fwctl("history").text, AllOf(HasSubstr("confirmed"), Not(HasSubstr("taken back"))));
}

// Who no longer waits for what is lent leaves no claim to whoever connects next.
TEST_F(FwctlGuard, OneAfterTheOtherBorrows) {
  start("");
  core::UniqueFd first = connected("fwctl.sock");
  say(first, "lend\n");
  ASSERT_EQ(heard(first), "lent\n");
  core::UniqueFd gone = connected("fwctl.sock");
  say(gone, "lend\n");
  usleep(200'000);
  gone.reset();
  usleep(300'000);
  const core::UniqueFd asks = connected("fwctl.sock");
  say(asks, "bans\n");
  EXPECT_EQ(heard(asks), "end\n");
  const core::UniqueFd second = connected("fwctl.sock");
  say(second, "lend\n");
  usleep(200'000);
  first.reset();
  EXPECT_EQ(heard(second), "lent\n");
  EXPECT_EQ(heard(asks), "silence");
}

TEST_F(FwctlGuard, HostileClientsAreDropped) {
  start("");
  const core::UniqueFd endless = connected("guard.sock");
  say(endless, std::string(100'000, 'a'));
  EXPECT_EQ(heard(endless), "closed");
  {
    const core::UniqueFd greedy = connected("fwctl.sock");
    say(greedy, "lend\nlend\nnonsense\n");
    EXPECT_EQ(heard(greedy), "lent\n");
    EXPECT_THAT(heard(greedy), HasSubstr("not a command"));
    EXPECT_EQ(heard(greedy), "closed");
  }
  EXPECT_FALSE(ban("10.66.2.10", 60).ok);
  EXPECT_TRUE(ban("198.51.100.66", 60).ok);
  EXPECT_EQ(m_->fwctl("apply " + example("minimal.yaml")).status, 0);
}

}  // namespace
}  // namespace gatehouse::test
