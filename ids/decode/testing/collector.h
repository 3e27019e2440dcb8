// Test support: what the decoder hands over for one frame.
#pragma once

#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "ids/decode/decoder.h"
#include "ids/decode/events.h"
#include "ids/decode/testing/packet_builder.h"

namespace gatehouse::ids::testing {

struct PacketCollector : PacketHandler {
  void on_packet(Packet& packet) override { packets.push_back(packet); }
  std::vector<Packet> packets;
};

inline std::vector<std::string> event_names(const Packet& packet) {
  std::vector<std::string> names;
  for (std::uint8_t i = 0; i < packet.event_count; ++i)
    names.emplace_back(decode_event_name(packet.events[i]));
  return names;
}

// Every view of `packet` lies inside the frame it was read from.
inline void expect_views_inside(const Packet& packet) {
  const auto inside = [&](ByteView view) {
    if (view.empty()) return true;
    return view.data() >= packet.frame.data() &&
           view.data() + view.size() <= packet.frame.data() + packet.frame.size();
  };
  EXPECT_TRUE(inside(packet.ip_header));
  EXPECT_TRUE(inside(packet.ip_payload));
  EXPECT_TRUE(inside(packet.transport_header));
  EXPECT_TRUE(inside(packet.payload));
  EXPECT_TRUE(inside(packet.icmp.embedded));
}

}  // namespace gatehouse::ids::testing
