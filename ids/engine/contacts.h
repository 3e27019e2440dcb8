// Tells from a packet and its flow which contacts the anomaly detectors should hear of. Looks only at what is
// at hand: a packet in the middle of a connection costs a few comparisons.
#pragma once

#include <algorithm>
#include <array>
#include <bit>
#include <optional>

#include "ids/anomaly/keyed_hash.h"
#include "ids/anomaly/observation.h"
#include "ids/engine/cut_packets.h"
#include "ids/flow/flow.h"
#include "ids/flow/tcp.h"
#include "ids/parsers/app_flow.h"

namespace gatehouse::ids::engine {

class ContactTap {
 public:
  ContactTap(const ContactTap&) = delete;
  ContactTap& operator=(const ContactTap&) = delete;
  // `sink` must outlive it; null: nobody listens. `seed`: of the hashes of names, the same for all workers.
  ContactTap(anomaly::ObservationSink* sink, std::uint64_t seed);

  // Before the packet is handed to the session.
  void before() { fed_ = false; }
  // Before the parser gets bytes of it, each time.
  void feeding(const Flow& flow) {
    if (fed_) return;
    fed_ = true;
    deeds_ = {};
    proto_ = kAppUnknown;
    const AppFlow* app = app_flow(flow);
    if (app == nullptr) return;
    proto_ = app->proto;
    if (spoken_[proto_].has_deeds && app->session != nullptr) deeds_ = app->session->deeds();
  }
  // What a TCP packet did to its flow, counted on it already. `state`: of the session before it.
  void tcp(const Flow& flow, const Packet& packet, TcpState state) {
    const bool middle = state == TcpState::established  ? is_middle(flow, packet)
                        : state > TcpState::established ? (packet.tcp.flags & kTcpSyn) == 0
                                                        : is_stuck(flow, packet, state);
    if (middle && (!fed_ || is_unchanged(flow))) return;
    news(flow, packet, state, middle);
  }
  // UDP and ICMP.
  void datagram(const Flow& flow, const Packet& packet) {
    if (!packet.is_udp() || !is_talk(flow, packet)) talk(flow, packet);
  }
  // A packet that has no flow: fragments, protocols without flows, errors about unknown flows.
  void alone(const Packet& packet);
  // A datagram was put together.
  void whole(const Packet& packet);
  bool on() const { return sink_ != nullptr; }

 private:
  static constexpr std::uint64_t kBusyPackets = 8;  // see Contact::tcp_busy
  static constexpr std::uint32_t kFullSegment = 1'460;
  // What is told of a protocol.
  struct Spoken {
    anomaly::Service service = anomaly::Service::other;
    bool has_news = false;   // requests and answers
    bool has_deeds = false;  // Session::deeds()
  };
  bool has_news(const Flow& flow) const {
    const AppFlow* app = app_flow(flow);
    return app != nullptr && spoken_[app->proto].has_news && app->session != nullptr;
  }
  // All but what it says and how often; keep() follows.
  anomaly::Observation& open(const Flow& flow, const Packet& packet, anomaly::Contact contact);
  // The one this flow told last of those that may be settled later, if it waits still and is a `contact`.
  anomaly::Observation* waiting(const Flow& flow, anomaly::Contact contact);
  // May be settled later.
  void tell_first(const Flow& flow, const Packet& packet, anomaly::Contact contact);
  // The attempt has succeeded: both are told together, if it waits still.
  void tell_success(const Flow& flow, const Packet& packet, anomaly::Contact contact,
                    anomaly::Observation* attempt);
  void tell_closed(const Flow& flow, const Packet& packet);
  std::uint16_t& place(const Flow& flow) { return places_[flow.id % places_.size()]; }
  void udp_answered(const Flow& flow, const Packet& packet);
  void amplified(const Flow& flow, const Packet& packet, std::uint16_t count);
  void tell(const Flow& flow, const Packet& packet, anomaly::Contact contact, std::uint64_t value = 0,
            std::uint64_t detail = 0, std::uint16_t count = 1);
  // Of an established connection: most packets tell nothing, unless the parser found something in them.
  // What they have, they have at random: all of it is looked at, and there is one branch to be foreseen.
  bool is_middle(const Flow& flow, const Packet& packet) const {
    const unsigned ends = static_cast<unsigned>(flow.tcp->state() != TcpState::established) |
                          static_cast<unsigned>((packet.tcp.flags & (kTcpSyn | kTcpFin | kTcpRst)) != 0);
    const unsigned of_client = static_cast<unsigned>(packet.direction == Direction::to_server) &
                               (static_cast<unsigned>(flow.counters[0].packets == kBusyPackets) |
                                static_cast<unsigned>(is_first_data(flow, packet)) |
                                static_cast<unsigned>(is_starved(flow, packet)));
    return (ends | of_client) == 0 || (ends == 0 && is_only_starved(flow, packet));
  }
  // The client's window is small, as it may be in any protocol but HTTP.
  bool is_only_starved(const Flow& flow, const Packet& packet) const {
    return flow.counters[0].packets != kBusyPackets && !is_first_data(flow, packet) && !speaks_http(flow);
  }
  // Of a connection that was not seen to begin, or does not get on: its first packets told all there is.
  static bool is_stuck(const Flow& flow, const Packet& packet, TcpState state) {
    const std::uint64_t from_client = flow.counters[0].packets, from_server = flow.counters[1].packets;
    const TcpState now = flow.tcp == nullptr ? TcpState::none : flow.tcp->state();
    if (state != now || from_client + from_server == 1 || (packet.tcp.flags & (kTcpSyn | kTcpRst)) != 0)
      return false;
    return packet.direction == Direction::to_server
               ? state != TcpState::syn_sent || from_server != 0 || from_client > 3
               : state != TcpState::none || from_server != 1;
  }
  bool speaks_http(const Flow& flow) const {
    const AppFlow* app = app_flow(flow);
    return app != nullptr && app->proto == http_;
  }
  // The client's first bytes; the SYN counts as one.
  static bool is_first_data(const Flow& flow, const Packet& packet) {
    const std::size_t size = packet.payload.size();
    return (static_cast<unsigned>(size != 0) &
            static_cast<unsigned>(flow.tcp->bytes_sent(Direction::to_server) == size + 1)) != 0;
  }
  // Both have spoken, nothing is due to be told, and no parser that is listened to is there.
  bool is_talk(const Flow& flow, const Packet& packet) const {
    const std::uint64_t packets = flow.counters[index(packet.direction)].packets;
    const bool goes_on = packet.direction == Direction::to_server
                             ? packets > 1 && (flow.counters[1].packets != 0 || speaks(packets) == 0)
                             : speaks(packets) == 0;
    return goes_on && !has_news(flow);
  }
  // The parser is where it was before the packet.
  bool is_unchanged(const Flow& flow) const {
    const AppFlow* const app = app_flow(flow);
    if (app == nullptr || app->session == nullptr) return true;
    if (app->proto != proto_) return false;
    const Spoken& spoken = spoken_[proto_];
    return spoken.has_news ? tells_nothing(*app) : !spoken.has_deeds || app->session->deeds() == deeds_;
  }
  static bool has_told(const Transaction& tx) {
    return std::bit_cast<std::uint16_t>(tx.told) == std::bit_cast<std::uint16_t>(tx.progress);
  }
  static bool tells_nothing(const AppFlow& app) {
    const auto& all = app.session->transactions();
    if (all.empty()) return true;
    // Nearly always there is one.
    if (&all.front() == &all.back()) return has_told(*all.front());
    return std::all_of(all.begin(), all.end(), [](const auto& tx) { return has_told(*tx); });
  }
  static bool is_starved(const Flow& flow, const Packet& packet) {
    return std::uint64_t{packet.tcp.window} << flow.tcp->peer(Direction::to_server).wscale < kFullSegment;
  }
  void talk(const Flow& flow, const Packet& packet);
  // `middle`: the parser alone may have news.
  void news(const Flow& flow, const Packet& packet, TcpState state, bool middle);
  void handshake(const Flow& flow, const Packet& packet, TcpState state);
  // `told_head`: of a request; it says that there is data as well.
  void connection(const Flow& flow, const Packet& packet, TcpState state, bool told_head);
  // Of HTTP: a request is complete, and its response is not.
  static bool is_answer_due(const AppFlow& app);
  void icmp_error(const Packet& packet);
  // True: a head was told.
  bool transactions(const Flow& flow, const Packet& packet);
  bool http(const Flow& flow, const Packet& packet, const Transaction& tx);
  void deeds(const Flow& flow, const Packet& packet, const AppFlow& app);
  void dns(const Flow& flow, const Packet& packet, const Transaction& tx);
  anomaly::Service service(const Flow& flow) const {
    const AppFlow* app = app_flow(flow);
    return spoken_[app == nullptr ? kAppUnknown : app->proto].service;
  }

  anomaly::ObservationSink* sink_;
  anomaly::KeyedHash hash_;
  AppProto http_, dns_;
  std::array<Spoken, 256> spoken_;  // by AppProto
  std::optional<CutPackets> cut_;
  AppProto proto_ = kAppUnknown;  // before the packet
  bool fed_ = false;              // the parser got something of it
  Session::Deeds deeds_;          // before the packet as well
  // Of flows, by their ids: where in the batch waiting() lies. Whoever looks compares.
  std::array<std::uint16_t, 4096> places_{};
  std::array<std::uint64_t, 64> known_alone_{};  // contacts of protocols without flows that were told
};

}  // namespace gatehouse::ids::engine
