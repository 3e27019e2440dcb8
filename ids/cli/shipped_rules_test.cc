// The shipped rules and their examples belong together: every rule is proved by a case, every case
// holds, and what is ordinary stays quiet.
#include <gtest/gtest.h>

#include <filesystem>
#include <set>

#include "core/os.h"
#include "ids/casetest/run.h"
#include "ids/engine/rule_set.h"

namespace gatehouse::ids {
namespace {

constexpr const char* kRules = GATEHOUSE_SOURCE_DIR "/rules/ids/gatehouse.rules";
constexpr const char* kCases = GATEHOUSE_SOURCE_DIR "/rules/ids/cases";

TEST(ShippedRules, EveryCaseHolds) {
  const auto cases = casetest::find_cases(kCases);
  ASSERT_TRUE(cases);
  ASSERT_FALSE(cases->empty());
  for (const std::string& directory : *cases) {
    const casetest::Outcome outcome = casetest::run_case(directory);
    EXPECT_EQ(outcome.verdict, casetest::Outcome::Verdict::passed)
        << directory << ": " << (outcome.reasons.empty() ? "" : outcome.reasons.front()) << '\n'
        << outcome.diagnostics.render_all();
  }
}

TEST(ShippedRules, EveryRuleIsProvedByACase) {
  core::Diagnostics diagnostics;
  const auto settings = engine::load_settings({}, diagnostics);
  ASSERT_TRUE(settings);
  const auto rules = engine::load_rule_set({kRules}, *settings, diagnostics);
  ASSERT_TRUE(rules);
  EXPECT_EQ(rules->failed, 0u) << diagnostics.render_all();
  std::set<std::int64_t> proved;
  const auto cases = casetest::find_cases(kCases);
  ASSERT_TRUE(cases);
  const auto before = std::filesystem::current_path();
  for (const std::string& directory : *cases) {
    std::filesystem::current_path(directory);
    const auto test = casetest::load_case(directory, diagnostics);
    ASSERT_TRUE(test) << diagnostics.render_all();
    if (test->alerts) proved.insert(test->alerts->begin(), test->alerts->end());
  }
  std::filesystem::current_path(before);
  for (const auto& rule : rules->engine->rules().rules)
    EXPECT_TRUE(proved.contains(rule->meta.sid)) << "no case proves " << rule->meta.sid;
}

}  // namespace
}  // namespace gatehouse::ids
