// Any text parses or is refused with positions inside it; what parses prints and parses again.
#include <cstdlib>

#include "ids/lang/ast.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace gatehouse;
  core::Diagnostics diagnostics;
  const core::SourceText source("fuzz.rules", std::string(reinterpret_cast<const char*>(data), size));
  const auto file = ids::lang::parse_rules(source, diagnostics);
  if (file.failed != diagnostics.error_count()) std::abort();
  for (const ids::lang::RuleAst& rule : file.rules) {
    for (const auto& option : rule.options) {
      if (rule.text.compare(option.value_at, option.value.size(), option.value) != 0) std::abort();
    }
    core::Diagnostics again;
    const std::string text = ids::lang::print_rule(rule);
    const auto second = ids::lang::parse_rules(core::SourceText("again.rules", text), again);
    if (text.find('\n') == std::string::npos && text.size() < 60'000 &&
        (second.rules.size() != 1 || ids::lang::print_rule(second.rules[0]) != text)) {
      std::abort();
    }
  }
  return 0;
}
