#include "ids/engine/contacts.h"

namespace gatehouse::ids::engine {
namespace {

using anomaly::Contact;
using anomaly::Observation;

constexpr std::uint8_t kIcmpEchoRequest = 8;
constexpr std::uint8_t kIcmp6EchoRequest = 128;

Observation observation(const Flow& flow, const Packet& packet, Contact contact) {
  Observation o;
  o.time_us = packet.time_us;
  o.client = flow.key.client;
  o.server = flow.key.server;
  o.client_port = flow.key.client_port;
  o.server_port = flow.key.server_port;
  o.contact = contact;
  o.tcp_flags = packet.tcp.flags;
  return o;
}

}  // namespace

std::optional<Observation> contact_of_tcp(const Flow& flow, const Packet& packet, TcpState before) {
  const std::uint8_t flags = packet.tcp.flags;
  const bool from_client = packet.direction == Direction::to_server;
  const std::uint64_t packets = flow.counters[0].packets + flow.counters[1].packets;
  const TcpState after = flow.tcp == nullptr ? TcpState::none : flow.tcp->state();

  if (packets == 1) {
    if ((flags & (kTcpSyn | kTcpAck | kTcpRst | kTcpFin)) == kTcpSyn)
      return observation(flow, packet, Contact::tcp_attempt);
    // An unsolicited SYN/ACK or RST answers somebody who used this address: backscatter, no contact.
    if ((flags & kTcpRst) != 0 || (flags & (kTcpSyn | kTcpAck)) == (kTcpSyn | kTcpAck)) return std::nullopt;
    return observation(flow, packet, Contact::tcp_stray);
  }
  if (before == after && (flags & (kTcpSyn | kTcpRst)) == 0) {
    // A connection that was there before we looked: its first answer takes the suspicion away.
    const bool first_answer = after == TcpState::none && !from_client && flow.counters[1].packets == 1;
    if (first_answer) return observation(flow, packet, Contact::tcp_answered);
    // We see one direction only: the client goes on, so it was answered.
    if (after == TcpState::syn_sent && from_client && (flags & kTcpAck) != 0 && flow.counters[1].packets == 0)
      return observation(flow, packet, Contact::tcp_completed);
    return std::nullopt;
  }
  if (before == TcpState::syn_sent || before == TcpState::none) {
    if ((flags & kTcpRst) != 0) {
      if (!from_client) return observation(flow, packet, Contact::tcp_refused);
      return std::nullopt;
    }
    if (from_client && (flags & (kTcpSyn | kTcpAck)) == kTcpSyn)
      return observation(flow, packet, Contact::tcp_retry);
    if (!from_client && (flags & (kTcpSyn | kTcpAck)) == (kTcpSyn | kTcpAck))
      return observation(flow, packet, Contact::tcp_answered);
    return std::nullopt;
  }
  if (before == TcpState::syn_recv) {
    if ((flags & kTcpRst) != 0 && from_client) return observation(flow, packet, Contact::tcp_abandoned);
    if (after == TcpState::established) return observation(flow, packet, Contact::tcp_completed);
  }
  return std::nullopt;
}

std::optional<Observation> contact_of_datagram(const Flow& flow, const Packet& packet) {
  const std::size_t side = index(packet.direction);
  if (flow.counters[side].packets != 1) return std::nullopt;
  const bool first = packet.direction == Direction::to_server;
  if (packet.is_udp()) return observation(flow, packet, first ? Contact::udp_attempt : Contact::udp_answered);
  if (!packet.is_icmp()) return std::nullopt;
  if (first) {
    if (packet.icmp.type != kIcmpEchoRequest && packet.icmp.type != kIcmp6EchoRequest) return std::nullopt;
    return observation(flow, packet, Contact::ping);
  }
  return observation(flow, packet, Contact::ping_answered);
}

}  // namespace gatehouse::ids::engine
