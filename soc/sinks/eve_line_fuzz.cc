// Any text as an event line: what is made of it stays one line and keeps to its size.
#include <cstdlib>

#include "soc/sinks/eve_line.h"
#include "soc/spool/format.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace gatehouse;
  const std::string_view line = core::as_text(core::ByteView(data, size));
  if (!soc::valid_line(line)) return 0;
  const auto fields = soc::scan_eve(line);
  std::string removed;
  const std::string shorter = soc::shorten_line(line, fields, 600, removed);
  if (!soc::valid_line(shorter) || shorter.size() > 600) std::abort();
  if (!fields) return 0;
  const std::string named = soc::with_id(line, *fields, soc::EventId{1, 2});
  if (!soc::valid_line(named) && named.size() <= (1U << 20U)) std::abort();
  if (!soc::scan_eve(named)) std::abort();
  return 0;
}
