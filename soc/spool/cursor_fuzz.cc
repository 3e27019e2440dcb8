// Any bytes as a cursor file.
#include <cstdlib>

#include "core/bytes.h"
#include "soc/spool/cursor.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace gatehouse;
  const auto position = soc::parse_cursor(core::as_text(core::ByteView(data, size)));
  if (position && soc::parse_cursor(soc::cursor_text(*position)) != position) std::abort();
  return 0;
}
