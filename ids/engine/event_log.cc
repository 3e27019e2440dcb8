// What every event line begins with: where, when, and between whom.
#include "ids/engine/event_log.h"

#include <utility>

#include "ids/engine/event_facts.h"

namespace gatehouse::ids::engine {

std::string_view link_name(int link_type) {
  switch (link_type) {
    case 0:
      return "NULL";
    case 1:
      return "EN10MB";
    case 9:
      return "PPP";
    case 12:
    case 101:
      return "RAW";
    case 104:
      return "C_HDLC";
    case 113:
      return "LINUX_SLL";
    case 228:
      return "IPv4";
    case 229:
      return "IPv6";
    case 276:
      return "LINUX_SLL2";
    default:
      return {};
  }
}

std::string_view packet_source_name(const Packet& packet) {
  switch (packet.origin) {
    case PacketOrigin::wire:
      return "wire/pcap";
    case PacketOrigin::defrag:
      return "defrag";
    case PacketOrigin::flow_end:
      return "stream (flow timeout)";
    case PacketOrigin::tunnel:
      break;
  }
  switch (packet.tunnel) {
    case TunnelKind::gre:
      return "gre tunnel";
    case TunnelKind::ipv4:
      return "ipv4 tunnel";
    case TunnelKind::ipv6:
      return "ipv6 tunnel";
    case TunnelKind::vxlan:
      return "vxlan encapsulation";
    case TunnelKind::geneve:
      return "geneve encapsulation";
    case TunnelKind::teredo:
      return "teredo tunnel";
    case TunnelKind::erspan:
      return "erspan";
    case TunnelKind::nsh:
      return "nsh";
    case TunnelKind::none:
      break;
  }
  return "wire/pcap";
}

EventLog::EventLog(const Settings& settings, OutputPort& port, std::string interface)
    : settings_(settings),
      port_(port),
      interface_(std::move(interface)),
      writer_(settings.eve.options),
      alerts_(settings.eve.enabled("alert")),
      anomalies_(settings.eve.enabled("anomaly")),
      flows_(settings.eve.enabled("flow")),
      files_(settings.eve.enabled("files")),
      netflows_(settings.eve.enabled("netflow")),
      arp_(settings.eve.enabled("arp")),
      stream_packets_(settings.eve.enabled("stream")),
      metadata_(settings.eve.enabled("metadata")) {
  alert_options_ = settings.eve.log;
  alert_options_.dns_version = 3;
}

void EventLog::note(const Packet& packet, Flow* flow) {
  if (packet.tunnel_depth == 0) {
    carrier_ = {packet.source,
                packet.destination,
                packet.source_port,
                packet.destination_port,
                packet.has_transport && has_ports(packet.protocol),
                packet.protocol,
                0,
                live() ? 0 : packet.number,
                packet_source_name(packet)};
  }
  if (flow == nullptr || (!netflows_ && !settings_.eve.options.ethernet)) return;
  if (flow_facts(*flow) == nullptr) flow->extra().facts = std::make_unique<FlowFacts>();
  FlowFacts& facts = *flow_facts(*flow);
  const std::size_t side = index(packet.direction);
  facts.min_ttl[side] = std::min(facts.min_ttl[side], packet.ttl);
  facts.max_ttl[side] = std::max(facts.max_ttl[side], packet.ttl);
  if (!packet.has_ether) return;
  facts.macs[side].add(packet.ether_source);
  facts.macs[1 - side].add(packet.ether_destination);
}

void EventLog::common(alert::EventHeader& h, const Packet& packet, const Flow* flow) const {
  h.time_us = packet.time_us;
  h.pcap_cnt = live() ? 0 : packet.number;
  h.in_iface = interface_;
  h.pkt_src = packet_source_name(packet);
  h.vlan = std::span(packet.vlan).first(packet.vlan_count);
  if (packet.has_ether) {
    h.ether_source = &packet.ether_source;
    h.ether_destination = &packet.ether_destination;
    h.ether_type = packet.ether_type;
  }
  if (flow == nullptr) return;
  h.flow_id = flow->id;
  if (const AppFlow* app = app_flow(*flow); app != nullptr && app->proto != kAppUnknown)
    h.app_proto = app_proto_name(app->proto);
}

alert::EventHeader EventLog::packet_header(const Packet& packet, const Flow* flow) const {
  if (packet.origin == PacketOrigin::flow_end && flow != nullptr)
    return flow_header(*flow, packet, packet.direction);
  alert::EventHeader h;
  h.source = packet.source;
  h.destination = packet.destination;
  h.protocol = packet.protocol;
  if (packet.has_transport && has_ports(packet.protocol)) {
    h.has_ports = true;
    h.source_port = packet.source_port;
    h.destination_port = packet.destination_port;
  }
  if (packet.is_icmp()) {
    h.has_icmp = true;
    h.icmp_type = packet.icmp.type;
    h.icmp_code = packet.icmp.code;
  }
  if (packet.protocol == kProtoEsp && packet.ip_payload.size() >= 4)
    h.spi = core::ByteReader(packet.ip_payload).u32();
  common(h, packet, flow);
  return h;
}

// `from`: the side that stands first; to_server means the client does.
alert::EventHeader EventLog::flow_header(const Flow& flow, const Packet& packet, Direction from) const {
  alert::EventHeader h;
  const bool client_first = from == Direction::to_server;
  h.source = client_first ? flow.key.client : flow.key.server;
  h.destination = client_first ? flow.key.server : flow.key.client;
  h.protocol = flow.key.protocol;
  h.has_ports = has_ports(flow.key.protocol);
  if (h.has_ports) {
    h.source_port = client_first ? flow.key.client_port : flow.key.server_port;
    h.destination_port = client_first ? flow.key.server_port : flow.key.client_port;
  }
  if (flow.key.protocol == kProtoIcmp || flow.key.protocol == kProtoIcmp6) {
    h.has_icmp = true;
    h.icmp_type = flow.icmp_type[index(from)];
    h.icmp_code = flow.icmp_code[index(from)];
  }
  // The two ports of the key hold it.
  if (flow.key.protocol == kProtoEsp)
    h.spi = std::uint32_t{flow.key.client_port} << 16U | flow.key.server_port;
  common(h, packet, &flow);
  // Link addresses stand in the order of the endpoints.
  if (from != packet.direction) std::swap(h.ether_source, h.ether_destination);
  if (packet.vlan_count == 0) {
    std::size_t tags = 0;
    while (tags < flow.key.vlan.size() && flow.key.vlan[tags] != 0) ++tags;
    h.vlan = std::span(flow.key.vlan).first(tags);
  }
  return h;
}

}  // namespace gatehouse::ids::engine
