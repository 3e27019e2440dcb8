// TCP sessions: the state machine of both ends as seen from the wire, and the bytes of both
// directions in order.
#pragma once

#include <array>
#include <cstdint>
#include <memory>
#include <string_view>
#include <vector>

#include "core/recycled.h"
#include "ids/flow/flow.h"
#include "ids/flow/stream_buffer.h"
#include "ids/flow/stream_events.h"
#include "ids/flow/tcp_options.h"

namespace gatehouse::ids {

// What one end has sent.
struct TcpBytes {
  StreamBuffer buffer;
  // Bytes sent as urgent do not belong to the stream: their positions, counted with them. Those
  // far behind are only counted.
  std::vector<std::uint64_t> urgent;
  std::uint64_t urgent_passed = 0;
};

// One end of the connection. Sequence numbers as on the wire.
struct TcpPeer {
  std::uint32_t isn = 0;
  std::uint32_t next_seq = 0;  // highest sequence number seen + 1
  std::uint32_t last_ack = 0;  // highest acknowledgement of these bytes by the other end
  std::uint32_t window = 0;    // last window this end announced, scaled
  std::uint32_t next_win = 0;  // right edge of what the other end lets this end send
  std::uint32_t fin_seq = 0;   // sequence number of its FIN
  std::uint32_t last_timestamp = 0;
  std::uint32_t first_timestamp = 0;  // of the SYN
  std::int64_t last_timestamp_us = 0;
  std::uint8_t wscale = 0;
  bool has_wscale = false;
  bool seen = false;   // isn and next_seq are known
  bool spoke = false;  // a packet of this end was seen, fitting or not
  bool timestamps = false;
  bool fin_sent = false;
  bool fin_first = false;  // its FIN came before the other end's
  bool rst_sent = false;
  bool syn_data = false;            // data in the SYN (RFC 7413)
  OsPolicy policy = OsPolicy::bsd;  // of the end that receives these bytes
  std::unique_ptr<TcpBytes> bytes;  // made with the first one: most sessions of a flood never have any

  // Behind all that is known to have been sent: some of it may be acknowledged and not seen.
  std::uint32_t furthest() const {
    return static_cast<std::int32_t>(last_ack - next_seq) > 0 ? last_ack : next_seq;
  }
  const TcpBytes& sent() const;
  const StreamBuffer& held() const { return sent().buffer; }
};

// What a SYN/ACK said; several may come before the client picks one by its ACK.
struct TcpSynAck {
  std::uint32_t sequence = 0, window = 0, timestamp = 0;
  std::uint8_t wscale = 0;
  bool has_wscale = false, has_timestamp = false;
};

class TcpSession : public core::Recycled<TcpSession> {
 public:
  TcpState state() const { return state_; }
  bool midstream() const { return midstream_; }
  bool async() const { return async_; }
  bool syn_data_ignored() const { return syn_data_ignored_; }
  // Bytes this direction has sent so far by its sequence numbers, SYN included: stream_size.
  std::uint32_t bytes_sent(Direction direction) const {
    const TcpPeer& peer = peers_[index(direction)];
    return peer.seen ? peer.next_seq - peer.isn : 0;
  }
  const TcpPeer& peer(Direction direction) const { return peers_[index(direction)]; }

  // What `direction` sent, acknowledged, and not yet released by rule inspection; needs
  // TcpOptions::retain_for_inspection. Gaps divide it into windows: the first that ends behind
  // stream offset `from`, else the last. The view lives until the next packet of the session.
  struct InspectWindow {
    ByteView data;
    std::uint64_t offset = 0;
    bool gap_follows = false;  // bytes were lost here; another window comes behind them
    bool end = false;          // no more will come
  };
  InspectWindow inspectable(Direction direction, std::uint64_t from = 0) const;
  // Bytes before stream offset `upto` are done with.
  void release_inspected(Direction direction, std::uint64_t upto);

  // Nobody wants the rest of this direction: nothing more is kept or delivered.
  void stop(Direction direction);
  bool stopped(Direction direction) const { return stopped_[index(direction)]; }
  // No more bytes will be delivered in this direction.
  bool ended(Direction direction) const { return ended_[index(direction)]; }
  // It has sent more than depth_bytes.
  bool too_deep(Direction direction) const { return depth_reported_[index(direction)]; }
  // Overrides TcpOptions::depth_bytes for this session; 0: no limit.
  void set_depth(std::uint64_t bytes) { depth_ = bytes; }
  void swap_direction();

 private:
  friend class TcpTracker;
  friend class TcpMachine;
  friend class TcpDelivery;

  TcpState state_ = TcpState::none;
  TcpState before_reset_ = TcpState::none;
  bool midstream_ = false;
  bool async_ = false;
  bool simultaneous_ = false;      // both ends sent a SYN first
  bool syn_data_ignored_ = false;  // the server acknowledged the SYN without its data
  bool confirmed_ = false;         // the handshake's last ACK, or data after it, was seen
  std::array<bool, 2> ended_{};    // end was delivered
  std::array<bool, 2> stopped_{};
  std::array<bool, 2> depth_reported_{};
  std::uint64_t depth_ = 0;
  StreamPool* pool_ = nullptr;
  std::array<TcpPeer, 2> peers_;  // by the direction they send in
  // Openings that compete; rare.
  struct Rivals {
    std::vector<TcpSynAck> synacks;   // of the server, in syn_recv
    std::vector<std::uint32_t> isns;  // of the client, in syn_sent
  };
  std::unique_ptr<Rivals> rivals_;
  Rivals& rivals() {
    if (rivals_ == nullptr) rivals_ = std::make_unique<Rivals>();
    return *rivals_;
  }
};

// Runs the sessions of one worker. Must outlive them: their bytes are in its pool.
class TcpTracker {
 public:
  explicit TcpTracker(TcpOptions options);

  // One TCP packet of `flow` (FlowTable::handle found it). Advances the session, stores the
  // payload, and delivers to `sink` what the packet acknowledges: bytes of the opposite direction.
  // Sets flow.state, flow.tcp_flags and the flow-layer members of the packet; FlowTable::update
  // must follow.
  void handle(Flow& flow, Packet& packet, StreamSink& sink);
  // The flow ends: delivers what is left of both directions, each with end = true. Does nothing
  // without a session; safe to call twice.
  void finish(Flow& flow, StreamSink& sink);
  void finish(Flow& flow, Direction direction, StreamSink& sink);  // of one direction
  // Takes the session's memory back; to be called when all is inspected, before the flow goes.
  void release(Flow& flow);

  // Whether this packet opens a session for which there is no room. The caller then ends half-open
  // flows first (FlowTable::end_oldest_half_open): else a scan of every port would leave the real
  // connections after it without a session, and so unseen, until its flows time out.
  bool lacks_room(const Flow& flow, const Packet& packet) const;

  const TcpCounters& counters() const;
  const TcpOptions& options() const { return options_; }

 private:
  friend class TcpMachine;
  friend class TcpDelivery;

  bool start(Flow& flow, Packet& packet, StreamSink& sink);
  bool has_room() const;
  TcpSession* make_session(Flow& flow);
  TcpBytes& bytes_of(TcpPeer& peer);
  static void set_flow_state(Flow& flow);

  TcpOptions options_;
  mutable TcpCounters counters_;
  StreamPool pool_;
  std::vector<std::unique_ptr<TcpBytes>> spare_;  // of sessions that are over, for the next ones
};

// "syn_sent", "established", ...: EVE tcp.state.
std::string_view to_string(TcpState state);
// True when `packet` is a SYN that opens a new connection on the tuple of an ended session.
bool reuses_session(const Flow& flow, const Packet& packet);

}  // namespace gatehouse::ids
