// The checks of this folder. Private to it.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "core/diag.h"
#include "ids/keywords/rule.h"
#include "ids/lang/ast.h"

namespace gatehouse::ids::lint {

// A rule as written and as checked.
struct LintedRule {
  const lang::RuleAst& ast;
  const Rule& rule;
  core::Diagnostics& diagnostics;

  // A warning at the value of an option, or at its name when it has none.
  core::Diagnostic& warn(const lang::RuleOption& option, std::string code, std::string message) const;
  // A warning at the rule's first word.
  core::Diagnostic& warn_rule(std::string code, std::string message) const;
  // The option a content was made of.
  const lang::RuleOption* option_of(const ContentOp& content) const;
};

// No literal preselects the rule, or a very short one does.
void check_fast_pattern(const LintedRule& rule);
// Sizes, places and cases that contradict each other.
void check_sizes(const LintedRule& rule);
void check_contents(const LintedRule& rule);
void check_byte_tests(const LintedRule& rule);
// Regexes that match everything or take long to match nothing.
void check_regexes(const LintedRule& rule);

// What only the whole rule set tells: bits nobody sets, rules written twice.
class RuleSetChecks {
 public:
  explicit RuleSetChecks(const RuleList& rules);
  void check_flowbits(const LintedRule& rule) const;
  // Takes the options that do not decide anything out of the tree.
  void check_duplicate(lang::RuleAst& ast, const LintedRule& rule);

 private:
  const RuleList& rules_;
  std::vector<bool> set_somewhere_;  // by flowbit
  std::unordered_map<std::string, core::SourcePos> bodies_;
};

// The numbers an option value like `<5`, `3<>9` or `!7` leaves possible; both ends included.
struct Bounds {
  std::uint64_t low = 0, high = ~std::uint64_t{0};
};
Bounds bounds_of(std::string_view text);

// What the text of a regex gives away without running it.
struct RegexShape {
  bool may_be_empty = false;  // could match no bytes at all
  bool leading_wildcard = false;
  std::size_t nested_at = std::string_view::npos;  // of a repetition inside a repetition
};
RegexShape shape_of(std::string_view pattern);

}  // namespace gatehouse::ids::lint
