#include "site/load/load.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  gatehouse::core::Diagnostics diagnostics;
  const auto site = gatehouse::site::load_site(
      {"fuzz.yaml", std::string(reinterpret_cast<const char*>(data), size)}, diagnostics);
  // A refused site always says why.
  if (!site && !diagnostics.has_errors()) __builtin_trap();
  return 0;
}
