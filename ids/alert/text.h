// Small text forms that EVE fixes.
#pragma once

#include <array>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>

#include "core/bytes.h"
#include "core/ip.h"

namespace gatehouse::ids::alert {

// Those that put write to a place that has room, and return the end.

// RFC 4648 section 4, with padding: base64_size() bytes.
char* put_base64(char* to, core::ByteView data);
constexpr std::size_t base64_size(std::size_t bytes) {
  return (bytes + 2) / 3 * 4;
}
// Dotted quad, or all eight groups with leading zeros: needs room for 39 bytes, whatever the address.
char* put_address(char* to, const core::IpAddress& address);
// "00:11:22:aa:bb:cc"
char* put_mac(char* to, std::span<const std::uint8_t, 6> bytes);
// EVE `proto`: "TCP", "IPv6-ICMP"; three digits for a protocol without a name here.
std::string_view protocol_name(std::uint8_t protocol, std::array<char, 3>& room);
// What can be printed as it is, everything else as a dot.
void append_printable(std::string& out, core::ByteView data);

}  // namespace gatehouse::ids::alert
