// Packets as people write them: any text is a packet that prints and reads back as itself, or a mistake with
// its place.
#include <cstdint>
#include <cstdlib>
#include <string>

#include "fwctl/prove/fields.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace gatehouse::fwctl::prove;
  const auto same = [](const std::string& name) { return name; };
  const std::string text(reinterpret_cast<const char*>(data), size);
  const auto packet = parse_packet(text, same);
  if (!packet) {
    if (packet.error().where.column == 0 || packet.error().text.empty()) std::abort();
    return 0;
  }
  const std::string printed = packet->to_string();
  // A name with unprintable bytes is printed as something else.
  if (printed.find('\\') != std::string::npos) return 0;
  const auto again = parse_packet(printed, same);
  if (!again || again->to_string() != printed) std::abort();
  return 0;
}
