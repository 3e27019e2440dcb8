// A keyed hash for table positions and bitmaps: without the key nobody can choose addresses that
// share a bucket or a bit. Not a message authentication code.
#pragma once

#include <bit>
#include <cstdint>
#include <cstring>
#include <random>
#include <string_view>

#include "core/ip.h"

namespace gatehouse::ids::anomaly {

// Of the operating system; never 0.
inline std::uint64_t random_seed() {
  std::random_device device;
  return (std::uint64_t{device()} << 32U | device()) | 1;
}

class KeyedHash {
 public:
  // 0: a random key.
  explicit KeyedHash(std::uint64_t seed) {
    if (seed == 0) seed = random_seed();
    key_[0] = mix(seed ^ 0x9e3779b97f4a7c15U, 0xbf58476d1ce4e5b9U);
    key_[1] = mix(key_[0] ^ seed, 0x94d049bb133111ebU) | 1;
  }

  std::uint64_t operator()(const core::IpAddress& address, std::uint64_t extra = 0) const {
    std::uint64_t words[2];
    std::memcpy(words, address.bytes.data(), sizeof words);
    const std::uint64_t h = mix(words[0] ^ key_[0], words[1] ^ key_[1]);
    return mix(h ^ extra ^ address.version, key_[0] ^ (extra << 1 | 1));
  }
  // Of text of any length.
  std::uint64_t text(std::string_view text) const {
    std::uint64_t h = key_[0] ^ text.size();
    std::uint64_t words[2];
    for (; text.size() > sizeof words; text.remove_prefix(sizeof words)) {
      std::memcpy(words, text.data(), sizeof words);
      h = mix(h ^ words[0], key_[1] ^ words[1]);
    }
    words[0] = words[1] = 0;
    if (!text.empty()) std::memcpy(words, text.data(), text.size());
    return mix(mix(h ^ words[0], key_[1] ^ words[1]) ^ key_[0], 0xd6e8feb86659fd93U);
  }
  // Of its network, /24 or /64 of IPv6: the same as that of the address with all behind it zero.
  std::uint64_t network(const core::IpAddress& address) const {
    std::uint64_t word = 0;
    std::memcpy(&word, address.bytes.data(), sizeof word);
    if (address.is_v4()) word &= kFirstThree;
    const std::uint64_t h = mix(word ^ key_[0], key_[1]);
    return mix(h ^ address.version, key_[0] ^ 1U);
  }
  // Of a hash and a small number.
  std::uint64_t join(std::uint64_t a, std::uint64_t b) const {
    return mix(mix(a ^ key_[0], b ^ key_[1]) ^ key_[0], 0xd6e8feb86659fd93U);
  }
  // Of two hashes: both are mixed already.
  std::uint64_t pair(std::uint64_t a, std::uint64_t b) const { return mix(a ^ key_[0], b ^ key_[1]); }
  std::uint64_t operator()(std::uint64_t value) const {
    // Twice: the low bits of one product follow those of `value`.
    return mix(mix(value ^ key_[0], key_[1]) ^ key_[0], 0xd6e8feb86659fd93U);
  }

 private:
  static constexpr std::uint64_t kFirstThree =
      std::endian::native == std::endian::little ? 0xff'ff'ffU : 0xff'ff'ffULL << 40U;
  static std::uint64_t mix(std::uint64_t a, std::uint64_t b) {
    __extension__ const unsigned __int128 product = static_cast<unsigned __int128>(a) * b;
    return static_cast<std::uint64_t>(product) ^ static_cast<std::uint64_t>(product >> 64);
  }
  std::uint64_t key_[2];
};

}  // namespace gatehouse::ids::anomaly
