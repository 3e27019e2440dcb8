// What a rule may look at, and the values it may compare with.
#pragma once

#include <array>
#include <compare>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "core/ip.h"

namespace gatehouse::fwctl {

// How the bytes of a field are written for people.
enum class ValueType : std::uint8_t {
  ifname,
  ipv4,
  ipv6,
  protocol,
  port,
  icmp_type,
  icmpv6_type,
  user,
  control_group,
  number
};

enum class Field : std::uint8_t {
  iifname,
  oifname,
  l4proto,
  ip_saddr,
  ip_daddr,
  ip6_saddr,
  ip6_daddr,
  ip6_hoplimit,
  sport,
  dport,
  icmp_type,
  icmpv6_type,
  skuid,
  control_group,  // the group that a rule's level names, see VerdictMap
};

struct FieldInfo {
  std::string_view name;  // as nft writes it
  ValueType type;
  std::uint8_t size;      // bytes
  std::uint8_t family;    // 4 or 6 when the field exists in that family only, else 0
  std::uint8_t protocol;  // IP protocol number the field belongs to, else 0
};
const FieldInfo& info(Field field);

// The name nft gives the type in a set definition: "ipv4_addr", "inet_service".
std::string_view nft_type_name(ValueType type);

// Bytes as they stand in the packet (network order; users and control groups as the CPU keeps numbers);
// interface names are padded with zeros to 16. Values of one size compare as unsigned numbers do.
struct Value {
  std::array<std::uint8_t, 16> bytes{};
  std::uint8_t size = 0;

  static Value of_interface(std::string_view name);  // the caller has checked: at most 15 bytes
  static Value of_address(const core::IpAddress& address);
  static Value of_u8(std::uint8_t value);
  static Value of_port(std::uint16_t port);
  static Value of_user(std::uint32_t user);
  static Value of_control_group(std::uint64_t id);
  static Value lowest(std::uint8_t size);
  static Value highest(std::uint8_t size);

  bool is_lowest() const { return *this == lowest(size); }
  bool is_highest() const { return *this == highest(size); }
  // The neighbours; the caller has checked that there is one.
  Value next() const;
  Value previous() const;
  std::string to_string(ValueType type) const;

  friend auto operator<=>(const Value&, const Value&) = default;
};

// All values from `first` to `last`, both included.
struct Interval {
  Value first;
  Value last;

  static Interval one(Value value) { return {value, value}; }
  static Interval of_prefix(const core::IpPrefix& prefix);
  bool is_single() const { return first == last; }
  // "80", "80-90", "10.0.0.0/8" where the interval is a prefix, `"wan0"`.
  std::string to_string(ValueType type) const;

  friend auto operator<=>(const Interval&, const Interval&) = default;
};

// One interval for each field of a concatenation: the packets inside an axis-parallel box.
using Box = std::vector<Interval>;

bool overlap(const Box& a, const Box& b);
// The parts of `a` that are not in `b`, pairwise disjoint.
std::vector<Box> subtract(const Box& a, const Box& b);

inline constexpr std::uint8_t kProtocolIcmp = 1;
inline constexpr std::uint8_t kProtocolTcp = 6;
inline constexpr std::uint8_t kProtocolUdp = 17;
inline constexpr std::uint8_t kProtocolIcmpv6 = 58;

}  // namespace gatehouse::fwctl
