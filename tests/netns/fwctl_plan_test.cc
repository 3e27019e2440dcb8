// Plans: what they say a change means, and that they are applied exactly or not at all.
#include <fmt/format.h>
#include <gmock/gmock.h>
#include <unistd.h>

#include "core/os.h"
#include "fwctl/netlink/watch.h"
#include "tests/netns/fwctl_command.h"

namespace gatehouse::test {
namespace {

using ::testing::AllOf;
using ::testing::Contains;
using ::testing::HasSubstr;
using ::testing::Key;
using ::testing::Not;

class FwctlPlan : public CommandInNamespace {
 protected:
  void TearDown() override { std::remove(file_.c_str()); }
  const std::string file_ = fmt::format("/tmp/gh-fwctl-{}.plan", getpid());
  const std::string site_ = example("web-mail.yaml");
};

TEST_F(FwctlPlan, SaysWhichTrafficItOpensAndCloses) {
  const Output first = fwctl("plan " + site_);
  EXPECT_EQ(first.status, 1);
  EXPECT_THAT(first.text,
              AllOf(HasSubstr("is no longer reachable:"), HasSubstr("outside to gatehouse: everything"),
                    Not(HasSubstr("becomes reachable"))));
  ASSERT_EQ(fwctl("apply " + site_).status, 0);
  EXPECT_THAT(fwctl("plan " + site_).text, HasSubstr("no difference"));
  ASSERT_EQ(shell("nft insert rule inet gatehouse forward iifname wan0 tcp dport 8080 accept").status, 0);
  ASSERT_EQ(
      shell("nft delete element inet gatehouse outside-to-servers-v4 '{ 10.66.1.10 . tcp . 25 }'").status, 0);
  const Output planned = fwctl("plan " + site_);
  EXPECT_THAT(planned.text,
              AllOf(HasSubstr("becomes reachable:\n  outside to servers: tcp/25 (IPv4)\n    to 10.66.1.10\n"),
                    HasSubstr("> 10.66.1.10:25 SYN new"), HasSubstr("is no longer reachable:"),
                    HasSubstr("  outside to admin: tcp/8080 (IPv4 and IPv6)\n"),
                    HasSubstr("# web-mail.yaml:34 service mail")));
  EXPECT_THAT(fwctl("plan --json " + site_).text, HasSubstr("\"change\":\"opened\",\"from\":\"outside\""));
  EXPECT_THAT(fwctl("plan --rules-only " + site_).text, Not(HasSubstr("reachable")));
  EXPECT_THAT(fwctl("plan --rules-only --json " + site_).text, Not(HasSubstr("meaning")));
}

TEST_F(FwctlPlan, IsAppliedExactlyOrNotAtAll) {
  ASSERT_EQ(fwctl("plan --out " + file_ + " " + site_).status, 1);
  ASSERT_EQ(shell("nft add table ip somebody").status, 0);
  const Output refused = fwctl("apply " + file_);
  EXPECT_EQ(refused.status, 3);
  EXPECT_THAT(refused.text,
              AllOf(HasSubstr("the table ip somebody is new"), HasSubstr("nothing was applied")));
  EXPECT_THAT(shell("nft list tables").text, Not(HasSubstr("gatehouse")));
  ASSERT_EQ(fwctl("plan --out " + file_ + " " + site_).status, 1);
  EXPECT_EQ(fwctl("apply --expect-generation 1 " + file_).status, 2) << "it has its own";
  EXPECT_EQ(fwctl("apply -n --confirm-within 60s " + site_).status, 2) << "nothing would be taken back";
  const Output applied = fwctl("apply " + file_);
  EXPECT_EQ(applied.status, 0) << applied.text;
  EXPECT_EQ(fwctl("status " + site_).status, 0);
  EXPECT_EQ(fwctl("apply " + file_).status, 3) << "its generation is over";
  // A plan holds the policy: the file it came from may change.
  ASSERT_TRUE(core::write_file_atomic(file_, "{\"gatehouse-plan\":1,\"made\":7}"));
  EXPECT_EQ(fwctl("apply " + file_).status, 2);
}

TEST_F(FwctlPlan, WhoeverCommitsIsNamed) {
  std::optional<core::Result<RulesetWatch>> watch;
  inside_->enter([&] { watch = RulesetWatch::open("gatehouse"); });
  ASSERT_TRUE(*watch) << watch->error().to_string();
  ASSERT_TRUE(put(full_table()));
  ASSERT_EQ(shell("nft delete element inet gatehouse never-outside-v4 '{ 10.66.1.0/24 }'").status, 0);
  const std::vector<Commit> commits = (*watch)->drain();
  ASSERT_EQ(commits.size(), 2U);
  EXPECT_EQ(commits[0].port, kernel_->port());
  EXPECT_EQ(commits[1].process, "nft");
  EXPECT_NE(commits[1].pid, 0U);
  EXPECT_EQ(commits[1].generation, commits[0].generation + 1);
  EXPECT_THAT(commits[1].tables, Contains("inet gatehouse"));
  EXPECT_THAT(commits[1].changed_sets, Contains(Key("never-outside-v4")));
  EXPECT_FALSE(commits[0].lost || commits[1].lost);
}

}  // namespace
}  // namespace gatehouse::test
