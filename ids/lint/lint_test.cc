#include "ids/lint/lint.h"

#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

#include "ids/lint/checks.h"
#include "ids/lint/sarif.h"

namespace gatehouse::ids::lint {
namespace {

core::Diagnostics lint(const std::string& text) {
  RuleEnvironment environment;
  core::Diagnostics d;
  const core::SourceText source("t.rules", text);
  const RuleList rules = check_rules(std::span(&source, 1), environment, d);
  EXPECT_FALSE(d.has_errors()) << d.render_all();
  core::Diagnostics out;
  lint_rules(std::span(&source, 1), rules, out);
  EXPECT_FALSE(out.has_errors());
  return out;
}

struct Row {
  const char* code;  // empty: nothing to say
  const char* rules;
};

const Row kRows[] = {
    {"", "alert tcp any any -> any any (content:\"abcdef\"; sid:1;)"},
    {"", "alert tcp any any -> any any (flags:S; sid:1;)"},
    {"no-fast-pattern", "alert tcp any any -> any any (content:!\"abcdef\"; sid:1;)"},
    {"no-fast-pattern", "alert tcp any any -> any any (pcre:\"/abcdef/\"; sid:1;)"},
    {"short-fast-pattern", "alert tcp any any -> any any (content:\"abc\"; sid:1;)"},
    {"short-fast-pattern",
     "alert tcp any any -> any any (content:\"abc\"; fast_pattern; content:\"abcdef\"; sid:1;)"},
    {"", "alert udp any any -> any any (content:\"abcdef\"; dsize:6; sid:1;)"},
    {"never-fits", "alert udp any any -> any any (content:\"abcdef\"; dsize:<6; sid:1;)"},
    {"never-fits", "alert udp any any -> any any (content:\"abcdef\"; offset:2; dsize:7; sid:1;)"},
    {"never-fits",
     "alert udp any any -> any any (content:\"abcdef\"; content:\"ghij\"; distance:3; dsize:3<>13; sid:1;)"},
    {"",
     "alert udp any any -> any any (content:\"abcdef\"; content:\"ghij\"; distance:2; dsize:3<>13; sid:1;)"},
    {"never-matches", "alert udp any any -> any any (content:\"abcdef\"; dsize:>20; dsize:<10; sid:1;)"},
    {"never-fits", "alert http any any -> any any (http.uri; content:\"/index\"; bsize:5; sid:1;)"},
    {"never-fits", "alert http any any -> any any (http.uri; content:\"/index\"; urilen:<6; sid:1;)"},
    {"never-fits", "alert udp any any -> any any (content:\"abcdef\"; isdataat:!5; sid:1;)"},
    {"never-matches",
     "alert udp any any -> any any (content:\"abcd\"; startswith; content:\"abxd\"; depth:4; sid:1;)"},
    {"", "alert udp any any -> any any (content:\"abcd\"; startswith; content:\"abcdef\"; depth:6; sid:1;)"},
    {"never-matches", "alert http any any -> any any (http.uri; to_lowercase; content:\"/Index\"; sid:1;)"},
    {"", "alert http any any -> any any (http.uri; to_lowercase; content:\"/Index\"; nocase; sid:1;)"},
    {"never-matches", "alert udp any any -> any any (content:\"abcd\"; byte_test:1,>,255,0; sid:1;)"},
    {"never-matches",
     "alert tcp any any -> any any (content:\"abcd\"; flowbits:isset,x; flowbits:isnotset,x; sid:1;)\n"
     "alert tcp any any -> any any (content:\"efgh\"; flowbits:set,x; sid:2;)"},
    {"flowbit-never-set", "alert tcp any any -> any any (content:\"abcd\"; flowbits:isset,x; sid:1;)"},
    {"duplicate-rule",
     "alert tcp any any -> any 80 (msg:\"a\"; content:\"abcd\"; sid:1;)\n"
     "alert tcp any any -> any 80 (msg:\"b\"; content:\"abcd\"; rev:2; sid:2;)"},
    {"",
     "alert tcp any any -> any 80 (content:\"abcd\"; sid:1;)\nalert tcp any any -> any 81 (content:\"abcd\"; "
     "sid:2;)"},
    {"regex-always-true", "alert tcp any any -> any any (content:\"abcd\"; pcre:\"/x*/\"; sid:1;)"},
    {"regex-always-true", "alert tcp any any -> any any (content:\"abcd\"; pcre:\"/a|(b|)/\"; sid:1;)"},
    {"never-matches", "alert tcp any any -> any any (content:\"abcd\"; pcre:!\"/x*/\"; sid:1;)"},
    {"", "alert tcp any any -> any any (content:\"abcd\"; pcre:\"/^x*$/\"; sid:1;)"},
    {"regex-leading-wildcard", "alert tcp any any -> any any (content:\"abcd\"; pcre:\"/.*efgh/\"; sid:1;)"},
    {"regex-nested-quantifier", "alert tcp any any -> any any (content:\"abcd\"; pcre:\"/(a+)+b/\"; sid:1;)"},
    {"regex-nested-quantifier",
     "alert tcp any any -> any any (content:\"abcd\"; pcre:\"/x(?:\\w+\\s?)*y/\"; sid:1;)"},
    {"", "alert tcp any any -> any any (content:\"abcd\"; pcre:\"/x(?:\\w+,)*y/\"; sid:1;)"},
    {"", "alert tcp any any -> any any (content:\"abcd\"; pcre:\"/(a++)+b[^)]+/\"; sid:1;)"},
};

TEST(Lint, Table) {
  for (const Row& row : kRows) {
    const core::Diagnostics d = lint(row.rules);
    if (*row.code == '\0') {
      EXPECT_TRUE(d.all().empty()) << row.rules << "\n" << d.render_all();
      continue;
    }
    ASSERT_EQ(d.all().size(), 1U) << row.rules << "\n" << d.render_all();
    EXPECT_EQ(d.all()[0].code, row.code) << row.rules;
    EXPECT_FALSE(d.all()[0].line_text.empty());
  }
}

TEST(Lint, PlacesAreThoseOfTheText) {
  const auto nested =
      lint("# comment\nalert tcp any any -> any any (content:\"abcd\"; \\\n  pcre:\"/(a+)+b/\"; sid:1;)");
  ASSERT_EQ(nested.all().size(), 1U);
  EXPECT_EQ(nested.all()[0].where.line, 3U);
  EXPECT_EQ(nested.all()[0].where.column, 13U) << "at the closing parenthesis";
  const auto twice = lint(
      "alert ip any any -> any any (content:\"abcd\"; sid:1;)\n\n"
      "alert ip any any -> any any (content:\"abcd\"; sid:2;)");
  ASSERT_EQ(twice.all().size(), 1U);
  EXPECT_EQ(twice.all()[0].where.line, 3U);
  EXPECT_NE(twice.all()[0].hint.find("t.rules:1:1"), std::string::npos) << twice.all()[0].hint;
}

TEST(Lint, RefusedRulesDoNotShiftTheOthers) {
  RuleEnvironment environment;
  core::Diagnostics d;
  const core::SourceText source("t.rules",
                                "alert tcp any any -> any any (nonsense; sid:1;)\n"
                                "alert tcp any any -> any any (content:\"abcdef\"; sid:2;)\n"
                                "alert tcp any any -> any any (content:\"ab\"; sid:3;)\n");
  const RuleList rules = check_rules(std::span(&source, 1), environment, d);
  core::Diagnostics out;
  lint_rules(std::span(&source, 1), rules, out);
  ASSERT_EQ(out.all().size(), 1U) << out.render_all();
  EXPECT_EQ(out.all()[0].where.line, 3U);
}

TEST(Sarif, SaysWhatWhereAndHowBad) {
  const core::Diagnostics d = lint("alert tcp any any -> any any (content:\"ab\"; sid:1;)");
  const auto log = nlohmann::json::parse(to_sarif(d, "1.2"));
  EXPECT_EQ(log["version"], "2.1.0");
  const auto& run = log["runs"][0];
  EXPECT_EQ(run["tool"]["driver"]["version"], "1.2");
  EXPECT_EQ(run["tool"]["driver"]["rules"][0]["id"], "short-fast-pattern");
  const auto& result = run["results"][0];
  EXPECT_EQ(result["level"], "warning");
  EXPECT_EQ(result["ruleId"], "short-fast-pattern");
  const auto& place = result["locations"][0]["physicalLocation"];
  EXPECT_EQ(place["artifactLocation"]["uri"], "t.rules");
  EXPECT_EQ(place["region"]["startLine"], 1);
  EXPECT_EQ(place["region"]["startColumn"], 39);
}

TEST(Bounds, OfComparisons) {
  EXPECT_EQ(bounds_of("5").low, 5U);
  EXPECT_EQ(bounds_of("<5").high, 4U);
  EXPECT_EQ(bounds_of("> 5").low, 6U);
  EXPECT_EQ(bounds_of("3<>9").low, 4U);
  EXPECT_EQ(bounds_of("3-9").high, 8U);
  EXPECT_EQ(bounds_of("!7").high, ~std::uint64_t{0});
  EXPECT_EQ(bounds_of("4kb").high, ~std::uint64_t{0});
}

}  // namespace
}  // namespace gatehouse::ids::lint
