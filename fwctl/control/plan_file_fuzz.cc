#include "fwctl/control/plan_file.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace gatehouse;
  const std::string text(reinterpret_cast<const char*>(data), size);
  const auto plan = fwctl::parse_plan_file(core::SourceText("plan", text));
  if (plan && !fwctl::parse_plan_file(core::SourceText("again", plan->to_text()))) __builtin_trap();
  return 0;
}
