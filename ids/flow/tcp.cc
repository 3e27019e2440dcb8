#include "ids/flow/tcp.h"

#include <utility>

#include "ids/flow/tcp_machine.h"

namespace gatehouse::ids {

namespace {
constexpr std::uint64_t kSessionCost = sizeof(TcpSession);
constexpr std::uint64_t kBytesCost = sizeof(TcpBytes);
constexpr std::size_t kMostSpare = 1024;
}  // namespace

const TcpBytes& TcpPeer::sent() const {
  static const TcpBytes kNothing;
  return bytes == nullptr ? kNothing : *bytes;
}

TcpSession::InspectWindow TcpSession::inspectable(Direction direction, std::uint64_t from) const {
  const std::size_t at = index(direction);
  const StreamBuffer::Window kept = peers_[at].held().kept(from);
  return {kept.data, kept.offset, kept.gap_follows, ended_[at] && !kept.gap_follows};
}

void TcpSession::release_inspected(Direction direction, std::uint64_t upto) {
  TcpPeer& peer = peers_[index(direction)];
  if (peer.bytes != nullptr) peer.bytes->buffer.release(*pool_, upto);
}

void TcpSession::stop(Direction direction) {
  stopped_[index(direction)] = true;
}

void TcpSession::swap_direction() {
  std::swap(peers_[0], peers_[1]);
  std::swap(ended_[0], ended_[1]);
  std::swap(stopped_[0], stopped_[1]);
  std::swap(depth_reported_[0], depth_reported_[1]);
}

TcpTracker::TcpTracker(TcpOptions options) : options_(std::move(options)), pool_(options_.memcap_bytes) {}

const TcpCounters& TcpTracker::counters() const {
  counters_.reassembly_memuse = pool_.in_use();
  return counters_;
}

bool TcpTracker::has_room() const {
  return counters_.memuse + kSessionCost <= options_.session_memcap_bytes;
}

bool TcpTracker::lacks_room(const Flow& flow, const Packet& packet) const {
  const std::uint8_t flags = packet.tcp.flags;
  const bool opens =
      (flags & kTcpSyn) != 0 ? (flags & kTcpAck) == 0 || options_.async_oneside : options_.midstream;
  return flow.tcp == nullptr && opens && !has_room();
}

TcpSession* TcpTracker::make_session(Flow& flow) {
  if (!has_room()) {
    ++counters_.ssn_memcap_drop;
    return nullptr;
  }
  counters_.memuse += kSessionCost;
  ++counters_.sessions;
  ++counters_.active_sessions;
  flow.tcp = std::make_unique<TcpSession>();
  flow.tcp->pool_ = &pool_;
  flow.tcp->depth_ = options_.depth_bytes;
  // Bytes are put together as their receiver does it.
  flow.tcp->peers_[index(Direction::to_server)].policy = options_.policies.of(flow.key.server);
  flow.tcp->peers_[index(Direction::to_client)].policy = options_.policies.of(flow.key.client);
  return flow.tcp.get();
}

// Counted, but never refused: a session that was let in may also hold its bytes.
TcpBytes& TcpTracker::bytes_of(TcpPeer& peer) {
  if (peer.bytes != nullptr) return *peer.bytes;
  counters_.memuse += kBytesCost;
  if (spare_.empty()) {
    peer.bytes = std::make_unique<TcpBytes>();
  } else {
    peer.bytes = std::move(spare_.back());
    spare_.pop_back();
  }
  return *peer.bytes;
}

void TcpTracker::release(Flow& flow) {
  if (flow.tcp == nullptr) return;
  for (TcpPeer& peer : flow.tcp->peers_) {
    if (peer.bytes == nullptr) continue;
    counters_.memuse -= kBytesCost;
    peer.bytes->buffer.reset(pool_);
    peer.bytes->urgent.clear();
    peer.bytes->urgent_passed = 0;
    if (spare_.size() < kMostSpare) spare_.push_back(std::move(peer.bytes));
  }
  flow.tcp.reset();
  counters_.memuse -= kSessionCost;
  --counters_.active_sessions;
}

void TcpTracker::handle(Flow& flow, Packet& packet, StreamSink& sink) {
  if (packet.bad_checksum) {
    ++counters_.invalid_checksum;
    return;
  }
  const std::uint8_t flags = packet.tcp.flags;
  flow.tcp_flags[index(packet.direction)] |= flags;
  if ((flags & (kTcpSyn | kTcpAck)) == kTcpSyn) ++counters_.syn;
  if ((flags & (kTcpSyn | kTcpAck)) == (kTcpSyn | kTcpAck)) ++counters_.synack;
  if ((flags & kTcpRst) != 0) ++counters_.rst;
  if (flow.tcp == nullptr && !start(flow, packet, sink)) return;
  TcpMachine(*this, flow, packet, sink).run();
  set_flow_state(flow);
}

namespace {

void report(Flow& flow, Packet& packet, StreamSink& sink, std::uint16_t event) {
  packet.add_stream_event(event);
  sink.on_stream_event(flow, packet, event);
}

}  // namespace

// A packet without a session: does it begin one?
bool TcpTracker::start(Flow& flow, Packet& packet, StreamSink& sink) {
  const std::uint8_t flags = packet.tcp.flags;
  if ((flags & (kTcpSyn | kTcpFin)) == (kTcpSyn | kTcpFin))
    report(flow, packet, sink, stream_event::k_fin_syn);
  if ((flags & kTcpRst) != 0) {
    report(flow, packet, sink, stream_event::k_rst_but_no_session);
    return false;
  }
  if ((flags & kTcpFin) != 0) {
    report(flow, packet, sink, stream_event::k_fin_but_no_session);
    return false;
  }
  const bool syn = (flags & kTcpSyn) != 0, ack = (flags & kTcpAck) != 0;
  if (syn && !ack) return make_session(flow) != nullptr;
  const bool allowed = options_.midstream || (syn && options_.async_oneside);
  if (!allowed || !ack) return false;
  if (syn) {
    // The answer came first: who sent it is the server.
    swap_direction(flow);
    packet.direction = opposite(packet.direction);
  }
  if (make_session(flow) == nullptr) return false;
  ++counters_.midstream_pickups;
  flow.tcp->midstream_ = true;
  return true;
}

void TcpTracker::set_flow_state(Flow& flow) {
  switch (flow.tcp->state_) {
    case TcpState::none:
    case TcpState::syn_sent:
    case TcpState::syn_recv:
      break;
    case TcpState::established:
    case TcpState::fin_wait1:
    case TcpState::fin_wait2:
    case TcpState::close_wait:
    case TcpState::closing:
      flow.state = FlowState::established;
      break;
    case TcpState::time_wait:
    case TcpState::last_ack:
    case TcpState::closed:
      flow.state = FlowState::closed;
      break;
  }
}

void TcpTracker::finish(Flow& flow, Direction direction, StreamSink& sink) {
  if (flow.tcp != nullptr) TcpDelivery(*this, flow, sink).deliver_rest(direction);
}

void TcpTracker::finish(Flow& flow, StreamSink& sink) {
  finish(flow, Direction::to_server, sink);
  finish(flow, Direction::to_client, sink);
}

std::string_view to_string(TcpState state) {
  static constexpr std::string_view kNames[] = {"none",       "syn_sent",  "syn_recv",  "established",
                                                "fin_wait1",  "fin_wait2", "time_wait", "last_ack",
                                                "close_wait", "closing",   "closed"};
  return kNames[static_cast<std::size_t>(state)];
}

bool reuses_session(const Flow& flow, const Packet& packet) {
  if (flow.tcp == nullptr || !packet.is_tcp() || packet.bad_checksum) return false;
  if ((packet.tcp.flags & (kTcpSyn | kTcpAck | kTcpRst | kTcpFin)) != kTcpSyn) return false;
  const TcpState state = flow.tcp->state();
  // After its data was ignored a client may begin again, with the same number (RFC 7413 4.2.1).
  if (state == TcpState::syn_recv && flow.tcp->syn_data_ignored() && packet.payload.empty()) return true;
  const bool over = state == TcpState::closed || state == TcpState::time_wait || state == TcpState::last_ack;
  if (!over) return false;
  // The same number again is a late copy of the old SYN.
  const Direction direction = flow.direction_of(packet);
  return direction == Direction::to_client || packet.tcp.sequence != flow.tcp->peer(direction).isn;
}

}  // namespace gatehouse::ids
