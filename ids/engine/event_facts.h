// What the event lines of several families share. Private to the event log.
#pragma once

#include <algorithm>
#include <array>
#include <span>
#include <string_view>

#include "ids/flow/flow.h"

namespace gatehouse::ids::engine {

// What flow and netflow events tell and the flow itself does not know. Made only when configured.
class FlowFacts : public FlowAttachment {
 public:
  static constexpr std::size_t kMostMacs = 8;
  struct Macs {
    std::array<std::array<std::uint8_t, 6>, kMostMacs> seen{};
    std::size_t count = 0;
    void add(const std::array<std::uint8_t, 6>& mac) {
      const auto end = seen.begin() + static_cast<std::ptrdiff_t>(count);
      if (count < kMostMacs && std::find(seen.begin(), end, mac) == end) seen[count++] = mac;
    }
    std::span<const std::array<std::uint8_t, 6>> all() const { return std::span(seen).first(count); }
  };
  std::array<Macs, 2> macs;                                  // of the client's and of the server's side
  std::array<std::uint8_t, 2> min_ttl{255, 255}, max_ttl{};  // per direction
};

inline FlowFacts* flow_facts(const Flow& flow) {
  return flow.extras == nullptr ? nullptr : static_cast<FlowFacts*>(flow.extras->facts.get());
}

inline constexpr std::uint8_t kProtoEsp = 50;  // RFC 4303

inline bool has_ports(std::uint8_t protocol) {
  return protocol == kProtoTcp || protocol == kProtoUdp || protocol == kProtoSctp;
}

inline std::string_view direction_name(Direction direction) {
  return direction == Direction::to_server ? "to_server" : "to_client";
}

// The name of a link type, as packet_info tells it; empty when it has none here.
std::string_view link_name(int link_type);

}  // namespace gatehouse::ids::engine
