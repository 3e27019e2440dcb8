#include "ids/alert/text.h"

#include <algorithm>
#include <array>
#include <cstring>
#include <utility>

namespace gatehouse::ids::alert {
namespace {

constexpr char kHex[] = "0123456789abcdef";
constexpr char kBase64[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

// IANA names as the field writes them.
constexpr std::array<std::pair<std::uint8_t, std::string_view>, 24> kProtocols = {{
    {1, "ICMP"},       {2, "IGMP"},        {4, "IP-in-IP"},   {6, "TCP"},    {8, "EGP"},
    {9, "IGP"},        {17, "UDP"},        {33, "DCCP"},      {41, "IPv6"},  {43, "IPv6-Route"},
    {44, "IPv6-Frag"}, {46, "RSVP"},       {47, "GRE"},       {50, "ESP"},   {51, "AH"},
    {58, "IPv6-ICMP"}, {59, "IPv6-NoNxt"}, {60, "IPv6-Opts"}, {88, "EIGRP"}, {89, "OSPFIGP"},
    {94, "IPIP"},      {103, "PIM"},       {112, "VRRP"},     {132, "SCTP"},
}};

char* put_hex_byte(char* to, std::uint8_t byte) {
  *to++ = kHex[byte >> 4];
  *to++ = kHex[byte & 15];
  return to;
}

// A part of a dotted quad with the dot behind it.
struct Octet {
  std::array<char, 4> text{};
  std::uint8_t size = 0;
};

constexpr std::array<Octet, 256> make_octets() {
  std::array<Octet, 256> octets;
  for (unsigned value = 0; value < 256; ++value) {
    Octet& octet = octets[value];
    if (value >= 100) octet.text[octet.size++] = static_cast<char>('0' + value / 100);
    if (value >= 10) octet.text[octet.size++] = static_cast<char>('0' + value / 10 % 10);
    octet.text[octet.size++] = static_cast<char>('0' + value % 10);
    octet.text[octet.size++] = '.';
  }
  return octets;
}
constexpr std::array<Octet, 256> kOctets = make_octets();

constexpr std::array<std::string_view, 256> make_protocol_names() {
  std::array<std::string_view, 256> names;
  for (const auto& [number, name] : kProtocols) names[number] = name;
  return names;
}
constexpr std::array<std::string_view, 256> kProtocolNames = make_protocol_names();

}  // namespace

char* put_base64(char* to, core::ByteView data) {
  const auto put_group = [&to](std::uint32_t group) {
    for (unsigned shift = 24; shift != 0; *to++ = kBase64[group >> shift & 63U]) shift -= 6;
  };
  std::size_t i = 0;
  for (; data.size() - i >= 3; i += 3)
    put_group(std::uint32_t{data[i]} << 16 | std::uint32_t{data[i + 1]} << 8 | data[i + 2]);
  const std::size_t left = data.size() - i;
  if (left == 0) return to;
  put_group(std::uint32_t{data[i]} << 16 | (left == 2 ? std::uint32_t{data[i + 1]} << 8 : 0));
  std::fill(to - (3 - left), to, '=');
  return to;
}

char* put_address(char* to, const core::IpAddress& address) {
  if (address.is_v4()) {
    // Always four bytes: what is too much is written over.
    for (std::size_t i = 0; i < 4; ++i) {
      const Octet& octet = kOctets[address.bytes[i]];
      std::memcpy(to, octet.text.data(), octet.text.size());
      to += octet.size;
    }
    return to - 1;
  }
  for (std::size_t i = 0; i < address.size(); ++i) {
    if (i != 0 && i % 2 == 0) *to++ = ':';
    to = put_hex_byte(to, address.bytes[i]);
  }
  return to;
}

char* put_mac(char* to, std::span<const std::uint8_t, 6> bytes) {
  for (std::size_t i = 0; i < bytes.size(); ++i) {
    if (i != 0) *to++ = ':';
    to = put_hex_byte(to, bytes[i]);
  }
  return to;
}

void append_printable(std::string& out, core::ByteView data) {
  for (const std::uint8_t byte : data) {
    const bool keep = (byte >= 0x20 && byte < 0x7f) || byte == '\n' || byte == '\r';
    out += keep ? static_cast<char>(byte) : '.';
  }
}

std::string_view protocol_name(std::uint8_t protocol, std::array<char, 3>& room) {
  if (const std::string_view name = kProtocolNames[protocol]; !name.empty()) return name;
  room = {static_cast<char>('0' + protocol / 100), static_cast<char>('0' + protocol / 10 % 10),
          static_cast<char>('0' + protocol % 10)};
  return {room.data(), room.size()};
}

}  // namespace gatehouse::ids::alert
