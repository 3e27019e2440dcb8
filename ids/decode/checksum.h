// The Internet checksum (RFC 1071).
#pragma once

#include <cstdint>

#include "core/bytes.h"
#include "core/ip.h"

namespace gatehouse::ids {

// The one's complement sum of `bytes` as 16-bit words, folded; a last odd byte counts as the high
// half of a word. Sums of parts may be added if all but the last part have even length.
std::uint32_t ones_complement_sum(core::ByteView bytes, std::uint32_t start = 0);
// True when a header that contains its checksum adds up.
inline bool checksum_ok(std::uint32_t sum) {
  return sum == 0xffff;
}
// The pseudo header of TCP, UDP and ICMPv6 (RFC 9293 3.1, RFC 8200 8.1).
std::uint32_t pseudo_header_sum(const core::IpAddress& source, const core::IpAddress& destination,
                                std::uint8_t protocol, std::size_t length);

}  // namespace gatehouse::ids
