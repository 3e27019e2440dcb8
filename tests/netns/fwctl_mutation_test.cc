// Does every rule of the compiled policy matter, and do the probes notice when it is gone?
#include <fmt/format.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <variant>

#include "fwctl/compile/compile.h"
#include "fwctl/control/control.h"
#include "fwctl/model/build.h"
#include "tests/netns/fwctl_network.h"
#include "tests/netns/fwctl_probes.h"
#include "tests/netns/fwctl_site.h"

namespace gatehouse::test {
namespace {

using namespace fwctl;

class FwctlPackets : public FwctlNetwork {
 protected:
  void SetUp() override {
    FwctlNetwork::SetUp();
    if (!kernel_) return;  // skipped, or failed
    auto ruleset = build_ruleset(full_site());
    ASSERT_TRUE(ruleset) << ruleset.error().to_string();
    table_ = compile(*ruleset);
    put(table_);
    ban("198.51.100.66");
    ban("2001:db8:ff::66");
    matrix_.emplace(*topology_);
  }

  // For the probes that come from there.
  void ban(const std::string& address) {
    const core::IpAddress a = *core::IpAddress::parse(address);
    const KernelSet& set = *table_.find_set(a.is_v4() ? kBanned4 : kBanned6);
    const Bytes key(a.view().begin(), a.view().end());
    const Transaction all{table_.name, {AddTimed{set, key, 3'600'000, "test"}}};
    const auto done = kernel_->commit(all, std::nullopt);
    ASSERT_TRUE(done) << done.error().to_string();
  }
  // Neighbour entries that failed under a mutated policy need a moment to be tried again.
  std::vector<std::string> settled_run() {
    std::vector<std::string> wrong;
    for (int i = 0; i < 8; ++i) {
      wrong = matrix_->run();
      if (wrong.empty()) break;
      usleep(250'000);
    }
    return wrong;
  }

  std::optional<Matrix> matrix_;
  KernelTable table_;
};

std::string join(const std::vector<std::string>& lines) {
  return fmt::format("{}", fmt::join(lines, "\n"));
}

// Why dropping this rule alone cannot change what passes; empty when it must.
std::string exempt(const KernelChain& chain, std::size_t index) {
  const KernelRule& rule = chain.rules[index];
  const auto has = [&](auto probe) {
    for (const Expression& e : rule.expressions) {
      if (probe(e)) return true;
    }
    return false;
  };
  if (has([](const Expression& e) { return std::holds_alternative<Log>(e); })) return "logs only";
  if (has([](const Expression& e) { return std::holds_alternative<Limit>(e); })) {
    return "a rate limit: nothing here is fast enough; SynRateIsLimited tests it";
  }
  if (index + 1 == chain.rules.size() && rule.comment == "built-in: everything else") {
    return "the chain policy drops as well; LeakTest tests what this rule is for";
  }
  return {};
}

TEST_F(FwctlPackets, OnlyTheExposedPortsAnswerFromOutside) {
  const std::vector<std::uint16_t> ports = {1,    21,   22,   23,   25,   53,   80,    110,  139,
                                            143,  443,  445,  465,  587,  993,  2222,  3306, 5432,
                                            6379, 8080, 8443, 9000, 9005, 9200, 11211, 27017};
  const std::vector<std::uint16_t> exposed = {25, 80, 443};
  ASSERT_EQ(settled_run(), std::vector<std::string>{});
  EXPECT_EQ(matrix_->scan("10.66.1.10", ports), exposed);
  EXPECT_EQ(matrix_->scan("fd66:1::10", ports), exposed);
}

TEST_F(FwctlPackets, EveryRuleMatters) {
  ASSERT_EQ(join(settled_run()), "");
  std::size_t tried = 0;
  std::vector<std::string> exemptions;
  for (std::size_t c = 0; c < table_.chains.size(); ++c) {
    for (std::size_t r = 0; r < table_.chains[c].rules.size(); ++r) {
      const KernelChain& chain = table_.chains[c];
      const std::string name = fmt::format("{} rule {} ({})", chain.name, r + 1, chain.rules[r].comment);
      if (const std::string reason = exempt(chain, r); !reason.empty()) {
        exemptions.push_back(name + ": " + reason);
        continue;
      }
      KernelTable mutant = table_;
      auto& rules = mutant.chains[c].rules;
      rules.erase(rules.begin() + static_cast<std::ptrdiff_t>(r));
      put(mutant);
      // A late answer to a probe of the run before can stand for one that is missing: what is not noticed is
      // looked at again.
      std::vector<std::string> noticed;
      for (int tries = 3; noticed.empty() && tries > 0; --tries) noticed = matrix_->run();
      EXPECT_FALSE(noticed.empty()) << "nothing noticed that this rule is gone: " << name;
      std::printf("without %s: %zu probes wrong, first: %s\n", name.c_str(), noticed.size(),
                  noticed.empty() ? "-" : noticed[0].c_str());
      put(table_);
      // A failure noticed above must come from the mutation, so the policy itself is green each time.
      ASSERT_EQ(join(settled_run()), "") << "after restoring " << name;
      ++tried;
    }
  }
  std::printf("%zu probes; %zu rules dropped one by one; exempt:\n%s\n", matrix_->size(), tried,
              join(exemptions).c_str());
  EXPECT_GT(tried, 50U);
}

}  // namespace
}  // namespace gatehouse::test
