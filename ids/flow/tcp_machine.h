// One packet meets one session. Lives for the time of TcpTracker::handle(). Private to the folder.
#pragma once

#include "ids/flow/tcp.h"

namespace gatehouse::ids {

// Sequence numbers are compared modulo 2^32 (RFC 9293 3.4).
inline bool seq_lt(std::uint32_t a, std::uint32_t b) {
  return static_cast<std::int32_t>(a - b) < 0;
}
inline bool seq_le(std::uint32_t a, std::uint32_t b) {
  return static_cast<std::int32_t>(a - b) <= 0;
}
inline bool seq_gt(std::uint32_t a, std::uint32_t b) {
  return seq_lt(b, a);
}
inline bool seq_ge(std::uint32_t a, std::uint32_t b) {
  return seq_le(b, a);
}
inline std::uint32_t seq_max(std::uint32_t a, std::uint32_t b) {
  return seq_lt(a, b) ? b : a;
}

// Hands stream bytes to the sink.
class TcpDelivery {
 public:
  TcpDelivery(TcpTracker& tracker, Flow& flow, StreamSink& sink)
      : tracker_(tracker), flow_(flow), session_(*flow.tcp), sink_(sink) {}

  // Bytes of `direction` that its receiver has acknowledged. True: some were lost.
  bool deliver_acknowledged(Direction direction);
  // All that is held, then the end.
  void deliver_rest(Direction direction);

 private:
  bool deliver(Direction direction, std::uint64_t upto);
  void send_end(Direction direction, bool depth_reached);

  TcpTracker& tracker_;
  Flow& flow_;
  TcpSession& session_;
  StreamSink& sink_;
};

class TcpMachine {
 public:
  TcpMachine(TcpTracker& tracker, Flow& flow, Packet& packet, StreamSink& sink);
  void run();

 private:
  // What a state complains about; one row per state.
  struct Complaints {
    std::uint16_t invalid_ack, out_of_window, fin_out_of_window, before_last_ack;
  };

  void note_oddities();
  // False: the packet does not fit the session and changes nothing.
  bool dispatch();

  // tcp_handshake.cc
  bool in_none();
  bool in_syn_sent();
  bool in_syn_recv();
  bool pick_up();
  bool synack_of_syn();
  bool synack_of_simultaneous_open();
  bool synack_again();
  bool syn_again();
  bool syn_in_syn_sent();
  bool one_sided_ack();
  bool final_ack();
  bool final_ack_of_client();
  bool data_before_final_ack();
  void start_from(TcpPeer& peer);
  void read_synack(const TcpSynAck& synack);
  bool adopt_other_synack();
  TcpSynAck synack() const;
  bool establish();

  // tcp_data.cc
  bool in_established();
  bool accept_data();
  bool fits_window() const;
  void take_acknowledgment();
  void take_window();
  void store_payload();
  void store_range(std::int64_t raw, ByteView data);
  void note_urgent(std::int64_t raw);
  const Complaints& complaints() const;

  // tcp_closing.cc
  bool in_closing();
  bool in_closed();
  bool take_fin();
  bool take_rst();
  void advance_closing();

  // tcp_checks.cc
  bool acknowledgment_ok();
  bool timestamp_ok();
  void note_timestamp();
  bool rst_ok();
  bool bad_window_update() const;
  bool is_keep_alive() const;

  void event(std::uint16_t id);
  bool refuse(std::uint16_t id) {
    event(id);
    return false;
  }
  bool has(std::uint8_t flags) const { return (tcp_.flags & flags) == flags; }
  bool any(std::uint8_t flags) const { return (tcp_.flags & flags) != 0; }
  bool from_client() const { return packet_.direction == Direction::to_server; }
  std::uint32_t payload_size() const { return static_cast<std::uint32_t>(packet_.payload.size()); }
  // After the payload.
  std::uint32_t end_seq() const { return tcp_.sequence + payload_size(); }
  std::uint32_t scaled_window() const;
  void set_state(TcpState state) { session_.state_ = state; }
  TcpState state() const { return session_.state_; }

  TcpTracker& tracker_;
  Flow& flow_;
  Packet& packet_;
  StreamSink& sink_;
  const TcpHeader& tcp_;
  TcpSession& session_;
  TcpPeer& sender_;
  TcpPeer& receiver_;
};

// Where sequence number `sequence` stands: counted with urgent bytes, and without them, as the
// stream is delivered. May be before what was delivered, even before the start (negative).
std::int64_t raw_offset(const TcpPeer& peer, std::uint32_t sequence);
std::int64_t without_urgent(const TcpPeer& peer, std::int64_t raw);
inline std::int64_t stream_offset(const TcpPeer& peer, std::uint32_t sequence) {
  return without_urgent(peer, raw_offset(peer, sequence));
}

}  // namespace gatehouse::ids
