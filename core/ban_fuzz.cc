#include <cstdint>

#include "core/ban.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace gatehouse::core;
  const std::string_view line(reinterpret_cast<const char*>(data), size);
  if (const auto request = parse_ban_request(line)) {
    std::string again = to_line(*request);
    again.pop_back();
    const auto back = parse_ban_request(again);
    if (!back || back->address != request->address || back->seconds != request->seconds) __builtin_trap();
  }
  (void)parse_ban_reply(line);
  return 0;
}
