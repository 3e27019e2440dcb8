// The contract of a rule keyword: one .cc file exports one KeywordDescriptor, registered by
// gatehouse_add_keyword(NAME): row NAME means `extern const KeywordDescriptor keyword_NAME`.
#pragma once

#include "ids/keywords/rule.h"
#include "ids/lang/ast.h"

namespace gatehouse::ids {

// The rule under construction. Keeps which buffer is current and what is still to be checked at
// the end of the rule.
struct RuleBuilder {
  Rule rule;
  const RuleEnvironment& environment;
  core::Diagnostics& diagnostics;
  std::vector<std::string>& flowbit_names;
  BufferMatch* current = nullptr;        // where the next content goes; null: payload
  bool sticky = false;                   // current was chosen by a sticky buffer keyword
  ContentOp* last_content = nullptr;     // what the next modifier modifies
  std::vector<std::string> variables;    // byte_extract names, by slot
  bool ok = true;                        // false: the rule is refused

  // Reports a mistake in `option` (its value when it has one) and refuses the rule.
  core::Diagnostic& error(const lang::RuleOption& option, std::string code, std::string message);
};

enum class ValueNeed : std::uint8_t { none, optional, required };

struct KeywordDescriptor {
  std::string_view name;                      // "dsize"
  std::span<const std::string_view> aliases;  // old names
  ValueNeed value = ValueNeed::required;
  std::string_view summary;                   // for `ids keywords`
  void (*apply)(RuleBuilder& builder, const lang::RuleOption& option) = nullptr;
};

std::span<const KeywordDescriptor* const> keyword_table();
const KeywordDescriptor* find_keyword(std::string_view name);

}  // namespace gatehouse::ids
