// The guard: nobody changes the ruleset unseen, who tries is named, bans last their time, and nothing it does
// depends on its staying alive.
#include <fmt/format.h>
#include <gmock/gmock.h>
#include <sys/socket.h>
#include <sys/un.h>

#include <cstring>

#include "core/ban.h"
#include "tests/netns/fwctl_machine.h"

namespace gatehouse::test {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;
using ::testing::Not;

class FwctlGuard : public ::testing::Test {
 protected:
  void SetUp() override {
    std::string reason;
    if (!can_make_namespaces(reason)) GTEST_SKIP() << reason;
    auto made = Machine::make();
    ASSERT_TRUE(made) << made.error().to_string();
    m_.emplace(std::move(*made));
  }
  void TearDown() override { stop(SIGTERM); }

  void start(const std::string& options, const std::string& site = example("web-mail.yaml")) {
    guard_ = m_->start("guard " + options + " " + site);
    const std::int64_t until = core::monotonic_us() + 10'000'000;
    const std::size_t before = told().size();
    while (told().find("guarding ", before) == std::string::npos && core::monotonic_us() < until) {
      if (waitpid(guard_, nullptr, WNOHANG) != 0) FAIL() << "the guard ended: " << told();
      usleep(10'000);
    }
    ASSERT_NE(told().find("guarding ", before), std::string::npos) << told();
  }
  void stop(int signal) {
    if (guard_ <= 0) return;
    kill(guard_, signal);
    int status = 0;
    waitpid(guard_, &status, 0);
    if (signal == SIGTERM) {
      EXPECT_TRUE(WIFEXITED(status) && WEXITSTATUS(status) == 0) << told();
    }
    guard_ = -1;
  }
  std::string told() const {
    const auto text = core::read_file(m_->directory() + "/log");
    return text ? *text : "";
  }
  Output nft(const std::string& command) { return m_->run("nft " + command); }

  struct Answer {
    core::BanReply reply;
    double ms = 0;
  };
  // As a detector asks: through the socket.
  Answer ban(const std::string& address, std::uint32_t seconds) {
    Answer out;
    const core::UniqueFd fd(socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
    sockaddr_un at{};
    at.sun_family = AF_UNIX;
    const std::string path = m_->directory() + "/guard.sock";
    std::memcpy(at.sun_path, path.c_str(), path.size());
    if (connect(fd.get(), reinterpret_cast<const sockaddr*>(&at), sizeof at) != 0) return out;
    core::BanRequest request;
    request.address = *core::IpAddress::parse(address);
    request.seconds = seconds;
    request.reason = "scan.port, \"quoted\"";
    const std::string line = core::to_line(request);
    const std::int64_t start = core::monotonic_us();
    char buffer[4096];
    if (send(fd.get(), line.data(), line.size(), MSG_NOSIGNAL) < 0) return out;
    const ssize_t got = recv(fd.get(), buffer, sizeof buffer, 0);
    out.ms = static_cast<double>(core::monotonic_us() - start) / 1e3;
    if (got <= 0) return out;
    const auto reply = core::parse_ban_reply(std::string_view(buffer, static_cast<std::size_t>(got)));
    if (reply) out.reply = *reply;
    return out;
  }

  std::optional<Machine> m_;
  pid_t guard_ = -1;
};

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
  start("--no-owner");
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
  std::printf("the slowest repair took %.1f ms from the event to the table read back\n", worst);
  EXPECT_LT(worst, 250.0);
  EXPECT_THAT(*core::read_file(m_->directory() + "/commits.log"), HasSubstr("\"process\":\"nft\""));
}

TEST_F(FwctlGuard, ForeignTablesAreTold) {
  start("");
  ASSERT_EQ(nft("add table ip stranger").status, 0);
  usleep(300'000);
  EXPECT_THAT(told(), AllOf(HasSubstr("the table ip stranger has appeared"), HasSubstr("nft (pid ")));
  EXPECT_THAT(m_->ruleset(), HasSubstr("stranger"));
}

TEST_F(FwctlGuard, BansLastTheirTime) {
  start("--metrics " + m_->directory() + "/fwctl.prom");
  const std::string before = m_->ruleset();
  EXPECT_TRUE(ban("198.51.100.66", 2).reply.ok);
  EXPECT_TRUE(ban("2001:db8:ff::66", 60).reply.ok);
  EXPECT_THAT(m_->run("nft list set inet gatehouse banned-v4").text, HasSubstr("198.51.100.66 timeout 2s"));
  EXPECT_THAT(m_->fwctl("bans").text, HasSubstr("2001:db8:ff::66 "));
  EXPECT_EQ(m_->fwctl("prove " + example("web-mail.yaml")).status, 0) << "a ban is no difference";
  EXPECT_EQ(m_->fwctl("plan " + example("web-mail.yaml")).status, 0);
  EXPECT_THAT(m_->fwctl("explain " + example("web-mail.yaml") +
                        " in wan0 out srv0 tcp '[2001:db8:ff::66]:4000' '>' '[fd66:1::10]:80'")
                  .text,
              AllOf(HasSubstr("the source is banned for a time"), HasSubstr("ruleset  drop")));
  // Made longer, never shorter.
  EXPECT_TRUE(ban("198.51.100.66", 30).reply.ok);
  EXPECT_TRUE(ban("198.51.100.66", 1).reply.ok);
  usleep(2'300'000);
  EXPECT_THAT(m_->ruleset(), HasSubstr("198.51.100.66"));
  EXPECT_EQ(m_->fwctl("unban 198.51.100.66").status, 0);
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
    const Answer a = ban(row.address, 60);
    EXPECT_FALSE(a.reply.ok) << row.address;
    EXPECT_THAT(a.reply.error, HasSubstr(row.why));
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
  ASSERT_TRUE(ban("198.51.100.66", 60).reply.ok);
  stop(SIGKILL);
  EXPECT_THAT(m_->ruleset(), AllOf(HasSubstr("198.51.100.66"), HasSubstr("chain forward")));
  // Without an owner anybody may write; the next guard finds it.
  ASSERT_EQ(nft("insert rule inet gatehouse input tcp dport 8080 accept").status, 0);
  start("");
  EXPECT_THAT(nft("insert rule inet gatehouse input accept").text, HasSubstr("Operation not permitted"));
  EXPECT_THAT(m_->ruleset(), Not(HasSubstr("8080")));
  EXPECT_TRUE(ban("198.51.100.66", 600).reply.ok) << "a ban that the guard before it made";
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

TEST_F(FwctlGuard, HostileClientsAreDropped) {
  start("");
  m_->run("head -c 100000 /dev/zero | tr '\\0' a | timeout 2 nc -U -N " + m_->directory() + "/guard.sock");
  m_->run("printf 'lend\\nlend\\nnonsense\\n' | timeout 1 nc -U -N " + m_->directory() + "/fwctl.sock");
  EXPECT_FALSE(ban("10.66.2.10", 60).reply.ok);
  EXPECT_TRUE(ban("198.51.100.66", 60).reply.ok);
  EXPECT_EQ(m_->fwctl("apply " + example("minimal.yaml")).status, 0);
}

}  // namespace
}  // namespace gatehouse::test
