// What only the whole rule set tells.
#include <algorithm>

#include "ids/lint/checks.h"

namespace gatehouse::ids::lint {
namespace {

// Options that say what a rule is called, not what it matches.
bool is_label(std::string_view name) {
  static constexpr std::string_view kLabels[] = {"msg",       "sid",       "rev",      "gid",   "metadata",
                                                 "reference", "classtype", "priority", "target"};
  return std::find(std::begin(kLabels), std::end(kLabels), name) != std::end(kLabels);
}

const lang::RuleOption* flowbits_option(const lang::RuleAst& ast, std::string_view name) {
  for (const lang::RuleOption& option : ast.options) {
    if (option.name == "flowbits" && option.value.find(name) != std::string::npos) return &option;
  }
  return nullptr;
}

}  // namespace

RuleSetChecks::RuleSetChecks(const RuleList& rules)
    : rules_(rules), set_somewhere_(rules.flowbit_names.size(), false) {
  for (const auto& rule : rules.rules) {
    for (const FlowbitOp& op : rule->flowbit_actions) {
      if (op.command == BitCommand::unset) continue;
      for (const std::uint32_t bit : op.bits) {
        if (bit < set_somewhere_.size()) set_somewhere_[bit] = true;
      }
    }
  }
}

void RuleSetChecks::check_flowbits(const LintedRule& linted) const {
  for (const FlowbitOp& op : linted.rule.flowbit_tests) {
    if (op.command != BitCommand::isset || op.bits.empty()) continue;
    const bool known = std::any_of(op.bits.begin(), op.bits.end(), [&](std::uint32_t bit) {
      return bit >= set_somewhere_.size() || set_somewhere_[bit];
    });
    const std::uint32_t first = op.bits.front();
    if (!known) {
      const std::string& name = rules_.flowbit_names[first];
      if (const lang::RuleOption* option = flowbits_option(linted.ast, name))
        linted.warn(*option, "flowbit-never-set", "no rule of this set ever sets `" + name + "`");
    }
    const bool contradiction = std::any_of(
        linted.rule.flowbit_tests.begin(), linted.rule.flowbit_tests.end(), [&](const FlowbitOp& other) {
          return other.command == BitCommand::isnotset && op.bits.size() == 1 && other.bits == op.bits;
        });
    if (!contradiction || first >= rules_.flowbit_names.size()) continue;
    if (const lang::RuleOption* option = flowbits_option(linted.ast, rules_.flowbit_names[first]))
      linted.warn(*option, "never-matches", "the same bit must be set and not set");
  }
}

void RuleSetChecks::check_duplicate(lang::RuleAst& ast, const LintedRule& linted) {
  const core::SourcePos here = ast.position(0);
  std::erase_if(ast.options, [](const lang::RuleOption& option) { return is_label(option.name); });
  const auto [found, fresh] = bodies_.try_emplace(lang::print_rule(ast), here);
  if (fresh) return;
  linted.warn_rule("duplicate-rule", "an earlier rule matches exactly the same").hint =
      "the first one is at " + found->second.to_string();
}

}  // namespace gatehouse::ids::lint
