// Any text is either a checked rule or a diagnostic inside the text; nothing else.
#include <cstdlib>

#include "ids/keywords/rule.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace gatehouse;
  static const ids::RuleEnvironment environment = [] {
    ids::RuleEnvironment e;
    e.classifications = ids::default_classifications();
    e.address_variables = {{"HOME_NET", "10.0.0.0/8"}, {"EXTERNAL_NET", "!$HOME_NET"}};
    e.port_variables = {{"HTTP_PORTS", "80"}};
    return e;
  }();
  const core::SourceText source("fuzz.rules", std::string(reinterpret_cast<const char*>(data), size));
  core::Diagnostics diagnostics;
  const ids::RuleList list = ids::check_rules(std::span(&source, 1), environment, diagnostics);
  if (list.failed != 0 && !diagnostics.has_errors()) std::abort();
  for (const core::Diagnostic& d : diagnostics.all()) {
    if (d.where.line == 0 || (d.where.column > source.line(d.where.line).size() + 1)) std::abort();
  }
  return 0;
}
