#include <cstddef>
#include <cstdint>
#include <cstdlib>

#include "hardening/profile/profile.h"

// Any text: a profile that is accepted must be decidable for every call, and its conditions must
// fit what the compiler takes.
extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace gatehouse;
  static const hardening::SyscallTable table = [] {
    hardening::SyscallTable out;
    out.numbers = {{"read", 0}, {"write", 1}, {"socket", 41}, {"clone", 56}, {"execve", 59}, {"prctl", 157}};
    out.newest = 157;
    return out;
  }();
  core::Diagnostics diagnostics;
  const core::SourceText source("fuzz", std::string(reinterpret_cast<const char*>(data), size));
  const auto profile = hardening::parse_profile(source, table, diagnostics);
  if (!profile) {
    if (!diagnostics.has_errors()) std::abort();
    return 0;
  }
  for (int number = -1; number < 200; ++number) (void)profile->decide(number, {1, 2, 3, 4, 5, 6}, true);
  for (const auto& [number, rule] : profile->rules) {
    if (!rule.when.alternatives(256)) std::abort();
  }
  return 0;
}
