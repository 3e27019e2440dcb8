// Hashing with a secret seed: an attacker who picks addresses cannot pick buckets.
#pragma once

#include <cstdint>
#include <cstring>
#include <random>

#include "core/ip.h"

namespace gatehouse::ids {

// A bijection that spreads every input bit over the word (the finaliser of MurmurHash3).
inline std::uint64_t mix64(std::uint64_t value) {
  value ^= value >> 33;
  value *= 0xff51afd7ed558ccdULL;
  value ^= value >> 33;
  value *= 0xc4ceb9fe1a85ec53ULL;
  return value ^ value >> 33;
}

inline std::uint64_t hash_address(std::uint64_t hash, const core::IpAddress& address) {
  std::uint64_t words[2];
  std::memcpy(words, address.bytes.data(), 16);
  hash = mix64(hash ^ words[0]);
  return address.version == 6 ? mix64(hash ^ words[1]) : hash;
}

inline std::uint64_t seed_or_random(std::uint64_t seed) {
  if (seed != 0) return seed;
  std::random_device device;
  return (std::uint64_t{device()} << 32 | device()) | 1;
}

}  // namespace gatehouse::ids
