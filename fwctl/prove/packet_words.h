// The words of a packet as text, for printing and for reading.
#pragma once

#include <linux/netfilter/nf_tables.h>

#include <array>
#include <optional>
#include <string_view>

#include "fwctl/model/field.h"
#include "fwctl/prove/fields.h"

namespace gatehouse::fwctl::prove {

template <class T>
struct Named {
  std::string_view name;
  T value;
};

inline constexpr std::array<Named<std::uint8_t>, 5> kStates = {{{"invalid", kStateInvalid},
                                                                {"established", kStateEstablished},
                                                                {"related", kStateRelated},
                                                                {"new", kStateNew},
                                                                {"untracked", kStateUntracked}}};
inline constexpr std::array<Named<std::uint8_t>, 4> kProtocols = {
    {{"icmp", kProtocolIcmp}, {"tcp", kProtocolTcp}, {"udp", kProtocolUdp}, {"icmpv6", kProtocolIcmpv6}}};
inline constexpr std::array<Named<std::uint8_t>, 8> kFlags = {
    {{"FIN", 1}, {"SYN", 2}, {"RST", 4}, {"PSH", 8}, {"ACK", 16}, {"URG", 32}, {"ECE", 64}, {"CWR", 128}}};
inline constexpr std::array<Named<std::uint8_t>, 2> kPieces = {
    {{"first", kFirstPiece}, {"later", kLaterPiece}}};
// IANA, "Assigned Internet Protocol Numbers" and "IP Option Numbers".
inline constexpr std::array<Named<std::uint8_t>, 6> kExtensions = {{{"hop-by-hop", 0},
                                                                    {"routing", 43},
                                                                    {"fragment", 44},
                                                                    {"authentication", 51},
                                                                    {"destination", 60},
                                                                    {"mobility", 135}}};
inline constexpr std::array<Named<std::uint8_t>, 4> kOptions = {
    {{"record-route", 7}, {"loose-source-route", 131}, {"strict-source-route", 137}, {"router-alert", 148}}};
// The kinds whose bytes have no word of their own.
inline constexpr std::array<Named<ByteKey::Kind>, 6> kOtherBytes = {{{"transport", ByteKey::Kind::transport},
                                                                     {"network", ByteKey::Kind::network},
                                                                     {"piece", ByteKey::Kind::piece},
                                                                     {"meta", ByteKey::Kind::meta},
                                                                     {"ct", ByteKey::Kind::ct},
                                                                     {"fib", ByteKey::Kind::fib}}};

template <class T, std::size_t N>
std::optional<T> find(const std::array<Named<T>, N>& all, std::string_view name) {
  for (const Named<T>& n : all) {
    if (n.name == name) return n.value;
  }
  return std::nullopt;
}
template <class T, std::size_t N>
std::string_view name_of(const std::array<Named<T>, N>& all, T value) {
  for (const Named<T>& n : all) {
    if (n.value == value) return n.name;
  }
  return {};
}

}  // namespace gatehouse::fwctl::prove
