#include "site/load/load.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace gatehouse;
  core::Diagnostics diagnostics;
  const core::SourceText source("list", std::string(reinterpret_cast<const char*>(data), size));
  const auto ranges = site::parse_blocklist(source, diagnostics);
  // Disjoint, ascending, and merging again changes nothing.
  for (std::size_t i = 0; i < ranges.size(); ++i) {
    if (ranges[i].last.bytes < ranges[i].first.bytes) __builtin_trap();
    const bool follows = i > 0 && ranges[i - 1].first.version == ranges[i].first.version;
    if (follows && ranges[i].first.bytes <= ranges[i - 1].last.bytes) __builtin_trap();
  }
  if (site::merged(ranges).size() != ranges.size()) __builtin_trap();
  return 0;
}
