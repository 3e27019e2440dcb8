// Does a packet belong to the connection it claims?
#include "ids/flow/tcp_machine.h"

namespace gatehouse::ids {

using namespace stream_event;

namespace {

// RFC 7323 5.5: a timestamp older than this may have wrapped.
constexpr std::int64_t kTimestampLife_us = 24LL * 86'400 * 1'000'000;

}  // namespace

// RFC 9293 3.10.7.4, fifth: an acknowledgement of what was never allowed to be sent is not from the
// other end. RFC 5961 5.2: nor is one far behind.
bool TcpMachine::acknowledgment_ok() {
  if (!any(kTcpAck) || !receiver_.seen || session_.async_) return true;
  const std::uint32_t ack = tcp_.acknowledgment;
  if (seq_gt(ack, receiver_.last_ack)) {
    if (session_.midstream_ || seq_le(ack, seq_max(receiver_.next_win, receiver_.furthest()))) return true;
  } else {
    const std::uint32_t behind = receiver_.last_ack - ack;
    if (session_.midstream_ || behind <= (sender_.window > 65'535 ? sender_.window : 65'535)) return true;
  }
  event(k_pkt_invalid_ack);
  return false;
}

// RFC 7323 5.3 (PAWS), with the tolerance of the receiving system.
bool TcpMachine::timestamp_ok() {
  if (!tcp_.has_timestamp || !sender_.timestamps || sender_.last_timestamp == 0) return true;
  const OsPolicy policy = sender_.policy;
  const bool zero_passes =
      policy == OsPolicy::old_linux || policy == OsPolicy::windows || policy == OsPolicy::vista;
  if (tcp_.timestamp == 0 && zero_passes) return true;
  const bool one_back_passes = policy == OsPolicy::linux_;
  const auto ahead =
      static_cast<std::int32_t>(tcp_.timestamp - sender_.last_timestamp) + (one_back_passes ? 1 : 0);
  if (ahead >= 0 || packet_.time_us - sender_.last_timestamp_us > kTimestampLife_us) return true;
  return refuse(k_pkt_invalid_timestamp);
}

// RFC 7323 4.3: only a segment without a hole before it updates the timestamp.
void TcpMachine::note_timestamp() {
  if (!tcp_.has_timestamp || !sender_.timestamps || seq_gt(tcp_.sequence, sender_.furthest())) return;
  if (static_cast<std::int32_t>(tcp_.timestamp - sender_.last_timestamp) < 0) return;
  sender_.last_timestamp = tcp_.timestamp;
  sender_.last_timestamp_us = packet_.time_us;
}

// A keep-alive repeats the last byte that was acknowledged, or none (RFC 9293 3.8.4).
bool TcpMachine::is_keep_alive() const {
  return payload_size() <= 1 && !any(kTcpSyn | kTcpFin | kTcpRst) && tcp_.sequence + 1 == sender_.next_seq &&
         sender_.last_ack == sender_.next_seq;
}

// RFC 9293 3.10.7.3 and RFC 5961 3.2: a RST must answer the SYN, or lie in the window.
bool TcpMachine::rst_ok() {
  if (state() == TcpState::syn_sent) {
    // A client that gives up costs us nothing; one that was made to answer a forged packet goes on.
    if (from_client()) return false;
    if (!any(kTcpAck)) return false;
    if (tcp_.acknowledgment == receiver_.isn + 1 || tcp_.acknowledgment == receiver_.furthest()) return true;
    return refuse(k_rst_invalid_ack);
  }
  if (session_.async_ || session_.midstream_) return true;
  if (any(kTcpAck) && !acknowledgment_ok()) return refuse(k_rst_invalid_ack);
  // The receiver has acknowledged up to last_ack; it takes a RST from there to its right edge.
  const std::uint32_t right = seq_max(sender_.next_win, sender_.furthest());
  return seq_ge(tcp_.sequence, sender_.last_ack) && seq_le(tcp_.sequence, right);
}

// An ACK that pretends to come after data we have not seen and closes the window below what is in
// flight: sent to make us refuse the data that follows.
bool TcpMachine::bad_window_update() const {
  if (session_.midstream_ || session_.async_ || payload_size() != 0) return false;
  if (any(kTcpSyn | kTcpFin | kTcpRst) || !any(kTcpAck)) return false;
  const std::uint32_t window = scaled_window();
  const bool beyond = seq_gt(tcp_.sequence, sender_.furthest());
  return beyond && window < sender_.window && seq_gt(receiver_.furthest(), tcp_.acknowledgment + window);
}

}  // namespace gatehouse::ids
