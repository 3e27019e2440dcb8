// Small text forms that EVE fixes.
#pragma once

#include <string>
#include <string_view>

#include "core/bytes.h"
#include "core/ip.h"

namespace gatehouse::ids::alert {

// RFC 4648 section 4, with padding.
void append_base64(std::string& out, core::ByteView data);
// Dotted quad, or all eight groups with leading zeros.
void append_address(std::string& out, const core::IpAddress& address);
// "00:11:22:aa:bb:cc"
void append_mac(std::string& out, core::ByteView six_bytes);
// What can be printed as it is, everything else as a dot.
void append_printable(std::string& out, core::ByteView data);
// EVE `proto`: "TCP", "IPv6-ICMP"; three digits for a protocol without a name here.
void append_protocol(std::string& out, std::uint8_t protocol);

}  // namespace gatehouse::ids::alert
