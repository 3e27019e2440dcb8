// Of TCP: the handshake, the first words, the end.
#include <algorithm>

#include "ids/engine/contacts.h"
#include "ids/parsers/http_transaction.h"

namespace gatehouse::ids::engine {
namespace {

using anomaly::Contact;
using anomaly::FirstWords;
using anomaly::Known;
using anomaly::Observation;
using anomaly::Service;

constexpr std::uint16_t kNowhere = UINT16_MAX;

FirstWords first_words(ByteView said, bool after_banner) {
  if (after_banner) return FirstWords::after_banner;
  if (said.size() >= 2 && said[0] == 0x16 && said[1] == 3) return FirstWords::tls;
  if (said[0] == '\r' || said[0] == '\n') return FirstWords::blank;
  const ByteView head = said.first(std::min<std::size_t>(said.size(), 4));
  unsigned zeros = 0;
  bool printable = true;
  for (std::size_t i = 0; i < head.size(); ++i) {
    if (head[i] == 0) zeros |= 1U << i;
    printable = printable && head[i] >= ' ' && head[i] < 0x7f;
  }
  if (zeros != 0) return static_cast<FirstWords>(static_cast<unsigned>(FirstWords::zeros) + zeros - 1);
  if (!printable) return FirstWords::opaque;
  const std::string_view line(reinterpret_cast<const char*>(said.data()),
                              std::min<std::size_t>(said.size(), 64));
  for (const std::string_view method :
       {"GET ", "POST ", "HEAD ", "PUT ", "DELETE ", "OPTIONS /", "PATCH ", "CONNECT ", "PRI * "}) {
    if (line[0] == method[0] && line.starts_with(method)) return FirstWords::http;
  }
  return (head[0] & 1U) != 0 ? FirstWords::word : FirstWords::other_word;
}

}  // namespace

bool ContactTap::is_answer_due(const AppFlow& app) {
  if (app.session == nullptr) return false;
  const auto& all = app.session->transactions();
  return std::any_of(all.begin(), all.end(), [](const auto& tx) {
    return tx->progress[0] >= kHttpComplete && tx->progress[1] < kHttpComplete;
  });
}

Observation* ContactTap::waiting(const Flow& flow, Contact contact) {
  Observation* const o = sink_->waiting(place(flow));
  const bool same = o != nullptr && o->contact == contact && o->client_port == flow.key.client_port &&
                    o->server_port == flow.key.server_port && o->client == flow.key.client &&
                    o->server == flow.key.server;
  return same ? o : nullptr;
}

void ContactTap::tell_first(const Flow& flow, const Packet& packet, Contact contact) {
  place(flow) = static_cast<std::uint16_t>(sink_->count());
  tell(flow, packet, contact);
}

void ContactTap::tell_success(const Flow& flow, const Packet& packet, Contact contact, Observation* attempt) {
  if (attempt == nullptr) return tell(flow, packet, contact);
  attempt->known = Known::settled;
  place(flow) = static_cast<std::uint16_t>(sink_->count());
  Observation& o = open(flow, packet, contact);
  o.known = Known::whole;
  o.count = 1;
  sink_->keep();
}

void ContactTap::tell_closed(const Flow& flow, const Packet& packet) {
  const std::uint64_t sent = flow.tcp->bytes_sent(Direction::to_server);
  Observation* const begin = waiting(flow, Contact::tcp_completed);
  const bool brief =
      begin != nullptr && begin->known == Known::whole && packet.time_us - begin->time_us < anomaly::kBriefUs;
  if (brief) {
    begin->known = Known::brief;
    if (!anomaly::says_more(service(flow), sent)) return;
  }
  Observation& o = open(flow, packet, Contact::tcp_closed);
  o.value = flow.tcp->bytes_sent(Direction::to_client);
  o.detail = sent;
  o.count = 1;
  if (brief) o.known = Known::brief;
  sink_->keep();
}

void ContactTap::handshake(const Flow& flow, const Packet& packet, TcpState before) {
  const std::uint8_t flags = packet.tcp.flags;
  const bool from_client = packet.direction == Direction::to_server;
  const std::uint64_t packets = flow.counters[0].packets + flow.counters[1].packets;
  const TcpState after = flow.tcp == nullptr ? TcpState::none : flow.tcp->state();

  if (packets == 1) {
    if ((flags & (kTcpSyn | kTcpAck | kTcpRst | kTcpFin)) == kTcpSyn)
      return tell_first(flow, packet, Contact::tcp_attempt);
    // An unsolicited SYN/ACK or RST answers somebody who used this address: no contact of its sender's.
    const bool answer = (flags & kTcpRst) != 0 || (flags & (kTcpSyn | kTcpAck)) == (kTcpSyn | kTcpAck);
    return tell(flow, packet, answer ? Contact::tcp_backscatter : Contact::tcp_stray);
  }
  if (before == after && (flags & (kTcpSyn | kTcpRst)) == 0) {
    // A connection that was there before we looked: its first answer takes the suspicion away.
    if (after == TcpState::none && !from_client && flow.counters[1].packets == 1)
      return tell(flow, packet, Contact::tcp_answered);
    // We see one direction only: the client goes on, so it was answered.
    if (after == TcpState::syn_sent && from_client && (flags & kTcpAck) != 0 &&
        flow.counters[1].packets == 0 && flow.counters[0].packets <= 3)
      tell(flow, packet, Contact::tcp_completed);
    return;
  }
  if (before == TcpState::syn_sent || before == TcpState::none) {
    if ((flags & kTcpRst) != 0) {
      if (!from_client) tell(flow, packet, Contact::tcp_refused);
      return;
    }
    Observation* const attempt = waiting(flow, Contact::tcp_attempt);
    if (from_client && (flags & (kTcpSyn | kTcpAck)) == kTcpSyn) {
      if (attempt != nullptr) place(flow) = kNowhere;
      return tell(flow, packet, Contact::tcp_retry);
    }
    if (from_client || (flags & (kTcpSyn | kTcpAck)) != (kTcpSyn | kTcpAck)) return;
    if (attempt == nullptr || packet.time_us - attempt->time_us >= anomaly::kBriefUs)
      return tell(flow, packet, Contact::tcp_answered);
    attempt->known = Known::answered;
    return;
  }
  // The reset before it was forged, or the server changed its mind.
  if (before == TcpState::closed) {
    if (!from_client && flow.counters[1].packets == 2 && (flags & (kTcpSyn | kTcpAck)) == (kTcpSyn | kTcpAck))
      tell(flow, packet, Contact::tcp_answered);
    return;
  }
  if (before == TcpState::syn_recv) {
    if ((flags & kTcpRst) != 0 && from_client) return tell(flow, packet, Contact::tcp_abandoned);
    if (after != TcpState::established) return;
    Observation* const attempt = waiting(flow, Contact::tcp_attempt);
    const bool answered = attempt != nullptr && attempt->known == Known::answered;
    tell_success(flow, packet, Contact::tcp_completed, answered ? attempt : nullptr);
  }
}

void ContactTap::connection(const Flow& flow, const Packet& packet, TcpState before, bool told_head) {
  if (before == TcpState::established && (packet.tcp.flags & (kTcpFin | kTcpRst)) != 0)
    return tell_closed(flow, packet);
  // By now it is known what is spoken; of other protocols nobody asks.
  const AppFlow* const app = fed_ && proto_ == kAppUnknown ? app_flow(flow) : nullptr;
  if (app != nullptr && app->proto == http_ && !told_head) tell(flow, packet, Contact::tcp_data);
  if (packet.direction != Direction::to_server) return;
  if (!told_head && is_first_data(flow, packet))
    tell(flow, packet, Contact::tcp_data,
         static_cast<std::uint64_t>(
             first_words(packet.payload, flow.tcp->bytes_sent(Direction::to_client) > 1)));
  if (flow.counters[0].packets == kBusyPackets &&
      flow.tcp->bytes_sent(Direction::to_server) >= anomaly::kBusyBytes)
    tell(flow, packet, Contact::tcp_busy);
  // Of other protocols nobody knows what they wait for.
  if (is_starved(flow, packet) && speaks_http(flow) && !flow.tcp->midstream()) {
    place(flow) = kNowhere;  // somebody looks at once
    tell(flow, packet, Contact::tcp_starved, static_cast<std::uint64_t>(is_answer_due(*app_flow(flow))));
  }
}

}  // namespace gatehouse::ids::engine
