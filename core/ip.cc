#include "core/ip.h"

#include <arpa/inet.h>

#include <algorithm>
#include <charconv>

namespace gatehouse::core {

IpAddress IpAddress::v4(std::uint32_t host_order) {
  IpAddress out;
  out.version = 4;
  for (std::size_t i = 0; i < 4; ++i) out.bytes[i] = static_cast<std::uint8_t>(host_order >> (24 - 8 * i));
  return out;
}

IpAddress IpAddress::from_bytes(ByteView network_order) {
  IpAddress out;
  if (network_order.size() != 4 && network_order.size() != 16) return out;
  out.version = network_order.size() == 4 ? 4 : 6;
  std::copy(network_order.begin(), network_order.end(), out.bytes.begin());
  return out;
}

namespace {

// A dotted quad as inet_pton takes it (no zero before another digit), without the copy that it wants: lists
// have 100,000 of them.
std::optional<IpAddress> parse_quad(std::string_view text) {
  IpAddress out;
  out.version = 4;
  std::size_t at = 0;
  for (std::size_t i = 0; i < 4; ++i) {
    if (i != 0 && (at == text.size() || text[at++] != '.')) return std::nullopt;
    const std::size_t begin = at;
    unsigned value = 0;
    for (; at < text.size() && text[at] >= '0' && text[at] <= '9' && at - begin < 3; ++at)
      value = value * 10 + static_cast<unsigned>(text[at] - '0');
    if (at == begin || value > 255 || (text[begin] == '0' && at - begin > 1)) return std::nullopt;
    out.bytes[i] = static_cast<std::uint8_t>(value);
  }
  if (at != text.size()) return std::nullopt;
  return out;
}

}  // namespace

std::optional<IpAddress> IpAddress::parse(std::string_view text) {
  if (text.find(':') == std::string_view::npos) return parse_quad(text);
  // A zero byte would end the text for inet_pton, and what follows would be passed over.
  if (text.empty() || text.size() >= INET6_ADDRSTRLEN || text.find('\0') != std::string_view::npos)
    return std::nullopt;
  const std::string copy(text);  // inet_pton wants a terminated string
  IpAddress out;
  if (inet_pton(AF_INET6, copy.c_str(), out.bytes.data()) != 1) return std::nullopt;
  out.version = 6;
  return out;
}

std::uint32_t IpAddress::v4_host_order() const {
  return std::uint32_t{bytes[0]} << 24 | std::uint32_t{bytes[1]} << 16 | std::uint32_t{bytes[2]} << 8 |
         bytes[3];
}

std::string IpAddress::to_string() const {
  if (version == 0) return "none";
  std::array<char, INET6_ADDRSTRLEN> text;
  inet_ntop(version == 4 ? AF_INET : AF_INET6, bytes.data(), text.data(), text.size());
  return text.data();
}

namespace {

// The mask byte for byte `index` of a prefix of `length` bits.
std::uint8_t mask_byte(std::size_t length, std::size_t index) {
  if (length >= index * 8 + 8) return 0xff;
  if (length <= index * 8) return 0;
  return static_cast<std::uint8_t>(0xff << (8 - (length - index * 8)));
}

}  // namespace

std::optional<IpPrefix> IpPrefix::parse(std::string_view text) {
  const std::size_t slash = text.find('/');
  const auto address = IpAddress::parse(text.substr(0, slash));
  if (!address) return std::nullopt;
  const std::size_t bits = address->size() * 8;
  std::size_t length = bits;
  if (slash != std::string_view::npos) {
    const std::string_view digits = text.substr(slash + 1);
    const auto [end, error] = std::from_chars(digits.data(), digits.data() + digits.size(), length);
    if (error != std::errc{} || end != digits.data() + digits.size() || length > bits) return std::nullopt;
  }
  for (std::size_t i = 0; i < address->size(); ++i) {
    if ((address->bytes[i] & ~mask_byte(length, i)) != 0) return std::nullopt;
  }
  return IpPrefix{*address, static_cast<std::uint8_t>(length)};
}

bool IpPrefix::contains(const IpAddress& a) const {
  if (a.version != address.version) return false;
  for (std::size_t i = 0; i < a.size(); ++i) {
    if ((a.bytes[i] & mask_byte(length, i)) != address.bytes[i]) return false;
  }
  return true;
}

bool IpPrefix::overlaps(const IpPrefix& other) const {
  return length <= other.length ? contains(other.address) : other.contains(address);
}

IpAddress IpPrefix::last() const {
  IpAddress out = address;
  for (std::size_t i = 0; i < out.size(); ++i)
    out.bytes[i] |= static_cast<std::uint8_t>(~mask_byte(length, i));
  return out;
}

std::string IpPrefix::to_string() const {
  return address.to_string() + "/" + std::to_string(length);
}

}  // namespace gatehouse::core
