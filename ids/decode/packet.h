// One decoded packet: views into the frame plus the header fields that rules and the flow table
// use. Plain data, reused from packet to packet; nothing here owns memory.
#pragma once

#include <array>
#include <cstdint>

#include "core/bytes.h"
#include "core/ip.h"

namespace gatehouse::ids {

using core::ByteView;
using core::IpAddress;

enum class Direction : std::uint8_t { to_server = 0, to_client = 1 };
inline Direction opposite(Direction d) {
  return d == Direction::to_server ? Direction::to_client : Direction::to_server;
}
inline std::size_t index(Direction d) {
  return static_cast<std::size_t>(d);
}

// How the packet came to be: EVE `pkt_src`.
enum class PacketOrigin : std::uint8_t { wire, defrag, tunnel, flow_end };

// What an inner packet was wrapped in. Values other than none come with PacketOrigin::tunnel.
enum class TunnelKind : std::uint8_t { none, ipv4, ipv6, gre, vxlan, geneve, teredo, erspan, nsh };

// IANA protocol numbers the engine names.
inline constexpr std::uint8_t kProtoIcmp = 1;
inline constexpr std::uint8_t kProtoTcp = 6;
inline constexpr std::uint8_t kProtoUdp = 17;
inline constexpr std::uint8_t kProtoIcmp6 = 58;
inline constexpr std::uint8_t kProtoSctp = 132;

inline constexpr std::uint8_t kTcpFin = 0x01, kTcpSyn = 0x02, kTcpRst = 0x04, kTcpPsh = 0x08;
inline constexpr std::uint8_t kTcpAck = 0x10, kTcpUrg = 0x20, kTcpEce = 0x40, kTcpCwr = 0x80;

struct TcpHeader {
  std::uint32_t sequence = 0;
  std::uint32_t acknowledgment = 0;
  std::uint16_t window = 0;
  std::uint16_t urgent = 0;
  std::uint8_t flags = 0;
  std::uint8_t window_scale = 0;
  bool has_window_scale = false;
  bool has_timestamp = false;
  bool sack_permitted = false;
  bool has_fast_open = false;  // RFC 7413, also with the experimental option number
  std::uint16_t mss = 0;       // 0: absent
  std::uint32_t timestamp = 0;
  std::uint32_t timestamp_echo = 0;
};

struct IcmpHeader {
  std::uint8_t type = 0;
  std::uint8_t code = 0;
  std::uint16_t id = 0;  // echo and its kin
  std::uint16_t sequence = 0;
  ByteView embedded;  // the packet an error message quotes; empty otherwise
  // The 5-tuple of `embedded` when it could be read: embedded_version is 4 or 6.
  std::uint8_t embedded_version = 0, embedded_protocol = 0;
  IpAddress embedded_source, embedded_destination;
  std::uint16_t embedded_source_port = 0, embedded_destination_port = 0;
  std::uint32_t mtu = 0;  // ICMPv6 packet too big
};

// Indices into the decoder's event vocabulary (decode/events.h): "ipv4.trunc_pkt", ...
using DecodeEvent = std::uint16_t;

struct Packet {
  // Where and when.
  std::uint64_t number = 0;  // 1-based in the source: EVE pcap_cnt
  std::int64_t time_us = 0;
  PacketOrigin origin = PacketOrigin::wire;
  TunnelKind tunnel = TunnelKind::none;
  std::uint8_t tunnel_depth = 0;
  int link_type = 0;

  ByteView frame;  // from the link header; of the whole reassembled datagram when defragmented
  std::uint32_t wire_length = 0;

  // Link.
  std::array<std::uint8_t, 6> ether_source{}, ether_destination{};
  std::uint16_t ether_type = 0;
  bool has_ether = false;
  std::array<std::uint16_t, 3> vlan{};  // outer to inner
  std::uint8_t vlan_count = 0;
  ByteView arp;  // an ARP message of Ethernet and IPv4 (RFC 826), whole; empty: none

  // Network. ip_version 0: not IP, or so broken that nothing after it was read.
  std::uint8_t ip_version = 0;
  std::uint8_t protocol = 0;  // of the transport header, after IPv6 extension headers
  std::uint8_t ttl = 0;       // hop limit
  std::uint8_t tos = 0;
  bool fragment = false;  // still a fragment: no transport header was read
  bool more_fragments = false;
  bool dont_fragment = false;
  std::uint16_t fragment_offset = 0;  // bytes
  std::uint32_t ip_id = 0;
  IpAddress source, destination;
  ByteView ip_header;  // with options / extension headers
  ByteView ip_payload;

  // Transport: valid by `protocol` when has_transport.
  bool has_transport = false;
  std::uint16_t source_port = 0, destination_port = 0;  // 0 for portless protocols
  TcpHeader tcp;
  IcmpHeader icmp;
  ByteView transport_header;
  ByteView payload;  // after the transport header (after the IP header when there is none)

  bool bad_checksum = false;  // any of IP, TCP, UDP, ICMP; judged only when validation is on

  // Set by the flow layer, for detection.
  Direction direction = Direction::to_server;  // valid when the packet has a flow
  bool established = false;                    // its flow was, before a TCP packet; is, with any other packet
  bool payload_in_stream = false;              // reassembly took the payload: stream rules see it, once
  std::array<std::uint16_t, 6> stream_events{};  // vocabulary of flow/stream_events.h
  std::uint8_t stream_event_count = 0;

  // Everything the decoder found odd; duplicates and more than fit are dropped.
  std::array<DecodeEvent, 8> events{};
  std::uint8_t event_count = 0;

  bool is_tcp() const { return has_transport && protocol == kProtoTcp; }
  bool is_udp() const { return has_transport && protocol == kProtoUdp; }
  bool is_icmp() const { return has_transport && (protocol == kProtoIcmp || protocol == kProtoIcmp6); }
  void add_stream_event(std::uint16_t event) {
    for (std::uint8_t i = 0; i < stream_event_count; ++i) {
      if (stream_events[i] == event) return;
    }
    if (stream_event_count < stream_events.size()) stream_events[stream_event_count++] = event;
  }
  void add_event(DecodeEvent event) {
    for (std::uint8_t i = 0; i < event_count; ++i) {
      if (events[i] == event) return;
    }
    if (event_count < events.size()) events[event_count++] = event;
  }
};

}  // namespace gatehouse::ids
