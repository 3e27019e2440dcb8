// The receiver's file and nmap's report hold what an attacker made others write.
#include <cstddef>
#include <cstdint>

#include "site/drill/events.h"
#include "site/drill/nmap.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  (void)gatehouse::drill::parse_event_line(text);
  (void)gatehouse::drill::parse_nmap_xml(text);
  return 0;
}
