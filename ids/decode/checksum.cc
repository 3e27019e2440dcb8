#include "ids/decode/checksum.h"

#include <bit>
#include <cstring>

namespace gatehouse::ids {
namespace {

std::uint32_t fold(std::uint64_t sum) {
  while (sum >> 16 != 0) sum = (sum & 0xffff) + (sum >> 16);
  return static_cast<std::uint32_t>(sum);
}

constexpr std::size_t kBlock = 64;
using SumOfBlocks = std::uint64_t (*)(const std::uint8_t* at, std::size_t blocks);

// RFC 1071 2(B): the sum is the same in either byte order up to a swap of its bytes. So words are added as
// the machine reads them, and swapped once at the end; the lower and the upper halves of 64 bits apart, so
// that there is room for what they carry. Words: as many as the processor adds at once.
template <class Words>
[[gnu::always_inline]] inline std::uint64_t sum_of(const std::uint8_t* at, std::size_t blocks) {
  constexpr std::size_t kWords = sizeof(Words) / sizeof(std::uint64_t);
  Words lower{}, upper{};
  for (; blocks != 0; --blocks) {
    for (std::size_t i = 0; i < kBlock; i += sizeof(Words), at += sizeof(Words)) {
      Words words;
      std::memcpy(&words, at, sizeof words);
      lower += words & 0xffffffffU;
      upper += words >> 32;
    }
  }
  std::uint64_t sum = 0;
  for (std::size_t i = 0; i < kWords; ++i) sum += lower[i] + upper[i];
  return sum;
}

using Two [[gnu::vector_size(16)]] = std::uint64_t;
std::uint64_t sum_by_two(const std::uint8_t* at, std::size_t blocks) {
  return sum_of<Two>(at, blocks);
}

#ifdef __x86_64__
using Four [[gnu::vector_size(32)]] = std::uint64_t;
[[gnu::target("avx2")]] std::uint64_t sum_by_four(const std::uint8_t* at, std::size_t blocks) {
  return sum_of<Four>(at, blocks);
}
#endif

SumOfBlocks best_sum_of_blocks() {
#ifdef __x86_64__
  __builtin_cpu_init();
  if (__builtin_cpu_supports("avx2")) return sum_by_four;
#endif
  return sum_by_two;
}

}  // namespace

std::uint32_t ones_complement_sum(core::ByteView bytes, std::uint32_t start) {
  const std::uint8_t* at = bytes.data();
  std::size_t left = bytes.size();
  static const SumOfBlocks sum_of_blocks = best_sum_of_blocks();
  std::uint64_t sum = sum_of_blocks(at, left / kBlock);
  at += left / kBlock * kBlock;
  left %= kBlock;
  for (; left >= 8; left -= 8, at += 8) {
    std::uint64_t words;
    std::memcpy(&words, at, 8);
    sum += (words & 0xffffffffU) + (words >> 32);
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
