#include "ids/explain/closure.h"

#include <fmt/format.h>

#include <algorithm>

#include "ids/lang/ast.h"

namespace gatehouse::ids::explain {
namespace {

bool writes_what_it_reads(const Rule& writer, const Rule& reader) {
  for (const FlowbitOp& test : reader.flowbit_tests) {
    for (const FlowbitOp& action : writer.flowbit_actions) {
      for (const std::uint32_t bit : action.bits) {
        if (std::find(test.bits.begin(), test.bits.end(), bit) != test.bits.end()) return true;
      }
    }
  }
  for (const StateUse& read : reader.state_uses) {
    if (read.writes) continue;
    for (const StateUse& write : writer.state_uses) {
      if (write.writes && write.name == read.name) return true;
    }
  }
  return false;
}

std::unique_ptr<const Rule> check_one(const std::string& text, const RuleEnvironment& environment) {
  core::Diagnostics diagnostics;
  const core::SourceText source("rule", text + "\n");
  RuleList list = check_rules(std::span(&source, 1), environment, diagnostics);
  return list.rules.size() == 1 ? std::move(list.rules[0]) : nullptr;
}

// The option as written, without its semicolon.
std::string option_text(const lang::RuleOption& option) {
  return option.has_value ? option.name + ":" + option.value : option.name;
}

// The text without option `at`: from its name to the semicolon before the next one.
std::string without(const lang::RuleAst& ast, std::size_t at) {
  const std::size_t begin = ast.options[at].name_at;
  const std::size_t end = at + 1 < ast.options.size() ? ast.options[at + 1].name_at : ast.text.rfind(')');
  return ast.text.substr(0, begin) + ast.text.substr(end);
}

void fill(std::vector<std::string>& names, std::size_t& next, std::size_t lost, const std::string& name) {
  for (; lost > 0 && next < names.size(); --lost) names[next++] = name;
}

}  // namespace

core::Result<RuleClosure> closure_of(const RuleList& rules, std::uint32_t sid) {
  std::vector<const Rule*> wanted;
  for (const auto& rule : rules.rules) {
    if (rule->meta.sid == sid) wanted.push_back(rule.get());
  }
  if (wanted.empty())
    return core::fail(core::Errc::not_found, fmt::format("no good rule has the sid {}", sid));
  wanted.resize(1);
  for (std::size_t i = 0; i < wanted.size(); ++i) {
    for (const auto& rule : rules.rules) {
      if (std::find(wanted.begin(), wanted.end(), rule.get()) != wanted.end()) continue;
      if (writes_what_it_reads(*rule, *wanted[i])) wanted.push_back(rule.get());
    }
  }
  RuleClosure out;
  for (const Rule* rule : wanted) {
    out.text += *rule->meta.text + "\n";
    if (rule != wanted[0]) out.prerequisites.push_back(rule->meta.sid);
  }
  return out;
}

PartNames names_of(const Rule& rule, const RuleEnvironment& environment) {
  PartNames names;
  names.conditions.resize(rule.conditions.size());
  for (const BufferMatch& list : rule.buffers) names.ops.emplace_back(list.ops.size());
  core::Diagnostics diagnostics;
  const core::SourceText source("rule", *rule.meta.text + "\n");
  const lang::RuleFileAst file = lang::parse_rules(source, diagnostics);
  if (file.rules.size() != 1) return names;
  const lang::RuleAst& ast = file.rules[0];
  std::size_t next_condition = 0;
  std::vector<std::size_t> next_op(rule.buffers.size());
  for (std::size_t i = 0; i < ast.options.size(); ++i) {
    const auto less = check_one(without(ast, i), environment);
    if (less == nullptr) continue;
    const std::string name = option_text(ast.options[i]);
    if (less->conditions.size() < rule.conditions.size())
      fill(names.conditions, next_condition, rule.conditions.size() - less->conditions.size(), name);
    if (less->buffers.size() != rule.buffers.size()) continue;
    for (std::size_t list = 0; list < rule.buffers.size(); ++list) {
      const std::size_t all = rule.buffers[list].ops.size(), left = less->buffers[list].ops.size();
      if (left < all) fill(names.ops[list], next_op[list], all - left, name);
    }
  }
  return names;
}

}  // namespace gatehouse::ids::explain
