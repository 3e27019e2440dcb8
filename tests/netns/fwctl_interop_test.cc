// Beside tables that nft 1.1.3 (Debian 13) made: sets and maps of its kind, on which the nft of Debian 12
// crashes. What it sends to the kernel is kept as bytes, fwctl_newer_nft/ruleset.image, so that reading it is
// always tested. GATEHOUSE_UPDATE_GOLDEN=1 makes them anew from ruleset.nft.
#include <gmock/gmock.h>

#include "fwctl/compile/digest.h"
#include "fwctl/control/plan_file.h"
#include "fwctl/netlink/image.h"
#include "tests/netns/fwctl_machine.h"

namespace gatehouse::test {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;
using ::testing::Not;

const std::string kGolden = std::string(GATEHOUSE_SOURCE_DIR) + "/tests/netns/fwctl_newer_nft/";

class FwctlInterop : public OnMachine {
 protected:
  // Nothing but its stated reason when it cannot be had. Fetched from where there is a network.
  std::string newer_nft() {
    const Output made =
        run_here(std::string(GATEHOUSE_SOURCE_DIR) + "/tests/netns/newer-nft " GATEHOUSE_NEWER_NFT);
    if (made.status != 0) why_not_ = made.text;
    return made.status == 0 ? GATEHOUSE_NEWER_NFT "/nft" : "";
  }
  LiveRuleset read_all() {
    LiveRuleset out;
    m_->inside().enter([&] {
      auto kernel = Kernel::open();
      ASSERT_TRUE(kernel);
      auto all = kernel->read_all();
      ASSERT_TRUE(all) << all.error().to_string();
      out = std::move(*all);
    });
    return out;
  }
  void paste(const RulesetCopy& copy) {
    m_->inside().enter([&] {
      auto kernel = Kernel::open();
      ASSERT_TRUE(kernel);
      const auto done = kernel->paste(copy);
      ASSERT_TRUE(done) << done.error().to_string();
    });
  }
  void put_golden() {
    const auto bytes = core::read_file(kGolden + "ruleset.image");
    ASSERT_TRUE(bytes);
    const auto image = parse_image(*bytes);
    ASSERT_TRUE(image) << image.error().to_string();
    paste(*image);
  }
  std::string why_not_;
};

TEST_F(FwctlInterop, WorksBesideTablesOfANewerNft) {
  put_golden();
  const LiveRuleset all = read_all();
  ASSERT_EQ(all.tables.size(), 2U);
  const KernelTable& t = all.tables[0].table;
  // What is in them, by any notation of whoever wrote them.
  const auto elements = [&](const char* set) {
    const KernelSet* s = t.find_set(set);
    return s == nullptr ? -1 : static_cast<int>(s->elements.size());
  };
  EXPECT_EQ(elements("plain"), 2);
  EXPECT_EQ(elements("nets"), 3);
  EXPECT_EQ(elements("pairs"), 2);
  EXPECT_EQ(elements("of"), 1);
  EXPECT_EQ(elements("names"), 2);
  EXPECT_EQ(elements("verdicts"), 2);
  EXPECT_EQ(elements("ranged"), 2);
  EXPECT_EQ(t.find_set("plain")->elements[1].comment, "two");
  EXPECT_EQ(t.find_set("ranged")->elements[0].verdict, (KernelVerdict{-3, "low"}));
  const std::string site = example("web-mail.yaml");
  EXPECT_THAT(m_->fwctl("status").text,
              AllOf(HasSubstr("other table: inet other"), HasSubstr("other table: ip nat5")));
  EXPECT_EQ(m_->fwctl("plan " + site).status, 1);
  const Output applied = m_->fwctl("apply " + site);
  EXPECT_EQ(applied.status, 0) << applied.text;
  EXPECT_EQ(m_->fwctl("status " + site).status, 0);
  // Their drops are found, what cannot be read is said, and what holds all the same is decided.
  const Output proof = m_->fwctl("prove " + site);
  EXPECT_EQ(proof.status, 1);
  EXPECT_THAT(proof.text,
              AllOf(HasSubstr("inet other input rule"), HasSubstr("@plain drop"),
                    HasSubstr("cannot decide because of: an expression that libnftnl cannot read"),
                    HasSubstr("holds: assert internet cannot reach servers except 80, 443, 25")));
  // None of it was touched.
  const LiveRuleset after = read_all();
  for (const LiveTable& before : all.tables) {
    for (const LiveTable& now : after.tables) {
      if (now.name() != before.name()) continue;
      EXPECT_EQ(digest(now.table), digest(before.table)) << now.name();
    }
  }
  EXPECT_EQ(after.tables.size(), 3U);
  EXPECT_EQ(m_->fwctl("rollback").status, 0);
}

TEST_F(FwctlInterop, TheKeptTablesAreWhatANewerNftMakes) {
  const std::string nft = newer_nft();
  if (nft.empty()) GTEST_SKIP() << "nft 1.1 cannot be had: " << why_not_;
  const Output loaded = m_->run(nft + " -f " + kGolden + "ruleset.nft");
  ASSERT_EQ(loaded.status, 0) << loaded.text;
  if (std::getenv("GATEHOUSE_UPDATE_GOLDEN") != nullptr) {
    m_->inside().enter([&] {
      auto kernel = Kernel::open();
      ASSERT_TRUE(kernel);
      const auto copy = kernel->copy();
      ASSERT_TRUE(copy && core::write_file_atomic(kGolden + "ruleset.image", to_bytes(*copy)));
    });
  }
  const auto digests = digests_of(read_all());
  ASSERT_EQ(m_->run(nft + " flush ruleset").status, 0);
  put_golden();
  EXPECT_EQ(digests_of(read_all()), digests);
}

// What we make is listed by both, and what they list makes the same again.
TEST_F(FwctlInterop, OursIsListedByBoth) {
  const std::string newer = newer_nft();
  if (newer.empty()) GTEST_SKIP() << "nft 1.1 cannot be had: " << why_not_;
  for (const char* policy : {"web-mail.yaml", "private-network.yaml"}) {
    const std::string site = example(policy);
    for (const std::string& nft : {std::string("nft"), newer}) {
      SCOPED_TRACE(std::string(policy) + " " + nft);
      // Sets that another nft made would stay its own, and nft 1.0.6 crashes on those of 1.1.
      ASSERT_EQ(m_->run("nft flush ruleset").status, 0);
      ASSERT_EQ(m_->fwctl("apply " + site).status, 0);
      const std::string file = m_->directory() + "/listed.nft";
      const Output listed = m_->run(nft + " -s list ruleset >" + file);
      ASSERT_EQ(listed.status, 0) << listed.text;
      const auto text = core::read_file(file);
      ASSERT_TRUE(text);
      EXPECT_THAT(*text, AllOf(HasSubstr("table inet gatehouse {"), HasSubstr(std::string(policy) + ":"),
                               Not(HasSubstr("[invalid type]"))));
      const Output again = m_->run("nft flush ruleset; " + nft + " -f " + file);
      ASSERT_EQ(again.status, 0) << again.text;
      // The same expressions, but where nft lists conditions in another order: those mean the same.
      const Output proof = m_->fwctl("prove " + site);
      EXPECT_EQ(proof.status, 0) << proof.text;
      if (std::string(policy) != "web-mail.yaml") continue;
      const Output status = m_->fwctl("status " + site);
      EXPECT_EQ(status.status, 0) << status.text;
    }
  }
}

}  // namespace
}  // namespace gatehouse::test
