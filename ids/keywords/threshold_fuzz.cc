// Reader of threshold files: any bytes are read or refused.
#include <cstdint>

#include "ids/keywords/rule.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace gatehouse;
  ids::RuleEnvironment environment;
  environment.address_variables = {{"HOME", "[10.0.0.0/8,!10.1.0.0/16]"}, {"LOOP", "$LOOP"}};
  core::Diagnostics diagnostics;
  const core::SourceText source("fuzz", std::string(data, data + size));
  // Nothing is kept of a file with a mistake.
  if (!ids::parse_threshold_file(source, environment, diagnostics) &&
      (!environment.tunings.empty() || !diagnostics.has_errors()))
    __builtin_trap();
  return 0;
}
