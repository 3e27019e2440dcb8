#include "fwctl/journal/journal.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace gatehouse;
  const std::string text(reinterpret_cast<const char*>(data), size);
  const auto entry = fwctl::parse_entry(core::SourceText("entry", text));
  if (!entry) return 0;
  const std::string again = fwctl::to_json(*entry);
  const auto back = fwctl::parse_entry(core::SourceText("again", again));
  if (!back || fwctl::to_json(*back) != again) __builtin_trap();
  return 0;
}
