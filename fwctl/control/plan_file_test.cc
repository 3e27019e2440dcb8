#include "fwctl/control/plan_file.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace gatehouse::fwctl {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

PlanFile sample() {
  PlanFile out;
  out.site_file = "/etc/gatehouse/site.yaml";
  out.site_text = "site: \"x\"\n# a tab\there, a quote ' and \\ and \xc3\xa9\nzones: {}\n";
  out.digest = "0123456789abcdef";
  out.generation = 41;
  out.tables = {{"inet gatehouse", "00000000000000aa"}, {"ip nat", "00000000000000bb"}};
  out.made = "2026-11-22T12:00:00.000000Z";
  return out;
}

TEST(PlanFile, WhatIsWrittenReadsBack) {
  const std::string text = sample().to_text();
  EXPECT_TRUE(is_plan_file(text));
  const auto back = parse_plan_file(core::SourceText("p", text));
  ASSERT_TRUE(back) << back.error().to_string();
  EXPECT_EQ(back->site_text, sample().site_text);
  EXPECT_EQ(back->to_text(), text);
}

TEST(PlanFile, MistakesHavePlaces) {
  const auto refused = [](std::string text, const std::string& from, const std::string& to) {
    text.replace(text.find(from), from.size(), to);
    const auto plan = parse_plan_file(core::SourceText("p", text));
    return plan ? std::string("accepted") : plan.error().to_string();
  };
  const std::string text = sample().to_text();
  EXPECT_THAT(refused(text, ":41,", ":-1,"), HasSubstr("p:1:"));
  EXPECT_THAT(refused(text, "\"digest\"", "\"digets\""), HasSubstr("`digest`"));
  EXPECT_THAT(refused(text, "0123456789abcdef", "0123456789abcdeg"), HasSubstr("16 hexadecimal digits"));
  EXPECT_THAT(refused(text, "\"00000000000000aa\"", "7"), HasSubstr("16 hexadecimal digits"));
  EXPECT_THAT(refused(text, "plan\":1", "plan\":2"), HasSubstr("p:1:"));
  EXPECT_FALSE(parse_plan_file(core::SourceText("p", text.substr(0, text.size() / 2))));
  EXPECT_FALSE(parse_plan_file(core::SourceText("p", "")));
}

TEST(PlanFile, DifferencesAreNamed) {
  EXPECT_THAT(
      differences({{"inet gatehouse", "a"}, {"ip nat", "b"}}, {{"inet gatehouse", "c"}, {"ip x", "d"}}),
      ElementsAre("the table inet gatehouse is not what it was", "the table ip nat is gone",
                  "the table ip x is new"));
}

}  // namespace
}  // namespace gatehouse::fwctl
