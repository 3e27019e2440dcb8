// IP addresses and prefixes, one type for both versions.
#pragma once

#include <endian.h>

#include <array>
#include <compare>
#include <cstdint>
#include <cstring>
#include <optional>
#include <string>
#include <string_view>

#include "core/bytes.h"

namespace gatehouse::core {

// Network byte order. IPv4 uses the first 4 bytes; the rest is zero, so that == works.
struct IpAddress {
  std::array<std::uint8_t, 16> bytes{};
  std::uint8_t version = 0;  // 4, 6, or 0 for "none"

  static IpAddress v4(std::uint32_t host_order);
  static IpAddress from_bytes(ByteView network_order);  // 4 or 16 bytes, else version 0
  // Dotted quad or RFC 4291 text, without zone id or prefix length.
  static std::optional<IpAddress> parse(std::string_view text);

  bool is_v4() const { return version == 4; }
  bool is_v6() const { return version == 6; }
  std::size_t size() const { return version == 4 ? 4 : version == 6 ? 16 : 0; }
  ByteView view() const { return ByteView(bytes).first(size()); }
  std::uint32_t v4_host_order() const;
  std::string to_string() const;  // RFC 5952

  // As 128-bit numbers: lists are sorted by this.
  friend std::strong_ordering operator<=>(const IpAddress& a, const IpAddress& b) {
    if (const auto order = a.half(0) <=> b.half(0); order != 0) return order;
    if (const auto order = a.half(8) <=> b.half(8); order != 0) return order;
    return a.version <=> b.version;
  }
  // Every packet's addresses are compared with those of a flow: not by a call of memcmp.
  friend bool operator==(const IpAddress& a, const IpAddress& b) {
    return ((a.word(0) ^ b.word(0)) | (a.word(8) ^ b.word(8))) == 0 && a.version == b.version;
  }

 private:
  std::uint64_t word(std::size_t from) const {
    std::uint64_t out = 0;
    std::memcpy(&out, bytes.data() + from, sizeof out);
    return out;
  }
  std::uint64_t half(std::size_t from) const { return be64toh(word(from)); }
};

// A CIDR prefix: bits after `length` are zero.
struct IpPrefix {
  IpAddress address;
  std::uint8_t length = 0;

  // "10.0.0.0/8", "2001:db8::/32" or a single address. Refuses host bits that are set.
  static std::optional<IpPrefix> parse(std::string_view text);
  bool contains(const IpAddress& a) const;
  bool overlaps(const IpPrefix& other) const;
  bool is_host() const { return length == address.size() * 8; }
  IpAddress last() const;  // the highest address inside
  std::string to_string() const;

  friend auto operator<=>(const IpPrefix&, const IpPrefix&) = default;
};

}  // namespace gatehouse::core
