#include "fwctl/model/field.h"

#include <fmt/format.h>

#include <algorithm>
#include <cstring>

namespace gatehouse::fwctl {
namespace {

constexpr std::array<FieldInfo, 14> kFields = {{
    {"iifname", ValueType::ifname, 16, 0, 0},
    {"oifname", ValueType::ifname, 16, 0, 0},
    {"meta l4proto", ValueType::protocol, 1, 0, 0},
    {"ip saddr", ValueType::ipv4, 4, 4, 0},
    {"ip daddr", ValueType::ipv4, 4, 4, 0},
    {"ip6 saddr", ValueType::ipv6, 16, 6, 0},
    {"ip6 daddr", ValueType::ipv6, 16, 6, 0},
    {"ip6 hoplimit", ValueType::number, 1, 6, 0},
    {"th sport", ValueType::port, 2, 0, 0},
    {"th dport", ValueType::port, 2, 0, 0},
    {"icmp type", ValueType::icmp_type, 1, 4, kProtocolIcmp},
    {"icmpv6 type", ValueType::icmpv6_type, 1, 6, kProtocolIcmpv6},
    {"meta skuid", ValueType::user, 4, 0, 0},
    {"socket cgroupv2", ValueType::control_group, 8, 0, 0},
}};

struct Word {
  std::uint8_t value;
  std::string_view word;
};
// nft's own words; a type without one is printed as a number, which nft reads as well.
constexpr std::array<Word, 4> kProtocolWords = {{{1, "icmp"}, {6, "tcp"}, {17, "udp"}, {58, "ipv6-icmp"}}};
constexpr std::array<Word, 4> kIcmpWords = {
    {{3, "destination-unreachable"}, {8, "echo-request"}, {11, "time-exceeded"}, {12, "parameter-problem"}}};
constexpr std::array<Word, 13> kIcmpv6Words = {{{1, "destination-unreachable"},
                                                {2, "packet-too-big"},
                                                {3, "time-exceeded"},
                                                {4, "parameter-problem"},
                                                {128, "echo-request"},
                                                {130, "mld-listener-query"},
                                                {131, "mld-listener-report"},
                                                {132, "mld-listener-done"},
                                                {133, "nd-router-solicit"},
                                                {134, "nd-router-advert"},
                                                {135, "nd-neighbor-solicit"},
                                                {136, "nd-neighbor-advert"},
                                                {143, "mld2-listener-report"}}};

template <std::size_t N>
std::string word_or_number(const std::array<Word, N>& words, std::uint8_t value) {
  const auto at = std::find_if(words.begin(), words.end(), [&](const Word& w) { return w.value == value; });
  return at == words.end() ? std::to_string(value) : std::string(at->word);
}

std::string quoted_name(const Value& value) {
  const auto end = std::find(value.bytes.begin(), value.bytes.begin() + value.size, std::uint8_t{0});
  std::string out = "\"";
  for (auto at = value.bytes.begin(); at != end; ++at) {
    const bool plain = *at >= 0x20 && *at < 0x7f && *at != '"';
    out += plain ? std::string(1, static_cast<char>(*at)) : fmt::format("\\x{:02x}", *at);
  }
  return out + '"';
}

core::IpAddress address_of(const Value& value) {
  return core::IpAddress::from_bytes(core::ByteView(value.bytes).first(value.size));
}

// The length of the prefix that is exactly first..last, or -1.
int prefix_length(const Interval& interval) {
  const int bits = interval.first.size * 8;
  int length = 0;
  const auto bit = [](const Value& v, int i) {
    return (v.bytes[static_cast<std::size_t>(i / 8)] >> (7 - i % 8)) & 1;
  };
  while (length < bits && bit(interval.first, length) == bit(interval.last, length)) ++length;
  for (int i = length; i < bits; ++i) {
    if (bit(interval.first, i) != 0 || bit(interval.last, i) != 1) return -1;
  }
  return length;
}

}  // namespace

const FieldInfo& info(Field field) {
  return kFields.at(static_cast<std::size_t>(field));
}

std::string_view nft_type_name(ValueType type) {
  switch (type) {
    case ValueType::ifname:
      return "ifname";
    case ValueType::ipv4:
      return "ipv4_addr";
    case ValueType::ipv6:
      return "ipv6_addr";
    case ValueType::protocol:
      return "inet_proto";
    case ValueType::port:
      return "inet_service";
    case ValueType::icmp_type:
      return "icmp_type";
    case ValueType::icmpv6_type:
      return "icmpv6_type";
    case ValueType::user:
      return "uid";
    case ValueType::control_group:
      return "cgroupsv2";
    case ValueType::number:
      break;
  }
  return "integer";
}

Value Value::of_interface(std::string_view name) {
  Value out;
  out.size = 16;
  std::copy_n(name.begin(), std::min<std::size_t>(name.size(), 15), out.bytes.begin());
  return out;
}

Value Value::of_address(const core::IpAddress& address) {
  Value out;
  out.bytes = address.bytes;
  out.size = static_cast<std::uint8_t>(address.size());
  return out;
}

Value Value::of_u8(std::uint8_t value) {
  Value out;
  out.bytes[0] = value;
  out.size = 1;
  return out;
}

Value Value::of_port(std::uint16_t port) {
  Value out;
  out.bytes[0] = static_cast<std::uint8_t>(port >> 8U);
  out.bytes[1] = static_cast<std::uint8_t>(port & 0xffU);
  out.size = 2;
  return out;
}

Value Value::of_user(std::uint32_t user) {
  Value out;
  out.size = sizeof user;
  std::memcpy(out.bytes.data(), &user, sizeof user);
  return out;
}

Value Value::of_control_group(std::uint64_t id) {
  Value out;
  out.size = sizeof id;
  std::memcpy(out.bytes.data(), &id, sizeof id);
  return out;
}

Value Value::lowest(std::uint8_t size) {
  Value out;
  out.size = size;
  return out;
}

Value Value::highest(std::uint8_t size) {
  Value out = lowest(size);
  std::fill_n(out.bytes.begin(), std::min<std::size_t>(size, out.bytes.size()), std::uint8_t{0xff});
  return out;
}

Value Value::next() const {
  Value out = *this;
  for (std::size_t i = size; i-- > 0;) {
    if (++out.bytes[i] != 0) break;
  }
  return out;
}

Value Value::previous() const {
  Value out = *this;
  for (std::size_t i = size; i-- > 0;) {
    if (out.bytes[i]-- != 0) break;
  }
  return out;
}

std::string Value::to_string(ValueType type) const {
  switch (type) {
    case ValueType::ifname:
      return quoted_name(*this);
    case ValueType::ipv4:
    case ValueType::ipv6:
      return address_of(*this).to_string();
    case ValueType::protocol:
      return word_or_number(kProtocolWords, bytes[0]);
    case ValueType::port:
      return std::to_string(bytes[0] << 8 | bytes[1]);
    case ValueType::icmp_type:
      return word_or_number(kIcmpWords, bytes[0]);
    case ValueType::icmpv6_type:
      return word_or_number(kIcmpv6Words, bytes[0]);
    case ValueType::user: {
      std::uint32_t user = 0;
      std::memcpy(&user, bytes.data(), sizeof user);
      return std::to_string(user);
    }
    case ValueType::control_group: {
      std::uint64_t id = 0;
      std::memcpy(&id, bytes.data(), sizeof id);
      return std::to_string(id);
    }
    case ValueType::number:
      break;
  }
  return std::to_string(bytes[0]);
}

Interval Interval::of_prefix(const core::IpPrefix& prefix) {
  return {Value::of_address(prefix.address), Value::of_address(prefix.last())};
}

std::string Interval::to_string(ValueType type) const {
  if (is_single()) return first.to_string(type);
  if (type == ValueType::ipv4 || type == ValueType::ipv6) {
    if (const int length = prefix_length(*this); length >= 0) {
      return fmt::format("{}/{}", first.to_string(type), length);
    }
  }
  return first.to_string(type) + "-" + last.to_string(type);
}

bool overlap(const Box& a, const Box& b) {
  for (std::size_t i = 0; i < a.size(); ++i) {
    if (a[i].last < b[i].first || b[i].last < a[i].first) return false;
  }
  return true;
}

std::vector<Box> subtract(const Box& a, const Box& b) {
  if (!overlap(a, b)) return {a};
  std::vector<Box> out;
  Box rest = a;
  // Cut off what sticks out of `b` on either side, one dimension after the other; `rest` ends inside `b`.
  for (std::size_t i = 0; i < rest.size(); ++i) {
    if (rest[i].first < b[i].first) {
      Box piece = rest;
      piece[i].last = b[i].first.previous();
      out.push_back(std::move(piece));
      rest[i].first = b[i].first;
    }
    if (b[i].last < rest[i].last) {
      Box piece = rest;
      piece[i].first = b[i].last.next();
      out.push_back(std::move(piece));
      rest[i].last = b[i].last;
    }
  }
  return out;
}

}  // namespace gatehouse::fwctl
