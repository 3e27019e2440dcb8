#include "core/diag.h"

#include <gtest/gtest.h>

namespace gatehouse::core {
namespace {

TEST(Render, PointsAtTheColumnAndGivesTheHint) {
  Diagnostic d{Severity::error,
               "unknown-key",
               "unknown key `netwroks`",
               {"site.yaml", 3, 5},
               8,
               "    netwroks: any",
               "did you mean `networks`?"};
  EXPECT_EQ(render(d),
            "site.yaml:3:5: error: unknown key `netwroks` [unknown-key]\n"
            "      netwroks: any\n"
            "      ^~~~~~~~\n"
            "  hint: did you mean `networks`?\n");
}

TEST(Render, ShowsTheNeighbourhoodOfAMistakeInALongLine) {
  std::string line(5000, 'a');
  line[4000] = 'X';
  const std::string text = render({Severity::error, "c", "m", {"f", 1, 4001}, 1, line, ""});
  EXPECT_LT(text.size(), 600U);
  const std::size_t shown = text.find('\n') + 1;
  const std::size_t caret = text.find('^');
  const std::size_t second = text.find('\n', shown) + 1;
  EXPECT_EQ(text[shown + (caret - second)], 'X');
}

TEST(Render, NeverSendsControlBytesToTheTerminal) {
  const std::string text =
      render({Severity::error, "c", "evil \033[2J", {"f", 1, 1}, 1, "a\033]0;x\007b", ""});
  EXPECT_EQ(text.find('\033'), std::string::npos);
  EXPECT_EQ(text.find('\007'), std::string::npos);
}

TEST(SourceText, FindsLinesAndPositions) {
  const SourceText source("f", "one\r\ntwo\n\nfour");
  EXPECT_EQ(source.line(1), "one");
  EXPECT_EQ(source.line(2), "two");
  EXPECT_EQ(source.line(3), "");
  EXPECT_EQ(source.line(4), "four");
  EXPECT_EQ(source.line(5), "");
  EXPECT_EQ(source.position(5), (SourcePos{"f", 2, 1}));
  EXPECT_EQ(source.position(7), (SourcePos{"f", 2, 3}));
}

TEST(Nearest, FindsTyposAndNothingElse) {
  const std::vector<std::string> words = {"networks", "interface", "hosts", "http.uri", "http.user_agent"};
  EXPECT_EQ(nearest("netwroks", words), "networks");
  EXPECT_EQ(nearest("http.urii", words), "http.uri");
  EXPECT_EQ(nearest("host", words), "hosts");
  EXPECT_EQ(nearest("zebra", words), std::nullopt);
  EXPECT_EQ(nearest("", words), std::nullopt);
}

TEST(Diagnostics, KeepsABoundedNumberAndCountsAll) {
  Diagnostics diagnostics;
  for (int i = 0; i < 20'000; ++i) diagnostics.error("c", {"f", 1, 1}, "m").hint = "h";
  EXPECT_EQ(diagnostics.error_count(), 20'000U);
  EXPECT_EQ(diagnostics.all().size(), Diagnostics::kMaxKept);
  EXPECT_NE(diagnostics.render_all().find("(and 10000 more)"), std::string::npos);
}

}  // namespace
}  // namespace gatehouse::core
