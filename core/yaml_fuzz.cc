#include "core/yaml.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  gatehouse::core::Diagnostics diagnostics;
  const auto root = gatehouse::core::parse_yaml(
      {"fuzz", std::string(reinterpret_cast<const char*>(data), size)}, diagnostics);
  if (!root && !diagnostics.has_errors()) __builtin_trap();
  (void)diagnostics.render_all();
  return 0;
}
