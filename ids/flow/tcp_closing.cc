// FIN, RST, and what comes after them. The state names follow the server's view, as the field does:
// the client's FIN leads to close_wait, the server's to fin_wait1.
#include "ids/flow/tcp_machine.h"

namespace gatehouse::ids {

using namespace stream_event;

bool TcpMachine::in_closing() {
  if (any(kTcpRst)) return take_rst();
  if (any(kTcpSyn)) return refuse(k_shutdown_syn_resend);
  if (any(kTcpFin)) return take_fin();
  if (!any(kTcpAck) || !accept_data()) return false;
  advance_closing();
  return true;
}

bool TcpMachine::take_fin() {
  if (!timestamp_ok()) return false;
  if (any(kTcpAck) && !acknowledgment_ok()) {
    if (state() == TcpState::established) return refuse(k_fin_invalid_ack);
    return refuse(complaints().invalid_ack);
  }
  const bool checked = !session_.midstream_ && !session_.async_;
  // A repeated FIN stands before what was acknowledged: only its own number may.
  const bool repeated = sender_.fin_sent && end_seq() == sender_.fin_seq;
  if (checked && !repeated && (seq_lt(tcp_.sequence, sender_.last_ack) || !fits_window())) {
    return refuse(complaints().fin_out_of_window);
  }
  if (session_.async_ && !session_.midstream_ && seq_gt(tcp_.sequence, sender_.next_win))
    return refuse(k_fin_out_of_window);
  note_timestamp();
  take_acknowledgment();
  take_window();
  store_payload();
  if (!sender_.fin_sent) {
    sender_.fin_sent = true;
    sender_.fin_first = !receiver_.fin_sent;
    sender_.fin_seq = end_seq();
    sender_.next_seq = seq_max(sender_.next_seq, end_seq() + 1);
  }
  advance_closing();
  return true;
}

// The state follows from who has closed and whose FIN was acknowledged (RFC 9293 3.6).
void TcpMachine::advance_closing() {
  const TcpPeer& client = session_.peers_[index(Direction::to_server)];
  const TcpPeer& server = session_.peers_[index(Direction::to_client)];
  const auto acknowledged = [](const TcpPeer& peer) {
    return peer.fin_sent && seq_gt(peer.last_ack, peer.fin_seq);
  };
  if (client.fin_sent && !server.fin_sent) return set_state(TcpState::close_wait);
  if (!client.fin_sent && server.fin_sent) {
    return set_state(acknowledged(server) ? TcpState::fin_wait2 : TcpState::fin_wait1);
  }
  if (!client.fin_sent) return;
  if (client.fin_first) return set_state(acknowledged(server) ? TcpState::closed : TcpState::last_ack);
  if (!acknowledged(server)) return set_state(TcpState::closing);
  set_state(acknowledged(client) ? TcpState::closed : TcpState::time_wait);
}

bool TcpMachine::take_rst() {
  if (state() != TcpState::syn_sent) {
    // Systems that let a zero timestamp pass with data do not with a RST.
    if (tcp_.has_timestamp && tcp_.timestamp == 0 && sender_.timestamps && sender_.last_timestamp != 0)
      return refuse(k_pkt_invalid_timestamp);
    if (!timestamp_ok()) return false;
  }
  if (!rst_ok()) return false;
  if (any(kTcpAck) && receiver_.seen) take_acknowledgment();
  // RFC 9293 3.10.7.4: text in a RST explains it; no application reads it.
  session_.before_reset_ = state();
  sender_.rst_sent = true;
  set_state(TcpState::closed);
  return true;
}

bool TcpMachine::in_closed() {
  if (any(kTcpRst) || !sender_.rst_sent) return false;
  // Who has reset a connection does not go on speaking on it: somebody else sent the RST.
  if (any(kTcpSyn)) return false;
  event(k_suspected_rst_inject);
  sender_.rst_sent = false;
  set_state(session_.before_reset_);
  return state() != TcpState::closed && dispatch();
}

}  // namespace gatehouse::ids
