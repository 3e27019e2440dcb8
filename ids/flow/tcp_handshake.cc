// From the first packet to "established": RFC 9293 3.5, seen from the middle.
#include <algorithm>

#include "ids/flow/tcp_machine.h"

namespace gatehouse::ids {

using namespace stream_event;

namespace {

// A session picked up midstream announces windows in a scale we did not see: the largest.
constexpr std::uint8_t kUnknownScale = 14;

}  // namespace

TcpSynAck TcpMachine::synack() const {
  return {tcp_.sequence,     tcp_.window,           tcp_.timestamp,
          tcp_.window_scale, tcp_.has_window_scale, tcp_.has_timestamp};
}

// A SYN of `peer`, the sender.
void TcpMachine::start_from(TcpPeer& peer) {
  peer.isn = tcp_.sequence;
  peer.next_seq = peer.last_ack = tcp_.sequence + 1;
  peer.window = tcp_.window;
  peer.wscale = tcp_.window_scale;
  peer.has_wscale = tcp_.has_window_scale;
  peer.timestamps = tcp_.has_timestamp;
  peer.first_timestamp = peer.last_timestamp = tcp_.timestamp;
  peer.last_timestamp_us = packet_.time_us;
  peer.seen = true;
  // RFC 7413: data in a SYN counts only together with the option.
  peer.syn_data = tcp_.has_fast_open && payload_size() != 0;
}

bool TcpMachine::in_none() {
  if (session_.midstream_) return pick_up();
  if (!any(kTcpSyn)) return false;
  start_from(sender_);
  set_state(TcpState::syn_sent);
  if (sender_.syn_data) {
    store_payload();
    sender_.next_seq += payload_size();
  }
  return true;
}

bool TcpMachine::pick_up() {
  TcpPeer& other = receiver_;
  other.isn = tcp_.acknowledgment - 1;
  other.next_seq = other.last_ack = tcp_.acknowledgment;
  other.seen = true;
  other.wscale = kUnknownScale;
  if (any(kTcpSyn)) {
    start_from(sender_);
    other.next_win = other.last_ack + tcp_.window;
    sender_.next_win = sender_.last_ack + (std::uint32_t{65'535} << kUnknownScale);
    session_.async_ = tracker_.options_.async_oneside;
    set_state(TcpState::syn_recv);
    return true;
  }
  start_from(sender_);
  sender_.isn = tcp_.sequence - 1;
  sender_.next_seq = sender_.last_ack = tcp_.sequence;
  sender_.wscale = kUnknownScale;
  sender_.syn_data = false;
  session_.async_ = tracker_.options_.async_oneside;
  session_.confirmed_ = true;
  set_state(TcpState::established);
  return any(kTcpFin) ? take_fin() : accept_data();
}

bool TcpMachine::in_syn_sent() {
  // RFC 7323 3.2: an answer echoes the timestamp of the SYN; what does not is forged (or echoes
  // nothing, as some servers do).
  const TcpPeer& client = receiver_;
  const bool echoes = tcp_.timestamp_echo == 0 || (seq_ge(tcp_.timestamp_echo, client.first_timestamp) &&
                                                   seq_le(tcp_.timestamp_echo, client.last_timestamp));
  if (!from_client() && tcp_.has_timestamp && receiver_.timestamps && !echoes)
    return refuse(k_pkt_invalid_timestamp);
  if (any(kTcpRst)) return take_rst();
  if (any(kTcpFin)) return false;
  if (has(kTcpSyn | kTcpAck)) return synack_of_syn();
  if (any(kTcpSyn)) return syn_in_syn_sent();
  return one_sided_ack();
}

bool TcpMachine::syn_in_syn_sent() {
  if (!from_client()) {
    // Both ends open at once (RFC 9293 3.5, figure 7), or an attacker splits the handshake.
    if (session_.simultaneous_) return sender_.isn == tcp_.sequence;
    start_from(sender_);
    session_.simultaneous_ = true;
    return true;
  }
  if (tcp_.sequence == sender_.isn) {
    if (tcp_.has_timestamp) sender_.last_timestamp = tcp_.timestamp;
    return true;
  }
  // Which of several SYNs reached the server, its SYN/ACK will tell.
  auto& others = session_.rivals().isns;
  const bool full = others.size() >= tracker_.options_.max_syn_queued;
  if (full) event(k_3whs_syn_flood);
  if (std::find(others.begin(), others.end(), tcp_.sequence) != others.end()) return true;
  // The newest ones stay: a server answers what came last.
  if (full && !others.empty()) others.erase(others.begin());
  others.push_back(tcp_.sequence);
  return true;
}

// The peer's answer never shows up: only one side is visible to us.
bool TcpMachine::one_sided_ack() {
  if (!tracker_.options_.async_oneside || !any(kTcpAck) || !from_client()) return false;
  if (tcp_.sequence != sender_.next_seq) return refuse(k_3whs_async_wrong_seq);
  session_.async_ = true;
  receiver_.isn = tcp_.acknowledgment - 1;
  receiver_.next_seq = receiver_.last_ack = tcp_.acknowledgment;
  receiver_.wscale = kUnknownScale;
  receiver_.seen = true;
  // Nobody will say how far the sender may go: its own window stands in for that.
  sender_.next_win = tcp_.sequence + tcp_.window;
  set_state(TcpState::established);
  return accept_data();
}

bool TcpMachine::synack_of_syn() {
  if (session_.simultaneous_) return synack_of_simultaneous_open();
  if (from_client()) return refuse(k_3whs_synack_in_wrong_direction);
  TcpPeer& client = receiver_;
  const std::uint32_t ack = tcp_.acknowledgment;
  const bool answers_data = client.syn_data && seq_gt(ack, client.isn + 1) && seq_le(ack, client.next_seq);
  if (ack != client.isn + 1 && !answers_data) {
    const std::vector<std::uint32_t>& others = session_.rivals().isns;
    if (std::find(others.begin(), others.end(), ack - 1) == others.end())
      return refuse(k_3whs_synack_with_wrong_ack);
    client.isn = ack - 1;
    client.next_seq = client.last_ack = ack;
    if (client.bytes != nullptr) client.bytes->buffer.reset(tracker_.pool_);
    client.syn_data = false;
  }
  session_.rivals_.reset();
  if (client.syn_data && !answers_data) {
    // RFC 7413 4.1.3: the server took the SYN alone; the client will send the data again.
    event(k_3whs_synack_tfo_data_ignored);
    client.next_seq = client.isn + 1;
    session_.syn_data_ignored_ = true;
  }
  read_synack(synack());
  set_state(TcpState::syn_recv);
  // Data of the SYN is delivered with the next packet of the server: a handshake delivers nothing.
  return false;
}

// Sender is the server.
void TcpMachine::read_synack(const TcpSynAck& synack) {
  TcpPeer& server = sender_;
  TcpPeer& client = receiver_;
  server.isn = synack.sequence;
  server.next_seq = server.last_ack = synack.sequence + 1;
  server.window = synack.window;
  server.last_timestamp = synack.timestamp;
  server.last_timestamp_us = packet_.time_us;
  server.seen = true;
  client.last_ack = seq_max(client.last_ack, tcp_.acknowledgment);
  client.next_win = client.last_ack + server.window;
  server.next_win = server.last_ack + client.window;
  // RFC 7323 1.3 and 2.2: an option holds when both ends sent it.
  server.wscale = synack.has_wscale && client.has_wscale ? synack.wscale : std::uint8_t{0};
  server.has_wscale = synack.has_wscale;
  if (!synack.has_wscale) client.wscale = 0;
  server.timestamps = client.timestamps && synack.has_timestamp;
}

// The client answers the server's SYN with a SYN/ACK.
bool TcpMachine::synack_of_simultaneous_open() {
  if (!from_client()) return refuse(k_3whs_synack_in_wrong_direction);
  if (tcp_.acknowledgment != receiver_.isn + 1) return refuse(k_4whs_synack_with_wrong_ack);
  if (tcp_.sequence != sender_.isn) return refuse(k_4whs_synack_with_wrong_syn);
  receiver_.last_ack = receiver_.next_seq = receiver_.isn + 1;
  sender_.window = tcp_.window;
  receiver_.next_win = receiver_.last_ack + sender_.window;
  sender_.next_win = sender_.last_ack + receiver_.window;
  if (!sender_.has_wscale || !receiver_.has_wscale) sender_.wscale = receiver_.wscale = 0;
  if (!sender_.timestamps || !receiver_.timestamps) sender_.timestamps = receiver_.timestamps = false;
  set_state(TcpState::syn_recv);
  return true;
}

bool TcpMachine::in_syn_recv() {
  if (any(kTcpRst)) return take_rst();
  if (has(kTcpSyn | kTcpAck)) return synack_again();
  if (any(kTcpSyn)) return syn_again();
  if (!any(kTcpAck)) return false;
  return final_ack();
}

bool TcpMachine::synack_again() {
  if (from_client()) {
    if (session_.simultaneous_) return true;
    return refuse(k_3whs_synack_toserver_on_syn_recv);
  }
  // In a simultaneous open the server too sends a SYN/ACK.
  if (session_.simultaneous_ && tcp_.sequence == sender_.isn && tcp_.acknowledgment == receiver_.next_seq)
    return true;
  if (tcp_.acknowledgment != receiver_.last_ack) return refuse(k_3whs_synack_resend_with_different_ack);
  if (tcp_.sequence == sender_.isn) return true;
  event(k_3whs_synack_resend_with_diff_seq);
  auto& others = session_.rivals().synacks;
  for (const TcpSynAck& other : others) {
    if (other.sequence == tcp_.sequence) return false;
  }
  if (others.size() >= tracker_.options_.max_synack_queued) return refuse(k_3whs_synack_flood);
  others.push_back(synack());
  return false;
}

bool TcpMachine::syn_again() {
  if (!from_client()) return session_.simultaneous_ ? true : refuse(k_3whs_syn_toclient_on_syn_recv);
  if (tcp_.sequence != sender_.isn) return refuse(k_3whs_syn_resend_diff_seq_on_syn_recv);
  return true;
}

bool TcpMachine::final_ack() {
  if (!timestamp_ok()) return false;
  if (from_client()) return final_ack_of_client();
  return data_before_final_ack();
}

bool TcpMachine::final_ack_of_client() {
  if (session_.simultaneous_) return refuse(k_3whs_ack_in_wrong_dir);
  const TcpPeer& server = receiver_;
  const std::uint32_t ack = tcp_.acknowledgment;
  bool right_ack = seq_gt(ack, server.isn) && seq_le(ack, server.next_seq);
  if (!right_ack) right_ack = adopt_other_synack();
  const bool right_seq = tcp_.sequence == sender_.next_seq;
  // Data that overtook the ACK, or the first segments were lost: still inside the window.
  const bool inside =
      seq_ge(tcp_.sequence, sender_.isn + 1) && (session_.midstream_ || seq_le(end_seq(), sender_.next_win));
  if (right_ack && (right_seq || inside)) return establish();
  if (right_seq) return refuse(k_3whs_right_seq_wrong_ack_evasion);
  return refuse(k_3whs_wrong_seq_wrong_ack);
}

// The ACK may answer another SYN/ACK than the first one.
bool TcpMachine::adopt_other_synack() {
  if (session_.rivals_ == nullptr) return false;
  for (const TcpSynAck& other : session_.rivals_->synacks) {
    if (other.sequence + 1 != tcp_.acknowledgment) continue;
    TcpPeer& server = receiver_;
    server.isn = other.sequence;
    server.next_seq = server.last_ack = other.sequence + 1;
    server.window = other.window;
    server.last_timestamp = other.timestamp;
    server.wscale = other.has_wscale && sender_.has_wscale ? other.wscale : std::uint8_t{0};
    server.next_win = server.last_ack + sender_.window;
    if (server.bytes != nullptr) server.bytes->buffer.reset(tracker_.pool_);
    return true;
  }
  return false;
}

// The server speaks before we saw the client's ACK: it was lost on the way to us, or this is not
// what it seems.
bool TcpMachine::data_before_final_ack() {
  if (session_.simultaneous_) {
    if (tcp_.sequence != sender_.next_seq) return refuse(k_4whs_wrong_seq);
    if (tcp_.acknowledgment != receiver_.next_seq) return refuse(k_4whs_invalid_ack);
    return establish();
  }
  const bool fits = session_.midstream_ || (seq_ge(tcp_.sequence, sender_.next_seq) &&
                                            seq_le(tcp_.acknowledgment, receiver_.next_seq));
  const bool may_speak = payload_size() != 0 || any(kTcpFin) || receiver_.syn_data || session_.midstream_;
  if (!fits || !may_speak) return refuse(k_3whs_ack_in_wrong_dir);
  return establish();
}

bool TcpMachine::establish() {
  session_.rivals_.reset();
  set_state(TcpState::established);
  if (from_client()) session_.confirmed_ = true;
  return any(kTcpFin) ? take_fin() : accept_data();
}

}  // namespace gatehouse::ids
