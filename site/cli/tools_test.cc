#include "site/cli/tools.h"

#include <gmock/gmock.h>

#include "site/cli/verbs.h"

namespace gatehouse::umbrella {
namespace {

Answer answer(bool present, int status) {
  return {"a", "p", present, status, ""};
}

TEST(WorstStatus, TheLargestCountsAndAbsenceAsSaid) {
  EXPECT_EQ(worst_status({}, 3), 0);
  EXPECT_EQ(worst_status({answer(true, 0), answer(true, 1), answer(true, 0)}, 3), 1);
  EXPECT_EQ(worst_status({answer(true, 0), answer(false, 0)}, 0), 0);
  EXPECT_EQ(worst_status({answer(true, 1), answer(false, 0)}, 3), 3);
}

TEST(AskTools, AnUnknownAreaIsAnErrorWithAHint) {
  auto answers = ask_tools(Question::check, "site.yaml", {"firewal"}, false);
  ASSERT_FALSE(answers);
  EXPECT_THAT(answers.error().text, testing::HasSubstr("`firewall`"));
}

// The test program's folder holds no tools: every answer must say so, and an apply must stop at once.
TEST(AskTools, AMissingProgramIsReportedNotSkipped) {
  auto checked = ask_tools(Question::check, "site.yaml", {}, false);
  ASSERT_TRUE(checked) << checked.error().text;
  EXPECT_GE(checked->size(), 3U);
  for (const Answer& a : *checked) EXPECT_FALSE(a.present) << a.program;
  auto applied = ask_tools(Question::apply, "site.yaml", {}, true);
  ASSERT_TRUE(applied);
  EXPECT_EQ(applied->size(), 1U);
}

TEST(Tools, EveryToolAnswersSomething) {
  for (const Tool& tool : all_tools()) {
    EXPECT_FALSE(tool.check.empty() && tool.plan.empty() && tool.apply.empty() && tool.status.empty())
        << tool.program;
  }
}

TEST(Verbs, HelpNamesEveryVerb) {
  const std::string help = core::tool_help(gatehouse_tool());
  for (const char* verb : {"check", "plan", "apply", "status", "drill"}) {
    EXPECT_THAT(help, testing::HasSubstr(verb));
  }
}

}  // namespace
}  // namespace gatehouse::umbrella
