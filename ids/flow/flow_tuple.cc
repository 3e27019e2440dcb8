#include "ids/flow/flow_tuple.h"

#include <tuple>
#include <utility>

#include "ids/flow/hash.h"

namespace gatehouse::ids {
namespace {

constexpr std::uint8_t kProtoIpIp = 4, kProtoIpv6 = 41, kProtoEsp = 50;
constexpr std::uint8_t kUnreachable = 3;

// Other protocols have packets but no flows: nothing tells one conversation from the next.
bool has_flows(std::uint8_t protocol) {
  switch (protocol) {
    case kProtoTcp:
    case kProtoUdp:
    case kProtoIcmp:
    case kProtoIcmp6:
    case kProtoSctp:
    case kProtoEsp:
    case kProtoIpIp:
    case kProtoIpv6:
      return true;
    default:
      return false;
  }
}

bool is_icmpv4_error(std::uint8_t type) {
  return type == 3 || type == 4 || type == 5 || type == 11 || type == 12;
}

void set_icmp_pair(FlowKey& key, const Packet& packet) {
  const int answer = icmp_counterpart(packet.protocol, packet.icmp.type);
  key.client_port = packet.icmp.type;
  key.server_port = answer < 0 ? packet.icmp.type : static_cast<std::uint16_t>(answer);
}

void set_esp_index(FlowKey& key, const Packet& packet) {
  core::ByteReader reader(packet.transport_header);
  // Each direction has its own index: an ESP flow has one direction.
  const std::uint32_t spi = reader.u32();
  key.client_port = static_cast<std::uint16_t>(spi >> 16);
  key.server_port = static_cast<std::uint16_t>(spi);
}

}  // namespace

int icmp_counterpart(std::uint8_t protocol, std::uint8_t type) {
  static constexpr std::pair<std::uint8_t, std::uint8_t> kV4[] = {
      {8, 0}, {10, 9}, {13, 14}, {15, 16}, {17, 18}};
  static constexpr std::pair<std::uint8_t, std::uint8_t> kV6[] = {{128, 129}, {133, 134}, {135, 136},
                                                                  {139, 140}, {144, 145}, {160, 161}};
  const auto find = [type](const auto& pairs) {
    for (const auto& [request, answer] : pairs) {
      if (request == type) return static_cast<int>(answer);
      if (answer == type) return static_cast<int>(request);
    }
    return -1;
  };
  return protocol == kProtoIcmp ? find(kV4) : find(kV6);
}

std::optional<FlowTuple> flow_tuple(const Packet& packet, const TupleRules& rules) {
  if (packet.ip_version == 0 || packet.fragment || !has_flows(packet.protocol)) return std::nullopt;
  const bool tunnel = packet.protocol == kProtoIpIp || packet.protocol == kProtoIpv6;
  if (!packet.has_transport && !tunnel) return std::nullopt;
  FlowTuple tuple;
  FlowKey& key = tuple.key;
  if (rules.use_vlan) key.vlan = packet.vlan;
  if (rules.use_tunnel_depth) key.tunnel_depth = packet.tunnel_depth;
  const IcmpHeader& icmp = packet.icmp;
  if (packet.protocol == kProtoIcmp && is_icmpv4_error(icmp.type)) {
    if (icmp.type != kUnreachable || icmp.embedded_version != 4) return std::nullopt;
    tuple.quoted = true;
    key.protocol = icmp.embedded_protocol;
    key.client = icmp.embedded_source;
    key.server = icmp.embedded_destination;
    key.client_port = icmp.embedded_source_port;
    key.server_port = icmp.embedded_destination_port;
    return tuple;
  }
  key.protocol = packet.protocol;
  key.client = packet.source;
  key.server = packet.destination;
  key.client_port = packet.source_port;
  key.server_port = packet.destination_port;
  if (packet.is_icmp()) set_icmp_pair(key, packet);
  if (packet.protocol == kProtoEsp) set_esp_index(key, packet);
  return tuple;
}

std::uint64_t hash_tuple(const FlowKey& key, std::uint64_t seed) {
  const std::uint64_t client = hash_address(mix64(seed ^ key.client_port), key.client);
  const std::uint64_t server = hash_address(mix64(seed ^ key.server_port), key.server);
  const std::uint64_t rest = std::uint64_t{key.protocol} << 56 | std::uint64_t{key.tunnel_depth} << 48 |
                             std::uint64_t{key.vlan[0]} << 32 | std::uint64_t{key.vlan[1]} << 16 |
                             key.vlan[2];
  // Addition commutes: both directions give the same value.
  return mix64((client + server) ^ rest);
}

bool opposite_direction(const FlowKey& a, const FlowKey& b) {
  const auto forward =
      std::tie(a.client, a.server, a.client_port, a.server_port, a.protocol, a.tunnel_depth, a.vlan);
  return forward ==
         std::tie(b.server, b.client, b.server_port, b.client_port, b.protocol, b.tunnel_depth, b.vlan);
}

}  // namespace gatehouse::ids
