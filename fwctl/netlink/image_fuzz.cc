#include "fwctl/netlink/image.h"

namespace {

void check(std::string_view bytes) {
  const auto image = gatehouse::fwctl::parse_image(bytes);
  if (image && gatehouse::fwctl::to_bytes(*image) != bytes) __builtin_trap();
}

// With the sum behind it that the format wants (FNV-1a, big-endian): no fuzzer guesses one.
std::string sealed(std::string_view content) {
  std::uint64_t sum = 0xcbf29ce484222325U;
  for (const char c : content) sum = (sum ^ static_cast<std::uint8_t>(c)) * 0x100000001b3U;
  std::string out(content);
  for (int shift = 56; shift >= 0; shift -= 8) out += static_cast<char>(sum >> shift & 0xffU);
  return out;
}

}  // namespace

// The framing. What lies inside is the kernel's own; libnftnl ends the program on attributes of a wrong type,
// which is why a sum protects them from accidents.
extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view bytes(reinterpret_cast<const char*>(data), size);
  check(bytes);
  check(sealed(bytes));
  return 0;
}
