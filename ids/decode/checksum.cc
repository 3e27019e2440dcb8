#include "ids/decode/checksum.h"

#include <bit>
#include <cstring>

namespace gatehouse::ids {
namespace {

std::uint32_t fold(std::uint64_t sum) {
  while (sum >> 16 != 0) sum = (sum & 0xffff) + (sum >> 16);
  return static_cast<std::uint32_t>(sum);
}

}  // namespace

std::uint32_t ones_complement_sum(core::ByteView bytes, std::uint32_t start) {
  // RFC 1071 2(B): the sum is the same in either byte order up to a swap of its bytes. So words
  // are added as the machine reads them, four bytes at a time, and swapped once at the end.
  std::uint64_t sum = 0;
  const std::uint8_t* at = bytes.data();
  std::size_t left = bytes.size();
  for (; left >= 16; left -= 16, at += 16) {
    std::uint32_t words[4];
    std::memcpy(words, at, 16);
    sum += std::uint64_t{words[0]} + words[1] + words[2] + words[3];
  }
  for (; left >= 2; left -= 2, at += 2) {
    std::uint16_t word;
    std::memcpy(&word, at, 2);
    sum += word;
  }
  if (left == 1) {
    const std::uint8_t last[2] = {*at, 0};
    std::uint16_t word;
    std::memcpy(&word, last, 2);
    sum += word;
  }
  std::uint32_t folded = fold(sum);
  if constexpr (std::endian::native == std::endian::little) folded = (folded >> 8 | folded << 8) & 0xffff;
  return fold(std::uint64_t{folded} + start);
}

std::uint32_t pseudo_header_sum(const core::IpAddress& source, const core::IpAddress& destination,
                                std::uint8_t protocol, std::size_t length) {
  std::uint32_t sum = ones_complement_sum(source.view());
  sum = ones_complement_sum(destination.view(), sum);
  return fold(std::uint64_t{sum} + (length >> 16) + (length & 0xffff) + protocol);
}

}  // namespace gatehouse::ids
