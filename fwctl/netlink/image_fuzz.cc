#include "fwctl/netlink/image.h"

// The framing. What lies inside is the kernel's own; libnftnl ends the program on attributes of a wrong type,
// which is why a sum protects them from accidents.
extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace gatehouse::fwctl;
  const std::string_view bytes(reinterpret_cast<const char*>(data), size);
  const auto image = parse_image(bytes);
  if (image && to_bytes(*image) != bytes) __builtin_trap();
  return 0;
}
