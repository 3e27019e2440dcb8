#include <gtest/gtest.h>
#include <rapidcheck/gtest.h>

#include "ids/lang/ast.h"

namespace gatehouse::ids::lang {
namespace {

bool same(const GroupExpr& a, const GroupExpr& b) {
  if (a.kind != b.kind || a.negated != b.negated || a.text != b.text || a.text_last != b.text_last)
    return false;
  if (a.items.size() != b.items.size()) return false;
  for (std::size_t i = 0; i < a.items.size(); ++i) {
    if (!same(a.items[i], b.items[i])) return false;
  }
  return true;
}

bool same(const RuleAst& a, const RuleAst& b) {
  if (a.header.action != b.header.action || a.header.protocol != b.header.protocol) return false;
  if (a.header.direction != b.header.direction || a.options.size() != b.options.size()) return false;
  if (!same(a.header.source, b.header.source) || !same(a.header.source_port, b.header.source_port))
    return false;
  if (!same(a.header.destination, b.header.destination)) return false;
  if (!same(a.header.destination_port, b.header.destination_port)) return false;
  for (std::size_t i = 0; i < a.options.size(); ++i) {
    const RuleOption &x = a.options[i], &y = b.options[i];
    if (x.name != y.name || x.value != y.value || x.has_value != y.has_value) return false;
  }
  return true;
}

RuleFileAst parse(std::string text, core::Diagnostics& diagnostics) {
  return parse_rules(core::SourceText("t.rules", std::move(text)), diagnostics);
}

TEST(ParseRules, ReadsHeaderAndOptions) {
  core::Diagnostics d;
  const auto file = parse(
      "# a comment\n"
      "\n"
      "alert tcp !$HOME_NET [80,!81,1024:] -> [10.0.0.0/8, !10.1.1.1-10.1.1.9,2001:db8::1] any "
      "(msg:\"a \\; b\"; content:\"x|3b|\"; nocase; sid:1;)\n",
      d);
  ASSERT_EQ(d.render_all(), "");
  ASSERT_EQ(file.rules.size(), 1U);
  const RuleAst& rule = file.rules[0];
  EXPECT_EQ(rule.header.action, "alert");
  EXPECT_TRUE(rule.header.source.negated);
  EXPECT_EQ(rule.header.source.text, "HOME_NET");
  ASSERT_EQ(rule.header.source_port.items.size(), 3U);
  EXPECT_EQ(rule.header.source_port.items[2].text, "1024");
  EXPECT_EQ(rule.header.source_port.items[2].text_last, "");
  EXPECT_EQ(rule.header.destination.items[1].text_last, "10.1.1.9");
  EXPECT_EQ(rule.header.destination.items[2].text, "2001:db8::1");
  ASSERT_EQ(rule.options.size(), 4U);
  EXPECT_EQ(rule.options[0].value, "\"a \\; b\"");
  EXPECT_FALSE(rule.options[2].has_value);
  EXPECT_EQ(rule.position(rule.options[3].value_at).to_string(), "t.rules:3:133");
  EXPECT_EQ(rule.text.substr(rule.options[1].value_at, rule.options[1].value.size()), rule.options[1].value);
}

TEST(ParseRules, PositionsSurviveContinuation) {
  core::Diagnostics d;
  const auto file = parse(
      "alert ip any any -> any any ( \\\r\n  msg:\"m\"; \\\n# in between\n\tsid:7;)\nalert ip any any -> any "
      "any (sid:8;)",
      d);
  ASSERT_EQ(d.render_all(), "");
  ASSERT_EQ(file.rules.size(), 2U);
  const RuleAst& rule = file.rules[0];
  ASSERT_EQ(rule.options.size(), 2U);
  EXPECT_EQ(rule.position(rule.options[0].name_at).to_string(), "t.rules:2:3");
  EXPECT_EQ(rule.position(rule.options[1].value_at).to_string(), "t.rules:4:6");
  EXPECT_EQ(file.rules[1].position(0).to_string(), "t.rules:5:1");
  EXPECT_EQ(rule.text, "alert ip any any -> any any (  msg:\"m\";  sid:7;)");
}

struct BadRule {
  const char* name;
  const char* text;
  const char* code;
  std::uint32_t line, column;
};

const BadRule kBadRules[] = {
    {"protocol missing", "alert", "protocol", 1, 6},
    {"no action word", "al%rt tcp any any -> any any (sid:1;)", "action", 1, 1},
    {"no protocol word", "alert t/p any any -> any any (sid:1;)", "protocol", 1, 7},
    {"address missing", "alert tcp", "header-incomplete", 1, 10},
    {"port missing", "alert tcp any (sid:1;)", "header-incomplete", 1, 15},
    {"direction missing", "alert tcp any any", "direction", 1, 18},
    {"backward arrow", "alert tcp any any <- any any (sid:1;)", "direction", 1, 19},
    {"forgotten arrow", "alert tcp any any any any (sid:1;)", "direction", 1, 19},
    {"list not closed", "alert tcp [10.0.0.1,10.0.0.2 any -> any any (sid:1;)", "group-syntax", 1, 30},
    {"list never closed", "alert tcp [10.0.0.1,", "group-syntax", 1, 11},
    {"empty list", "alert tcp [] any -> any any (sid:1;)", "group-empty", 1, 11},
    {"empty member", "alert tcp [1.1.1.1,,2.2.2.2] any -> any any (sid:1;)", "group-syntax", 1, 20},
    {"variable without name", "alert tcp $ any -> any any (sid:1;)", "variable-name", 1, 11},
    {"variable with odd byte", "alert tcp $HOME/NET any -> any any (sid:1;)", "variable-name", 1, 11},
    {"port range without ends", "alert tcp any : -> any any (sid:1;)", "group-range", 1, 15},
    {"address range without end", "alert tcp 10.0.0.1- any -> any any (sid:1;)", "group-range", 1, 11},
    {"text glued to a list", "alert tcp [1.1.1.1]x any -> any any (sid:1;)", "group-syntax", 1, 20},
    {"negation of nothing", "alert tcp !", "group-syntax", 1, 11},
    {"options missing", "alert tcp any any -> any any", "options-missing", 1, 29},
    {"options without parenthesis", "alert tcp any any -> any any sid:1;", "options-missing", 1, 30},
    {"rule not closed", "alert tcp any any -> any any (sid:1;", "rule-unterminated", 1, 30},
    {"option not ended", "alert tcp any any -> any any (sid:1)", "option-unterminated", 1, 31},
    {"string never closed", "alert tcp any any -> any any (msg:\"x)", "string-unterminated", 1, 35},
    {"stray semicolon", "alert tcp any any -> any any (sid:1;;)", "option-empty", 1, 37},
    {"no keyword", "alert tcp any any -> any any (\"x\"; sid:1;)", "option-name", 1, 31},
    {"keyword without end", "alert tcp any any -> any any (nocase)", "option-syntax", 1, 37},
    {"equals sign", "alert tcp any any -> any any (sid=1;)", "option-syntax", 1, 34},
    {"empty value", "alert tcp any any -> any any (sid:;)", "value-missing", 1, 31},
    {"text after the rule", "alert tcp any any -> any any (sid:1;) # why", "rule-trailing", 1, 39},
    {"mistake on a continued line", "alert tcp any any -> \\\n  any any (\\\n   sid=1;)", "option-syntax", 3,
     7},
    {"mistake after a comment", "# c\n\n  alert tcp any any -> any any sid", "options-missing", 3, 32},
};

TEST(ParseRules, SaysWhereAndWhatIsWrong) {
  for (const BadRule& row : kBadRules) {
    core::Diagnostics d;
    const auto file = parse(std::string(row.text) + "\nalert ip any any -> any any (sid:99;)\n", d);
    // An open end runs into the next line only by a backslash: the good rule always survives.
    EXPECT_EQ(file.rules.size(), 1U) << row.name;
    EXPECT_EQ(file.failed, 1U) << row.name;
    ASSERT_EQ(d.all().size(), 1U) << row.name;
    const core::Diagnostic& got = d.all()[0];
    EXPECT_EQ(got.code, row.code) << row.name << "\n" << core::render(got);
    EXPECT_EQ(got.where.line, row.line) << row.name << "\n" << core::render(got);
    EXPECT_EQ(got.where.column, row.column) << row.name << "\n" << core::render(got);
  }
}

TEST(ParseRules, HostileNestingAndLengthAreCapped) {
  core::Diagnostics d;
  parse("alert tcp " + std::string(5000, '[') +
            "\nalert tcp any any -> any any (msg:" + std::string(100'000, 'x') + ";)\n",
        d);
  ASSERT_EQ(d.all().size(), 2U);
  EXPECT_EQ(d.all()[0].code, "group-depth");
  EXPECT_EQ(d.all()[1].code, "rule-size");
}

TEST(ParseGroup, ReportsColumnsInItsText) {
  const auto bad = parse_group("[10.0.0.1,]", {"s.yaml", 4, 10}, GroupKind::address);
  ASSERT_FALSE(bad.has_value());
  EXPECT_EQ(bad.error().where.to_string(), "s.yaml:4:20");
  const auto good = parse_group(" [80, !81] ", {}, GroupKind::port);
  ASSERT_TRUE(good.has_value());
  EXPECT_EQ(print_group(*good, GroupKind::port), "[80,!81]");
}

rc::Gen<std::string> word_from(const char* alphabet, int most) {
  return rc::gen::mapcat(rc::gen::inRange(1, most), [alphabet](int length) {
    return rc::gen::container<std::string>(static_cast<std::size_t>(length),
                                           rc::gen::elementOf(std::string(alphabet)));
  });
}

GroupExpr random_group(GroupKind kind, int depth) {
  GroupExpr group;
  group.negated = *rc::gen::weightedElement<bool>({{3, false}, {1, true}});
  switch (*rc::gen::inRange(0, depth > 0 ? 5 : 4)) {
    case 0:
      group.kind = GroupExpr::Kind::any;
      break;
    case 1:
      group.kind = GroupExpr::Kind::literal;
      group.text = kind == GroupKind::port ? *word_from("0123456789", 6) : *word_from("0123456789./:", 20);
      break;
    case 2:
      group.kind = GroupExpr::Kind::variable;
      group.text = *word_from("ABCDEFG_09z", 12);
      break;
    case 3:
      group.kind = GroupExpr::Kind::range;
      group.text = *word_from("0123456789", 6);
      group.text_last = *word_from("0123456789", 6);
      break;
    default:
      group.kind = GroupExpr::Kind::list;
      for (int i = *rc::gen::inRange(1, 4); i > 0; --i) group.items.push_back(random_group(kind, depth - 1));
  }
  return group;
}

RC_GTEST_PROP(PrintRule, ParsingThePrintedRuleGivesTheSameTree, ()) {
  RuleAst rule;
  rule.header.action = *word_from("abcdef", 8);
  rule.header.protocol = *word_from("abcdef-12", 8);
  rule.header.source = random_group(GroupKind::address, 2);
  rule.header.source_port = random_group(GroupKind::port, 2);
  rule.header.direction =
      *rc::gen::element(RuleDirection::to, RuleDirection::both, RuleDirection::transaction);
  rule.header.destination = random_group(GroupKind::address, 2);
  rule.header.destination_port = random_group(GroupKind::port, 2);
  for (int i = *rc::gen::inRange(0, 6); i > 0; --i) {
    RuleOption option;
    option.name = *word_from("abc_.xyz", 10);
    option.has_value = *rc::gen::arbitrary<bool>();
    if (option.has_value) option.value = '"' + *word_from("ab |(),:[]\\\"#$!", 12) + '"';
    rule.options.push_back(option);
  }
  const std::string text = print_rule(rule);
  core::Diagnostics d;
  const auto file = parse(text, d);
  RC_ASSERT(d.render_all() == "");
  RC_ASSERT(file.rules.size() == 1U);
  RC_ASSERT(same(file.rules[0], rule));
  RC_ASSERT(print_rule(file.rules[0]) == text);
}

RC_GTEST_PROP(ParseRules, AnyTextIsEitherARuleOrADiagnostic, (const std::string& noise)) {
  core::Diagnostics d;
  const auto file = parse("alert tcp any any -> any any (" + noise, d);
  RC_ASSERT(file.failed == d.all().size());
}

}  // namespace
}  // namespace gatehouse::ids::lang
