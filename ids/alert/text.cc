#include "ids/alert/text.h"

#include <algorithm>
#include <array>
#include <utility>

namespace gatehouse::ids::alert {
namespace {

constexpr char kHex[] = "0123456789abcdef";
constexpr char kBase64[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

// IANA names as the field writes them; sorted by number.
constexpr std::array<std::pair<std::uint8_t, std::string_view>, 24> kProtocols = {{
    {1, "ICMP"},       {2, "IGMP"},        {4, "IP-in-IP"},   {6, "TCP"},    {8, "EGP"},
    {9, "IGP"},        {17, "UDP"},        {33, "DCCP"},      {41, "IPv6"},  {43, "IPv6-Route"},
    {44, "IPv6-Frag"}, {46, "RSVP"},       {47, "GRE"},       {50, "ESP"},   {51, "AH"},
    {58, "IPv6-ICMP"}, {59, "IPv6-NoNxt"}, {60, "IPv6-Opts"}, {88, "EIGRP"}, {89, "OSPFIGP"},
    {94, "IPIP"},      {103, "PIM"},       {112, "VRRP"},     {132, "SCTP"},
}};

void append_hex_byte(std::string& out, std::uint8_t byte) {
  out += kHex[byte >> 4];
  out += kHex[byte & 15];
}

void append_decimal(std::string& out, std::uint8_t byte) {
  if (byte >= 100) out += static_cast<char>('0' + byte / 100);
  if (byte >= 10) out += static_cast<char>('0' + byte / 10 % 10);
  out += static_cast<char>('0' + byte % 10);
}

}  // namespace

void append_base64(std::string& out, core::ByteView data) {
  std::size_t i = 0;
  for (; data.size() - i >= 3; i += 3) {
    const std::uint32_t group = std::uint32_t{data[i]} << 16 | std::uint32_t{data[i + 1]} << 8 | data[i + 2];
    const char text[4] = {kBase64[group >> 18], kBase64[group >> 12 & 63], kBase64[group >> 6 & 63],
                          kBase64[group & 63]};
    out.append(text, 4);
  }
  const std::size_t left = data.size() - i;
  if (left == 0) return;
  const std::uint32_t group =
      std::uint32_t{data[i]} << 16 | (left == 2 ? std::uint32_t{data[i + 1]} << 8 : 0);
  const char text[4] = {kBase64[group >> 18], kBase64[group >> 12 & 63],
                        left == 2 ? kBase64[group >> 6 & 63] : '=', '='};
  out.append(text, 4);
}

void append_address(std::string& out, const core::IpAddress& address) {
  if (address.is_v4()) {
    for (std::size_t i = 0; i < 4; ++i) {
      if (i != 0) out += '.';
      append_decimal(out, address.bytes[i]);
    }
    return;
  }
  for (std::size_t i = 0; i < address.size(); ++i) {
    if (i != 0 && i % 2 == 0) out += ':';
    append_hex_byte(out, address.bytes[i]);
  }
}

void append_mac(std::string& out, core::ByteView six_bytes) {
  for (std::size_t i = 0; i < six_bytes.size(); ++i) {
    if (i != 0) out += ':';
    append_hex_byte(out, six_bytes[i]);
  }
}

void append_printable(std::string& out, core::ByteView data) {
  for (const std::uint8_t byte : data) {
    const bool keep = (byte >= 0x20 && byte < 0x7f) || byte == '\n' || byte == '\r';
    out += keep ? static_cast<char>(byte) : '.';
  }
}

void append_protocol(std::string& out, std::uint8_t protocol) {
  const auto* found =
      std::lower_bound(kProtocols.begin(), kProtocols.end(), protocol,
                       [](const auto& row, std::uint8_t number) { return row.first < number; });
  if (found != kProtocols.end() && found->first == protocol) {
    out += found->second;
    return;
  }
  out += static_cast<char>('0' + protocol / 100);
  out += static_cast<char>('0' + protocol / 10 % 10);
  out += static_cast<char>('0' + protocol % 10);
}

}  // namespace gatehouse::ids::alert
