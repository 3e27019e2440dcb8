// What preselects the rule: without a literal it is asked for every packet or transaction of its group.
#include <algorithm>

#include "ids/lint/checks.h"

namespace gatehouse::ids::lint {
namespace {

constexpr std::size_t kGoodLength = 4;  // shorter ones occur everywhere

std::size_t literal_length(const ContentOp& content) {
  return content.chop_length != 0 ? content.chop_length : content.pattern.size();
}

bool can_preselect(const Rule& rule, const BufferMatch& list) {
  if (list.absent) return false;
  if (rule.rule_class == RuleClass::transaction) return buffer_table()[list.buffer].get != nullptr;
  return list.buffer == kPayloadBuffer && list.transforms.empty();
}

}  // namespace

void check_fast_pattern(const LintedRule& linted) {
  const Rule& rule = linted.rule;
  if (rule.rule_class == RuleClass::event || rule.buffers.empty()) return;
  const ContentOp* best = nullptr;
  for (const BufferMatch& list : rule.buffers) {
    if (!can_preselect(rule, list)) continue;
    for (const BufferOp& op : list.ops) {
      if (op.kind() != BufferOp::Kind::content || op.content.negated) continue;
      const bool better = best == nullptr || literal_length(op.content) > literal_length(*best);
      if (op.content.fast_pattern || (better && !best)) best = &op.content;
      if (better && !best->fast_pattern) best = &op.content;
    }
  }
  if (best == nullptr) {
    linted.warn_rule("no-fast-pattern", "no content preselects this rule: it is evaluated again and again")
        .hint = "add a content that is not negated and has at least four bytes";
    return;
  }
  if (literal_length(*best) >= kGoodLength) return;
  const lang::RuleOption* option = linted.option_of(*best);
  if (option == nullptr) return;
  linted
      .warn(*option, "short-fast-pattern",
            "a content of " + std::to_string(literal_length(*best)) +
                " bytes preselects this rule: it occurs often")
      .hint = "a longer content, or fast_pattern at another one";
}

}  // namespace gatehouse::ids::lint
