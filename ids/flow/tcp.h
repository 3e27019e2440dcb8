// TCP sessions: the state machine of both ends as seen from the wire, and the bytes of both
// directions in order.
#pragma once

#include <array>
#include <cstdint>
#include <memory>
#include <string_view>

#include "ids/flow/flow.h"
#include "ids/flow/stream_buffer.h"
#include "ids/flow/stream_events.h"
#include "ids/flow/tcp_options.h"

namespace gatehouse::ids {

// One end of the connection and what it has sent. Sequence numbers as on the wire.
struct TcpPeer {
  std::uint32_t isn = 0;
  std::uint32_t next_seq = 0;  // highest sequence number sent + 1
  std::uint32_t last_ack = 0;  // highest acknowledgement of these bytes by the other end
  std::uint32_t window = 0;    // last window this end announced, scaled
  std::uint32_t next_win = 0;  // right edge of what the other end lets this end send
  std::uint8_t wscale = 0;
  bool has_wscale = false;
  bool seen = false;  // a packet of this end was accepted
  bool timestamps = false;
  bool fin_sent = false;
  bool rst_received = false;
  bool offload_ack = false;
  std::uint32_t fin_seq = 0;
  std::uint32_t last_timestamp = 0;
  std::int64_t last_timestamp_us = 0;
  StreamBuffer buffer;  // what this end sent
};

class TcpSession {
 public:
  TcpState state() const { return state_; }
  bool midstream() const { return midstream_; }
  bool async() const { return async_; }
  // Bytes this direction has sent so far by its sequence numbers, SYN included: stream_size.
  std::uint32_t bytes_sent(Direction direction) const;
  const TcpPeer& peer(Direction direction) const { return peers_[index(direction)]; }

  // What `direction` sent, acknowledged, and not yet released by rule inspection; needs
  // TcpOptions::retain_for_inspection. The view lives until the next packet of the session.
  struct InspectWindow {
    ByteView data;
    std::uint64_t offset = 0;
    bool end = false;  // no more will come
  };
  InspectWindow inspectable(Direction direction) const;
  // Bytes before stream offset `upto` are done with.
  void release_inspected(Direction direction, std::uint64_t upto);

  // Nobody wants the rest of this direction: nothing more is kept or delivered.
  void stop(Direction direction);
  // Overrides TcpOptions::depth_bytes for this session; 0: no limit.
  void set_depth(std::uint64_t bytes) { depth_ = bytes; }

 private:
  friend class TcpTracker;
  friend class TcpMachine;

  TcpState state_ = TcpState::none;
  bool midstream_ = false;
  bool async_ = false;
  bool tfo_ = false;  // data in the SYN
  bool synack_midstream_ = false;
  std::array<bool, 2> ended_{};  // end was delivered
  std::array<bool, 2> stopped_{};
  std::array<bool, 2> retain_{};
  std::uint64_t depth_ = 0;
  std::array<TcpPeer, 2> peers_;  // by the direction they send in
};

// Runs the sessions of one worker.
class TcpTracker {
 public:
  explicit TcpTracker(TcpOptions options);
  ~TcpTracker();

  // One TCP packet of `flow` (FlowTable::handle found it). Advances the session, stores the
  // payload, and delivers to `sink` what the packet acknowledges: bytes of the opposite direction.
  // Sets flow.state, flow.tcp_flags and the flow-layer members of the packet; FlowTable::update
  // must follow.
  void handle(Flow& flow, Packet& packet, StreamSink& sink);
  // The flow ends: delivers what is left of both directions, each with end = true.
  void finish(Flow& flow, StreamSink& sink);
  // Takes the session's memory back; to be called after finish(), before the flow is destroyed.
  void release(Flow& flow);

  const TcpCounters& counters() const { return counters_; }
  const TcpOptions& options() const { return options_; }

 private:
  friend class TcpMachine;

  TcpOptions options_;
  TcpCounters counters_;
  StreamPool pool_;
};

// "syn_sent", "established", ...: EVE tcp.state.
std::string_view to_string(TcpState state);
// True when `packet` is a SYN that opens a new connection on the tuple of an ended session.
bool reuses_session(const Flow& flow, const Packet& packet);

}  // namespace gatehouse::ids
