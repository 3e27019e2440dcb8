// Packets of an open connection: acknowledgements, windows, payload.
#include <algorithm>

#include "ids/flow/tcp_machine.h"

namespace gatehouse::ids {

using namespace stream_event;

const TcpMachine::Complaints& TcpMachine::complaints() const {
  static constexpr Complaints kEstablished{k_est_invalid_ack, k_est_packet_out_of_window, k_fin_out_of_window,
                                           k_est_pkt_before_last_ack};
  static constexpr Complaints kFinWait1{k_fin1_invalid_ack, k_fin1_ack_wrong_seq, k_fin1_fin_wrong_seq,
                                        k_est_pkt_before_last_ack};
  static constexpr Complaints kFinWait2{k_fin2_invalid_ack, k_fin2_ack_wrong_seq, k_fin2_fin_wrong_seq,
                                        k_est_pkt_before_last_ack};
  static constexpr Complaints kClosing{k_closing_invalid_ack, k_closing_ack_wrong_seq,
                                       k_closing_ack_wrong_seq, k_est_pkt_before_last_ack};
  static constexpr Complaints kCloseWait{k_closewait_invalid_ack, k_closewait_ack_out_of_window,
                                         k_closewait_fin_out_of_window, k_closewait_pkt_before_last_ack};
  static constexpr Complaints kLastAck{k_lastack_invalid_ack, k_lastack_ack_wrong_seq,
                                       k_lastack_ack_wrong_seq, k_est_pkt_before_last_ack};
  static constexpr Complaints kTimeWait{k_timewait_invalid_ack, k_timewait_ack_wrong_seq,
                                        k_timewait_ack_wrong_seq, k_est_pkt_before_last_ack};
  switch (state()) {
    case TcpState::fin_wait1:
      return kFinWait1;
    case TcpState::fin_wait2:
      return kFinWait2;
    case TcpState::closing:
      return kClosing;
    case TcpState::close_wait:
      return kCloseWait;
    case TcpState::last_ack:
      return kLastAck;
    case TcpState::time_wait:
      return kTimeWait;
    default:
      return kEstablished;
  }
}

bool TcpMachine::in_established() {
  if (any(kTcpRst)) return take_rst();
  if (has(kTcpSyn | kTcpAck)) {
    if (from_client()) return refuse(k_est_synack_toserver);
    if (tcp_.acknowledgment != receiver_.isn + 1 && !receiver_.syn_data)
      return refuse(k_est_synack_resend_with_different_ack);
    if (tcp_.sequence != sender_.isn) return refuse(k_est_synack_resend_with_diff_seq);
    // Before the handshake is confirmed the server repeats it in good faith.
    return session_.confirmed_ ? refuse(k_est_synack_resend) : false;
  }
  if (any(kTcpSyn)) {
    if (!from_client()) return refuse(k_est_syn_toclient);
    return refuse(tcp_.sequence == sender_.isn ? k_est_syn_resend : k_est_syn_resend_diff_seq);
  }
  if (any(kTcpFin)) return take_fin();
  return any(kTcpAck) && accept_data();
}

bool TcpMachine::fits_window() const {
  if (session_.midstream_ || session_.async_) return true;
  if (seq_le(end_seq(), sender_.next_win)) return true;
  // RFC 9293 3.8.6.1: one byte probes a closed window.
  return receiver_.window == 0 && payload_size() == 1;
}

bool TcpMachine::accept_data() {
  if (!timestamp_ok()) return false;
  if (!acknowledgment_ok()) return refuse(complaints().invalid_ack);
  const bool has_payload = payload_size() != 0;
  const bool late = seq_gt(end_seq(), sender_.next_seq);  // acknowledged before it was seen
  if (has_payload && !late && !is_keep_alive() && seq_le(end_seq(), sender_.last_ack) && !session_.async_) {
    event(k_pkt_spurious_retransmission);
    return refuse(complaints().before_last_ack);
  }
  if (!fits_window()) return refuse(complaints().out_of_window);
  if (has_payload && !is_keep_alive() && seq_le(end_seq(), sender_.next_seq)) event(k_pkt_retransmission);
  if (bad_window_update()) return refuse(k_pkt_bad_window_update);
  note_timestamp();
  take_acknowledgment();
  take_window();
  if (!is_keep_alive()) store_payload();
  sender_.next_seq = seq_max(sender_.next_seq, end_seq());
  return true;
}

void TcpMachine::take_acknowledgment() {
  if (!any(kTcpAck)) return;
  if (from_client()) session_.confirmed_ = true;
  const std::uint32_t ack = tcp_.acknowledgment;
  if (!seq_gt(ack, receiver_.last_ack)) return;
  receiver_.last_ack = ack;
  // The other end has it, we do not: it was lost between the wire and us, or it is still to come, because
  // the two directions reach a capture in no fixed order.
  if (seq_gt(ack, receiver_.next_seq)) ++tracker_.counters_.ack_unseen_data;
}

void TcpMachine::take_window() {
  if (!any(kTcpAck)) return;
  sender_.window = scaled_window();
  receiver_.next_win = seq_max(receiver_.next_win, receiver_.last_ack + sender_.window);
}

void TcpMachine::store_payload() {
  const ByteView data = packet_.payload;
  if (data.empty()) return;
  packet_.payload_in_stream = true;
  if (session_.stopped_[index(packet_.direction)]) return;
  const std::int64_t raw = raw_offset(sender_, tcp_.sequence + (any(kTcpSyn) ? 1 : 0));
  if (any(kTcpUrg) && tcp_.urgent != 0 && tcp_.urgent <= data.size()) note_urgent(raw + tcp_.urgent - 1);
  // Pieces between the urgent bytes, if there are any.
  const TcpBytes& bytes = tracker_.bytes_of(sender_);
  std::int64_t from = raw;
  const std::int64_t end = raw + static_cast<std::int64_t>(data.size());
  for (const std::uint64_t byte : bytes.urgent) {
    const auto urgent = static_cast<std::int64_t>(byte);
    if (urgent < from) continue;
    if (urgent >= end) break;
    store_range(from,
                data.subspan(static_cast<std::size_t>(from - raw), static_cast<std::size_t>(urgent - from)));
    from = urgent + 1;
  }
  store_range(from, data.subspan(static_cast<std::size_t>(from - raw)));
}

// RFC 6093 3.1: the byte before the pointer is the urgent one. It can only be left out while nothing
// after it is held, because offsets of held bytes do not move.
void TcpMachine::note_urgent(std::int64_t raw) {
  constexpr std::size_t kMostUrgent = 64;
  if (tracker_.options_.urgent == UrgentPolicy::in_line) return;
  TcpBytes& bytes = tracker_.bytes_of(sender_);
  auto& urgent = bytes.urgent;
  const auto known = std::find(urgent.begin(), urgent.end(), static_cast<std::uint64_t>(raw));
  if (known != urgent.end()) return;
  const std::int64_t offset = without_urgent(sender_, raw);
  if (offset < static_cast<std::int64_t>(bytes.buffer.last_held())) return;
  while (!urgent.empty() && without_urgent(sender_, static_cast<std::int64_t>(urgent.front())) <
                                static_cast<std::int64_t>(bytes.buffer.delivered())) {
    urgent.erase(urgent.begin());
    ++bytes.urgent_passed;
  }
  if (urgent.size() >= kMostUrgent) return event(k_reassembly_urgent_oob_limit_reached);
  urgent.push_back(static_cast<std::uint64_t>(raw));
}

// Payload without urgent bytes, the first at `raw`.
void TcpMachine::store_range(std::int64_t raw, ByteView data) {
  if (data.empty()) return;
  const std::size_t at = index(packet_.direction);
  StreamBuffer& buffer = tracker_.bytes_of(sender_).buffer;
  std::int64_t offset = without_urgent(sender_, raw);
  std::int64_t end = offset + static_cast<std::int64_t>(data.size());
  if (end <= static_cast<std::int64_t>(buffer.delivered())) {
    // Over the depth the stream has ended; before that it is a retransmission.
    if (!session_.ended_[at]) event(k_reassembly_segment_before_base_seq);
    return;
  }
  if (offset < 0) {
    data = data.subspan(static_cast<std::size_t>(-offset));
    offset = 0;
  }
  // Nothing follows a FIN.
  if (sender_.fin_sent) end = std::min(end, stream_offset(sender_, sender_.fin_seq));
  if (session_.depth_ != 0 && end > static_cast<std::int64_t>(session_.depth_)) {
    end = static_cast<std::int64_t>(session_.depth_);
    if (!session_.depth_reported_[at]) event(k_reassembly_depth_reached);
    session_.depth_reported_[at] = true;
  }
  if (session_.ended_[at] || end <= offset) return;
  data = data.first(static_cast<std::size_t>(end - offset));

  TcpCounters& counters = tracker_.counters_;
  const TcpOptions& options = tracker_.options_;
  const StreamBuffer::Limits limits{options.direction_cap_bytes, options.max_segments, sender_.policy,
                                    options.check_overlap};
  const StreamInsert result = buffer.insert(tracker_.pool_, static_cast<std::uint64_t>(offset), data, limits);
  if (result.overlap) ++counters.overlap;
  if (result.different) {
    ++counters.overlap_diff_data;
    event(k_reassembly_overlap_different_data);
  }
  if (result.refusal == StreamInsert::Refusal::memory) {
    ++counters.segment_memcap_drop;
    event(k_reassembly_insert_memcap);
  } else if (result.refusal == StreamInsert::Refusal::too_many_segments) {
    ++counters.segment_limit_drop;
    event(k_reassembly_insert_limit);
  }
}

}  // namespace gatehouse::ids
