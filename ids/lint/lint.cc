#include "ids/lint/lint.h"

#include <algorithm>

#include "ids/lint/checks.h"

namespace gatehouse::ids::lint {

core::Diagnostic& LintedRule::warn(const lang::RuleOption& option, std::string code,
                                   std::string message) const {
  const bool value = option.has_value && !option.value.empty();
  core::Diagnostic& d = diagnostics.warning(
      std::move(code), ast.position(value ? option.value_at : option.name_at), std::move(message));
  d.length = static_cast<std::uint32_t>(value ? option.value.size() : option.name.size());
  return d;
}

core::Diagnostic& LintedRule::warn_rule(std::string code, std::string message) const {
  core::Diagnostic& d = diagnostics.warning(std::move(code), ast.position(0), std::move(message));
  d.length = static_cast<std::uint32_t>(ast.header.action.size());
  return d;
}

const lang::RuleOption* LintedRule::option_of(const ContentOp& content) const {
  const auto found = std::find_if(ast.options.begin(), ast.options.end(), [&](const lang::RuleOption& o) {
    return o.has_value && o.value_at == content.where;
  });
  return found == ast.options.end() ? nullptr : &*found;
}

void lint_rules(std::span<const core::SourceText> sources, const RuleList& rules, core::Diagnostics& out) {
  RuleSetChecks set(rules);
  std::size_t next = 0;
  for (const core::SourceText& source : sources) {
    core::Diagnostics known;  // the checker has told of them already
    lang::parse_each_rule(source, known, [&](lang::RuleAst& ast) {
      if (next == rules.rules.size()) return;
      const Rule& checked = *rules.rules[next];
      const core::SourcePos here = ast.position(0);
      if (checked.meta.where.line != here.line || *checked.meta.where.file != here.file) return;
      ++next;
      const LintedRule rule{ast, checked, out};
      check_fast_pattern(rule);
      check_sizes(rule);
      check_contents(rule);
      check_byte_tests(rule);
      check_regexes(rule);
      set.check_flowbits(rule);
      set.check_duplicate(ast, rule);
    });
    out.attach(source);
  }
}

}  // namespace gatehouse::ids::lint
