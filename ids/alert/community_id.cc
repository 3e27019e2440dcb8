// Community ID v1: https://github.com/corelight/community-id-spec
#include <algorithm>
#include <array>

#include "ids/alert/eve.h"
#include "ids/alert/sha1.h"
#include "ids/alert/text.h"

namespace gatehouse::ids::alert {
namespace {

static_assert(2 + base64_size(20) == std::tuple_size_v<decltype(CommunityId::bytes)>);

constexpr std::uint8_t kIcmp = 1;
constexpr std::uint8_t kIcmp6 = 58;

struct IcmpPair {
  std::uint8_t request, reply;
};
constexpr std::array<IcmpPair, 5> kIcmpPairs = {{{8, 0}, {9, 10}, {13, 14}, {15, 16}, {17, 18}}};
constexpr std::array<IcmpPair, 6> kIcmp6Pairs = {
    {{128, 129}, {130, 131}, {133, 134}, {135, 136}, {139, 140}, {144, 145}}};

struct Ports {
  std::uint16_t source = 0, destination = 0;
  bool one_way = false;  // the endpoints keep their order
};

Ports icmp_ports(std::span<const IcmpPair> pairs, std::uint8_t type, std::uint8_t code) {
  for (const IcmpPair& pair : pairs) {
    if (type == pair.request) return {type, pair.reply, false};
    if (type == pair.reply) return {type, pair.request, false};
  }
  return {type, code, true};
}

}  // namespace

std::optional<CommunityId> community_id(const EventHeader& header, std::uint16_t seed) {
  if (header.source.version == 0 || header.source.version != header.destination.version) return std::nullopt;
  const bool icmp = header.protocol == kIcmp || header.protocol == kIcmp6;
  if (icmp && !header.has_icmp) return std::nullopt;

  Ports ports{header.source_port, header.destination_port, false};
  if (header.protocol == kIcmp) ports = icmp_ports(kIcmpPairs, header.icmp_type, header.icmp_code);
  if (header.protocol == kIcmp6) ports = icmp_ports(kIcmp6Pairs, header.icmp_type, header.icmp_code);

  core::IpAddress first = header.source;
  core::IpAddress second = header.destination;
  if (!ports.one_way && (second < first || (second == first && ports.destination < ports.source))) {
    std::swap(first, second);
    std::swap(ports.source, ports.destination);
  }

  std::array<std::uint8_t, 2 + 32 + 2 + 4> input;
  std::size_t size = 0;
  const auto put16 = [&](std::uint16_t value) {
    input[size++] = static_cast<std::uint8_t>(value >> 8);
    input[size++] = static_cast<std::uint8_t>(value);
  };
  const auto put_address = [&](const core::IpAddress& a) {
    std::copy_n(a.bytes.begin(), a.size(), input.begin() + static_cast<std::ptrdiff_t>(size));
    size += a.size();
  };
  put16(seed);
  put_address(first);
  put_address(second);
  input[size++] = header.protocol;
  input[size++] = 0;
  if (header.has_ports || icmp) {
    put16(ports.source);
    put16(ports.destination);
  }
  CommunityId id{{'1', ':'}};
  put_base64(id.bytes.data() + 2, sha1(core::ByteView(input).first(size)));
  return id;
}

}  // namespace gatehouse::ids::alert
