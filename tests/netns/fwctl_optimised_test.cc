// Rulesets before and after `nft -o`: where it changes what they mean, the proof shows a packet. Of each pair
// (fwctl_optimised) `NAME.nft` passes everything beside the policy, and `NAME.made.nft` is what nft 1.0.6
// makes of it.
#include <gmock/gmock.h>

#include "tests/netns/fwctl_machine.h"

namespace gatehouse::test {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;
using ::testing::StartsWith;

struct Pair {
  const char* name;
  bool wrong;  // what nft 1.0.6 makes of it
  const char* shown;
};

void PrintTo(const Pair& p, std::ostream* out) {
  *out << p.name;
}

class FwctlOptimised : public OnMachine, public ::testing::WithParamInterface<Pair> {
 protected:
  // The exported policy with the file behind it; the path.
  std::string beside_the_policy(const std::string& file) {
    const auto text =
        core::read_file(std::string(GATEHOUSE_SOURCE_DIR) + "/tests/netns/fwctl_optimised/" + file);
    EXPECT_TRUE(text) << file;
    const std::string path = m_->directory() + "/" + file;
    EXPECT_TRUE(core::write_file_atomic(path, m_->fwctl("export --format nft " + site_).text + "\n" + *text));
    return path;
  }
  Output prove(const std::string& path) { return m_->fwctl("prove --ruleset " + path + " " + site_); }
  // The packet that a proof shows, quoted for the shell.
  static std::string packet_in(const std::string& proof) {
    const std::string before = "\n  packet   ";
    const std::size_t at = proof.find(before);
    if (at == std::string::npos) return "";
    const std::size_t begin = at + before.size();
    return "'" + proof.substr(begin, proof.find('\n', begin) - begin) + "'";
  }

  const std::string site_ = example("web-mail.yaml");
};

TEST_P(FwctlOptimised, TheProofTellsBeforeFromAfter) {
  const Pair& p = GetParam();
  const std::string before = beside_the_policy(std::string(p.name) + ".nft");
  const Output whole = prove(before);
  EXPECT_EQ(whole.status, 0) << whole.text;
  const std::string made = beside_the_policy(std::string(p.name) + ".made.nft");
  const Output after = prove(made);
  EXPECT_EQ(after.status, p.wrong ? 1 : 0) << after.text;
  if (p.wrong) {
    EXPECT_THAT(after.text,
                AllOf(StartsWith("differs"), HasSubstr("the policy accepts it, the ruleset drops it"),
                      HasSubstr(p.shown), HasSubstr("inet by-hand forward: policy drop")));
  }
  // The nft that is here may be wiser; whatever it makes, what the proof says of it is what the kernel does.
  const std::string own = m_->directory() + "/own.nft";
  ASSERT_EQ(
      m_->run("unshare -n sh -c 'nft -o -f " + before + " >/dev/null 2>&1 && nft list ruleset' > " + own)
          .status,
      0);
  const Output here = prove(own);
  ASSERT_LE(here.status, 1) << here.text;
  for (const auto& [path, proof] : {std::pair{made, after}, {own, here}}) {
    if (proof.status == 0) continue;
    EXPECT_THAT(proof.text, HasSubstr(p.shown));
    const Output explained =
        m_->fwctl("explain --trace --ruleset " + path + " " + site_ + " " + packet_in(proof.text));
    // A first packet cannot be given a status.
    if (explained.text.find("a first packet has no status") != std::string::npos) continue;
    EXPECT_THAT(explained.text, HasSubstr("kernel   went the same way and dropped it"));
  }
}

INSTANTIATE_TEST_SUITE_P(Pairs, FwctlOptimised,
                         ::testing::Values(Pair{"flags", true, "SYN|"}, Pair{"status", true, "ct:2:"},
                                           Pair{"states", false, ""}));

class FwctlOptimisedAway : public FwctlOptimised {};

// What is left where nft loads nothing passes everything.
TEST_P(FwctlOptimisedAway, AFileThatIsNotLoadedIsADifference) {
  const std::string before = beside_the_policy(std::string(GetParam().name) + ".nft");
  EXPECT_EQ(prove(before).status, 0);
  const std::string own = m_->directory() + "/own.nft";
  const Output optimised = m_->run("unshare -n sh -c 'nft -o -f " + before +
                                   " 2>&1 || echo refused; nft list ruleset > " + own + "'");
  if (optimised.text.find("refused") == std::string::npos) GTEST_SKIP() << "this nft loads it";
  const Output after = prove(own);
  EXPECT_EQ(after.status, 1);
  EXPECT_THAT(after.text, HasSubstr("the policy drops it, the ruleset accepts it"));
}

INSTANTIATE_TEST_SUITE_P(Pairs, FwctlOptimisedAway, ::testing::Values(Pair{"ranges", true, ""}));

}  // namespace
}  // namespace gatehouse::test
