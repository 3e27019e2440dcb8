#include "ids/engine/contacts.h"

#include <algorithm>
#include <cstring>

#include "ids/anomaly/victims.h"
#include "ids/parsers/dns_transaction.h"
#include "ids/parsers/http_transaction.h"

namespace gatehouse::ids::engine {
namespace {

using anomaly::Contact;
using anomaly::Known;
using anomaly::Observation;
using anomaly::Service;

constexpr std::uint8_t kIcmpEchoRequest = 8, kIcmpUnreachable = 3;
constexpr std::uint8_t kIcmp6EchoRequest = 128, kIcmp6Unreachable = 1;

}  // namespace

ContactTap::ContactTap(anomaly::ObservationSink* sink, std::uint64_t seed)
    : sink_(sink), hash_(seed), http_(find_parser("http")), dns_(find_parser("dns")) {
  spoken_[http_] = {Service::http, true, false};
  spoken_[dns_] = {Service::dns, true, false};
  spoken_[find_parser("tls")] = {Service::tls, false, true};
  spoken_[find_parser("smtp")] = {Service::smtp, false, true};
  spoken_[find_parser("http2")] = {Service::other, false, true};
  spoken_[find_parser("ssh")] = {Service::ssh, false, false};
  spoken_[kAppUnknown] = {Service::unknown, false, false};
  if (sink != nullptr) cut_.emplace(*sink, hash_);
}

Observation& ContactTap::open(const Flow& flow, const Packet& packet, Contact contact) {
  Observation& o = sink_->open();
  // Bits are written into bytes that are read for it: from the cache line the processor is about to get, that
  // takes as long as the line does; from what was just written, nothing.
  std::memset(static_cast<void*>(&o), 0, sizeof o);
  o.time_us = packet.time_us;
  o.packet = packet.number;
  o.client = flow.key.client;
  o.server = flow.key.server;
  o.client_port = flow.key.client_port;
  o.server_port = flow.key.server_port;
  o.contact = contact;
  o.tcp_flags = packet.tcp.flags;
  o.protocol = flow.key.protocol;
  o.service = service(flow);
  o.bytes = static_cast<std::uint32_t>(packet.payload.size());
  return o;
}

void ContactTap::tell(const Flow& flow, const Packet& packet, Contact contact, std::uint64_t value,
                      std::uint64_t detail, std::uint16_t count) {
  Observation& o = open(flow, packet, contact);
  o.count = count;
  o.value = value;
  o.detail = detail;
  sink_->keep();
}

void ContactTap::news(const Flow& flow, const Packet& packet, TcpState state, bool middle) {
  const TcpState now = flow.tcp == nullptr ? TcpState::none : flow.tcp->state();
  if (state != TcpState::established) handshake(flow, packet, state);
  const bool told_head = fed_ && has_news(flow) && transactions(flow, packet);
  // In the middle the connection itself says one thing more: which protocol it turns out to be.
  if ((state == TcpState::established || now == TcpState::established) && (!middle || proto_ == kAppUnknown))
    connection(flow, packet, state, told_head);
  if (const AppFlow* app = fed_ ? app_flow(flow) : nullptr;
      app != nullptr && spoken_[app->proto].has_deeds && app->session != nullptr)
    deeds(flow, packet, *app);
}

void ContactTap::talk(const Flow& flow, const Packet& packet) {
  if (packet.is_icmp() && packet.icmp.embedded_version != 0) return icmp_error(packet);
  const bool from_client = packet.direction == Direction::to_server;
  const DirectionCounters& sent = flow.counters[index(packet.direction)];
  if (packet.is_udp()) {
    if (!from_client) {
      if (sent.packets == 1) udp_answered(flow, packet);
      if (const std::uint16_t count = speaks(sent.packets)) amplified(flow, packet, count);
    } else if (sent.packets == 1) {
      tell_first(flow, packet, Contact::udp_attempt);
    } else if (flow.counters[1].packets == 0 && anomaly::reflecting_service(flow.key.client_port) >= 0) {
      if (const std::uint16_t count = speaks(sent.packets)) tell(flow, packet, Contact::more, 0, 0, count);
    }
    if (!packet.payload.empty() && has_news(flow)) transactions(flow, packet);
    return;
  }
  if (!packet.is_icmp()) return;
  if (!from_client) {
    if (sent.packets == 1) tell(flow, packet, Contact::ping_answered);
    return;
  }
  if (packet.icmp.type != kIcmpEchoRequest && packet.icmp.type != kIcmp6EchoRequest) return;
  if (const std::uint16_t count = speaks(sent.packets))
    tell(flow, packet, Contact::ping, sent.packets, 0, count);
}

void ContactTap::udp_answered(const Flow& flow, const Packet& packet) {
  Observation* const attempt = waiting(flow, Contact::udp_attempt);
  const bool soon = attempt != nullptr && packet.time_us - attempt->time_us < anomaly::kBriefUs;
  tell_success(flow, packet, Contact::udp_answered, soon ? attempt : nullptr);
}

// On the average of the flow: who asks in another's name may do so from one port or from many.
void ContactTap::amplified(const Flow& flow, const Packet& packet, std::uint16_t count) {
  if (anomaly::reflecting_service(flow.key.server_port) < 0) return;
  const std::uint64_t answers = flow.counters[1].packets;
  Observation& o = open(flow, packet, Contact::udp_amplified);
  o.count = count;
  o.bytes = static_cast<std::uint32_t>(flow.counters[1].bytes * count / answers);
  o.value = flow.counters[0].bytes * count / answers;
  // The same question has the same answer, more or less.
  o.detail = packet.payload.size();
  const AppFlow* app = app_flow(flow);
  if (app != nullptr && app->proto == dns_ && app->session != nullptr &&
      !app->session->transactions().empty()) {
    const auto& dns = static_cast<const DnsTransaction&>(*app->session->transactions().back());
    if (!dns.queries.empty()) o.detail = hash_.text(dns.queries.front().name);
  }
  sink_->keep();
}

void ContactTap::icmp_error(const Packet& packet) {
  const IcmpHeader& icmp = packet.icmp;
  const std::uint8_t type = packet.protocol == kProtoIcmp ? kIcmpUnreachable : kIcmp6Unreachable;
  // It goes to who sent the packet it quotes.
  if (icmp.type != type || icmp.embedded_source != packet.destination) return;
  Observation o;
  o.time_us = packet.time_us;
  o.packet = packet.number;
  o.client = icmp.embedded_source;
  o.server = icmp.embedded_destination;
  o.client_port = icmp.embedded_source_port;
  o.server_port = icmp.embedded_destination_port;
  o.contact = Contact::unreachable;
  o.protocol = icmp.embedded_protocol;
  o.value = icmp.code;
  sink_->on_observation(o);
}

namespace {

// From a packet without a flow.
Observation about(const Packet& packet, Contact contact) {
  Observation o;
  o.time_us = packet.time_us;
  o.packet = packet.number;
  o.client = packet.source;
  o.server = packet.destination;
  o.protocol = packet.protocol;
  o.contact = contact;
  return o;
}

}  // namespace

void ContactTap::alone(const Packet& packet) {
  if (packet.ip_version == 0) {
    if (packet.frame.size() < packet.wire_length) cut_->see(packet);
    return;
  }
  if (packet.is_icmp()) {
    if (packet.icmp.embedded_version != 0) icmp_error(packet);
    return;
  }
  if (anomaly::is_group(packet.destination)) return;
  Observation o = about(packet, packet.fragment ? Contact::fragment : Contact::ip_attempt);
  o.bytes = static_cast<std::uint32_t>(packet.payload.size());
  if (packet.fragment) {
    if (packet.fragment_offset != 0 || !packet.more_fragments) return;
  } else {
    // A broken header of a protocol that has flows says nothing.
    if (packet.protocol == kProtoTcp || packet.protocol == kProtoUdp) return;
    const std::uint64_t pair = hash_(o.server, hash_(o.client, packet.protocol));
    std::uint64_t& known = known_alone_[pair % known_alone_.size()];
    if (known == pair) return;
    known = pair;
  }
  sink_->on_observation(o);
}

void ContactTap::whole(const Packet& packet) {
  sink_->on_observation(about(packet, Contact::defragmented));
}

bool ContactTap::transactions(const Flow& flow, const Packet& packet) {
  const AppFlow* app = app_flow(flow);
  bool told_head = false;
  for (const auto& tx : app->session->transactions()) {
    if (has_told(*tx)) continue;
    if (app->proto != dns_) {
      told_head |= http(flow, packet, *tx);
    } else if (tx->told == std::array<std::uint8_t, 2>{}) {
      dns(flow, packet, *tx);
    }
    tx->told = tx->progress;
  }
  return told_head;
}

void ContactTap::deeds(const Flow& flow, const Packet& packet, const AppFlow& app) {
  const Session::Deeds now = app.session->deeds();
  if (app.proto != proto_) deeds_ = {};  // of what was spoken before
  if (now == deeds_) return;
  if (now.logins_refused != deeds_.logins_refused || now.logins_granted != deeds_.logins_granted)
    tell(flow, packet, Contact::login, now.logins_refused - deeds_.logins_refused,
         now.logins_granted - deeds_.logins_granted);
  if (now.cancelled != deeds_.cancelled || now.requests != deeds_.requests)
    tell(flow, packet, Contact::http2_streams, now.cancelled - deeds_.cancelled,
         now.requests - deeds_.requests);
  if (now.continuations != deeds_.continuations)
    tell(flow, packet, Contact::http2_continued, now.continuations - deeds_.continuations);
  if (now.key_changes != deeds_.key_changes) tell(flow, packet, Contact::tls_keys, now.key_changes);
}

bool ContactTap::http(const Flow& flow, const Packet& packet, const Transaction& tx) {
  const auto& http = static_cast<const HttpTransaction&>(tx);
  const auto passed = [&](std::size_t side, std::uint8_t stage) {
    return tx.told[side] < stage && tx.progress[side] >= stage;
  };
  // The end of a connection closes whatever was unfinished: no request of its client's.
  if (packet.payload.empty() && (packet.tcp.flags & (kTcpFin | kTcpRst)) != 0) return false;
  bool told_head = true;
  if (passed(0, kHttpComplete)) {
    // What is asked for: the path without its query, which floods vary.
    tell(flow, packet, Contact::http_request, hash_(hash_.text(http.path)) ^ hash_.text(http.host));
  } else if (passed(0, kHttpBody)) {
    tell(flow, packet, Contact::http_head);
  } else {
    told_head = false;
  }
  if (passed(1, kHttpComplete))
    tell(flow, packet, Contact::http_response, static_cast<std::uint64_t>(std::max(http.status, 0)));
  return told_head;
}

void ContactTap::dns(const Flow& flow, const Packet& packet, const Transaction& tx) {
  const auto& dns = static_cast<const DnsTransaction&>(tx);
  if (dns.queries.empty()) return;
  const std::string_view name = dns.queries.front().name;
  const std::size_t dot = name.find('.');
  const std::string_view parent = dot == std::string_view::npos ? name : name.substr(dot + 1);
  if (dns.is_response) return tell(flow, packet, Contact::dns_response, dns.rcode(), hash_.text(parent));
  tell(flow, packet, Contact::dns_query, hash_.text(name), hash_.text(parent));
}

}  // namespace gatehouse::ids::engine
