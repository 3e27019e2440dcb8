#include "ids/flow/flow.h"

#include <utility>

#include "ids/flow/flow_table.h"
#include "ids/flow/tcp.h"

namespace gatehouse::ids {

Flow::Flow() = default;
Flow::~Flow() = default;

void swap_direction(Flow& flow) {
  std::swap(flow.key.client, flow.key.server);
  std::swap(flow.key.client_port, flow.key.server_port);
  std::swap(flow.counters[0], flow.counters[1]);
  std::swap(flow.tcp_flags[0], flow.tcp_flags[1]);
  std::swap(flow.icmp_type[0], flow.icmp_type[1]);
  std::swap(flow.icmp_code[0], flow.icmp_code[1]);
  if (flow.tcp != nullptr) flow.tcp->swap_direction();
}

std::string_view to_string(FlowState state) {
  switch (state) {
    case FlowState::fresh:
      return "new";
    case FlowState::established:
      return "established";
    case FlowState::closed:
      return "closed";
  }
  return "new";
}

std::string_view to_string(FlowEndReason reason) {
  switch (reason) {
    case FlowEndReason::none:
      return "unknown";
    case FlowEndReason::timeout:
      return "timeout";
    case FlowEndReason::forced:
      return "forced";
    case FlowEndReason::shutdown:
      return "shutdown";
    case FlowEndReason::tcp_reuse:
      return "tcp_reuse";
  }
  return "unknown";
}

Packet make_flow_end_packet(const Flow& flow, Direction direction, std::int64_t time_us) {
  const bool to_server = direction == Direction::to_server;
  const FlowKey& key = flow.key;
  Packet packet;
  packet.origin = PacketOrigin::flow_end;
  packet.time_us = time_us;
  packet.tunnel_depth = key.tunnel_depth;
  packet.vlan = key.vlan;
  while (packet.vlan_count < packet.vlan.size() && packet.vlan[packet.vlan_count] != 0) ++packet.vlan_count;
  packet.ip_version = flow.ip_version;
  packet.protocol = key.protocol;
  packet.source = to_server ? key.client : key.server;
  packet.destination = to_server ? key.server : key.client;
  packet.has_transport = true;
  if (key.protocol == kProtoIcmp || key.protocol == kProtoIcmp6) {
    packet.icmp.type = flow.icmp_type[index(direction)];
    packet.icmp.code = flow.icmp_code[index(direction)];
  } else {
    packet.source_port = to_server ? key.client_port : key.server_port;
    packet.destination_port = to_server ? key.server_port : key.client_port;
  }
  packet.tcp.flags = key.protocol == kProtoTcp ? kTcpAck : 0;
  packet.direction = direction;
  packet.established = flow.state != FlowState::fresh;
  return packet;
}

}  // namespace gatehouse::ids
