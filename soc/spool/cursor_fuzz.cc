// Any bytes as a cursor file, as they are and with the sum behind them that the format wants.
#include <fmt/format.h>
#include <zlib.h>

#include <cstdlib>

#include "core/bytes.h"
#include "soc/spool/cursor.h"

namespace {

void check(std::string_view text) {
  using namespace gatehouse;
  const auto position = soc::parse_cursor(text);
  if (position && soc::parse_cursor(soc::cursor_text(*position)) != position) std::abort();
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string text(gatehouse::core::as_text(gatehouse::core::ByteView(data, size)));
  check(text);
  check(text + fmt::format(" {:08x}\n", ::crc32_z(0, data, size)));
  return 0;
}
