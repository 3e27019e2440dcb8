#include <gtest/gtest.h>

#include "ids/keywords/rule.h"

namespace gatehouse::ids {
namespace {

bool parse(const std::string& text, RuleEnvironment& environment, core::Diagnostics& d) {
  environment.address_variables = {{"QUIET", "[10.0.0.0/8,192.0.2.1]"}};
  return parse_threshold_file(core::SourceText("threshold.config", text), environment, d);
}

TEST(ThresholdFile, TunesTheRulesItNames) {
  RuleEnvironment environment;
  core::Diagnostics d;
  ASSERT_TRUE(
      parse("# comment\n"
            "suppress gen_id 1, sig_id 7, track by_src, ip [10.0.0.1, $QUIET]\n"
            "suppress gen_id 1, sig_id 8\n"
            "threshold gen_id 1, sig_id 0, type limit, track by_rule, count 3, seconds 60\n",
            environment, d))
      << d.render_all();
  const core::SourceText rules(
      "r", "alert ip any any -> any any (sid:7;)\nalert ip any any -> any any (sid:8;)\n");
  const RuleList list = check_rules(std::span(&rules, 1), environment, d);
  ASSERT_EQ(list.rules.size(), 2U);
  ASSERT_EQ(list.rules[0]->suppressions.size(), 1U);
  EXPECT_EQ(list.rules[0]->suppressions[0].side, Suppression::Side::source);
  EXPECT_TRUE(list.rules[0]->suppressions[0].addresses.contains(*IpAddress::parse("192.0.2.1")));
  EXPECT_EQ(list.rules[1]->suppressions[0].side, Suppression::Side::all);
  ASSERT_EQ(list.rules[1]->thresholds.size(), 1U);
  EXPECT_EQ(list.rules[1]->thresholds[0].count, 3U);
}

TEST(ThresholdFile, RefusesTheWholeFileAndSaysWhere) {
  struct Row {
    const char* line;
    const char* code;
    std::uint32_t column;
  };
  const Row rows[] = {
      {"supress gen_id 1, sig_id 1", "threshold-command", 1},
      {"suppress gen_id x, sig_id 1", "number-range", 17},
      {"suppress gen_id 1, sig_id 1, track by_source, ip any", "threshold-value", 36},
      {"suppress gen_id 1, sig_id 1, track by_src", "threshold-incomplete", 1},
      {"suppress gen_id 1, sig_id 1, track by_src, ip 10.0.0.999", "address-syntax", 47},
      {"suppress gen_id 1, sig_id 1, track by_src, ip $LOUD", "unknown-variable", 47},
      {"threshold gen_id 1, sig_id 1, type limit, track by_src, count 0, seconds 1", "number-range", 63},
      {"threshold gen_id 1, sig_id 1, type limit, track by_src, count 1", "threshold-incomplete", 1},
      {"rate_filter gen_id 1, sig_id 1, track by_src, count 1, seconds 1, new_action drop",
       "threshold-incomplete", 1},
      {"rate_filter gen_id 1, sig_id 1, track by_src, count 1, seconds 1, new_action revert, timeout 1",
       "threshold-value", 78},
  };
  for (const Row& row : rows) {
    RuleEnvironment environment;
    core::Diagnostics d;
    EXPECT_FALSE(parse("suppress gen_id 1, sig_id 9\n" + std::string(row.line) + "\n", environment, d))
        << row.line;
    EXPECT_TRUE(environment.tunings.empty()) << row.line;
    ASSERT_EQ(d.all().size(), 1U) << row.line;
    EXPECT_EQ(d.all()[0].code, row.code) << row.line;
    EXPECT_EQ(d.all()[0].where.line, 2U) << row.line;
    EXPECT_EQ(d.all()[0].where.column, row.column) << row.line;
  }
}

}  // namespace
}  // namespace gatehouse::ids
