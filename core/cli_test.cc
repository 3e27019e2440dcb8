#include "core/cli.h"

#include <gtest/gtest.h>

namespace gatehouse::core {
namespace {

struct Seen {
  std::vector<std::string> positional, rules;
  bool json = false;
};

ToolSpec tool(Seen& seen) {
  const std::string description = std::string(60, 'a') + " " + std::string(60, 'b') + "\n\nNext paragraph.";
  ToolSpec out{"tool",   "a test tool", description, {}, {{"/etc/x", "its file"}}, {{"tool run a", "runs a"}},
               {"RFC 1"}};
  out.verbs.push_back({"run",
                       "NAME [-- COMMAND...]",
                       1,
                       8,
                       "runs",
                       {{"--rules", "FILE", "rules", false, true},
                        {"--count", "N", "how many", false, false},
                        {"--for", "TIME", "how long", false, false},
                        {"--fast", "", "faster", false, false}},
                       [&seen](const Args& args) -> Result<int> {
                         seen = {args.positional(), args.values("--rules"), args.json()};
                         GH_TRY(const std::uint64_t us,
                                args.duration_us("--for", 1'000'000, 1'000'000, 3'600'000'000));
                         if (us == 120'000'000) return kExitNo;
                         GH_TRY(const std::uint64_t count, args.uint("--count", 1, 1, 5));
                         return count == 5 ? kExitNo : kExitDone;
                       }});
  out.verbs.push_back({"refuse", "", 0, 0, "refuses", {}, [](const Args&) -> Result<int> {
                         return fail(Errc::permission, "no");
                       }});
  return out;
}

int run(Seen& seen, std::vector<const char*> words) {
  words.insert(words.begin(), "tool");
  return run_tool(tool(seen), static_cast<int>(words.size()), words.data());
}

TEST(Cli, ExitStatusFollowsTheConvention) {
  Seen seen;
  EXPECT_EQ(run(seen, {"run", "a"}), 0);
  EXPECT_EQ(run(seen, {"run", "a", "--count", "5"}), 1);
  EXPECT_EQ(run(seen, {"run", "a", "--count", "6"}), 2);
  EXPECT_EQ(run(seen, {"run", "a", "--count"}), 2);
  for (const char* two_minutes : {"2m", "120", "120s"})
    EXPECT_EQ(run(seen, {"run", "a", "--for", two_minutes}), 1) << two_minutes;
  for (const char* bad : {"", "m", "x", "-2m", "2w", "999ms", "61m", "2m2m"})
    EXPECT_EQ(run(seen, {"run", "a", "--for", bad}), 2) << bad;
  EXPECT_EQ(run(seen, {"run"}), 2);
  EXPECT_EQ(run(seen, {"rnu", "a"}), 2);
  EXPECT_EQ(run(seen, {"run", "a", "--cuont", "1"}), 2);
  EXPECT_EQ(run(seen, {"run", "a", "--count", "1", "--count", "2"}), 2);
  EXPECT_EQ(run(seen, {"refuse"}), 3);
  EXPECT_EQ(run(seen, {}), 2);
}

TEST(Cli, WordsAfterDashesBelongToTheCommand) {
  Seen seen;
  EXPECT_EQ(run(seen, {"run", "--json", "--rules", "x", "dom", "--rules", "y", "--", "ls", "--json", "-l"}),
            0);
  EXPECT_EQ(seen.positional, (std::vector<std::string>{"dom", "ls", "--json", "-l"}));
  EXPECT_EQ(seen.rules, (std::vector<std::string>{"x", "y"}));
  EXPECT_TRUE(seen.json);
}

TEST(Cli, VerbsMayComeInGroups) {
  ToolSpec spec;
  spec.name = "tool";
  int called = 0;
  for (const char* name : {"one", "group two", "group three"}) {
    VerbSpec verb;
    verb.name = name;
    verb.run = [&called, n = std::string(name).size()](const Args&) -> Result<int> {
      called = static_cast<int>(n);
      return kExitDone;
    };
    spec.verbs.push_back(verb);
  }
  const auto run = [&](std::vector<const char*> words) {
    words.insert(words.begin(), "tool");
    return run_tool(spec, static_cast<int>(words.size()), words.data());
  };
  EXPECT_EQ(run({"group", "two"}), kExitDone);
  EXPECT_EQ(called, 9);
  EXPECT_EQ(run({"group", "three"}), kExitDone);
  EXPECT_EQ(called, 11);
  EXPECT_EQ(run({"group"}), kExitUsage);
  EXPECT_EQ(run({"group", "four"}), kExitUsage);
  EXPECT_EQ(run({"two"}), kExitUsage);
  EXPECT_NE(completion_script(spec, "bash").find("two three"), std::string::npos);
}

TEST(Cli, HelpAndCompletionComeFromTheTable) {
  Seen seen;
  const ToolSpec spec = tool(seen);
  const std::string page = tool_help(spec);
  for (const char* part : {"NAME", "SYNOPSIS", "DESCRIPTION", "EXIT STATUS", "FILES", "EXAMPLES", "STANDARDS",
                           "tool run [options] NAME"}) {
    EXPECT_NE(page.find(part), std::string::npos) << part;
  }
  EXPECT_NE(page.find("       " + std::string(60, 'a') + "\n       " + std::string(60, 'b') +
                      "\n\n       Next paragraph.\n"),
            std::string::npos)
      << page;
  EXPECT_NE(verb_help(spec, spec.verbs[0]).find("--rules FILE"), std::string::npos);
  for (const char* shell : {"bash", "zsh", "fish"})
    EXPECT_NE(completion_script(spec, shell).find("run"), std::string::npos);
}

}  // namespace
}  // namespace gatehouse::core
