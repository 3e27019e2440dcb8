#include "ids/flow/tcp_machine.h"

namespace gatehouse::ids {

using namespace stream_event;

TcpMachine::TcpMachine(TcpTracker& tracker, Flow& flow, Packet& packet, StreamSink& sink)
    : tracker_(tracker),
      flow_(flow),
      packet_(packet),
      sink_(sink),
      tcp_(packet.tcp),
      session_(*flow.tcp),
      sender_(session_.peers_[index(packet.direction)]),
      receiver_(session_.peers_[index(opposite(packet.direction))]) {}

void TcpMachine::event(std::uint16_t id) {
  packet_.add_stream_event(id);
  sink_.on_stream_event(flow_, packet_, id);
}

std::uint32_t TcpMachine::scaled_window() const {
  // RFC 7323 2.2: the window of a SYN is never scaled.
  return any(kTcpSyn) ? tcp_.window : std::uint32_t{tcp_.window} << sender_.wscale;
}

void TcpMachine::note_oddities() {
  if (has(kTcpSyn | kTcpFin)) event(k_fin_syn);
  if (!any(kTcpAck) && tcp_.acknowledgment != 0) event(k_pkt_broken_ack);
}

void TcpMachine::run() {
  note_oddities();
  sender_.spoke = true;
  // Both sides are visible after all.
  if (session_.async_ && receiver_.spoke) session_.async_ = false;
  if (!dispatch()) return;
  const Direction mine = packet_.direction, other = opposite(mine);
  TcpDelivery delivery(tracker_, flow_, sink_);
  bool lost = false;
  if (any(kTcpAck)) lost = delivery.deliver_acknowledged(other);
  // With one side visible nobody acknowledges: what arrives counts as received.
  if (session_.async_) lost = delivery.deliver_acknowledged(mine) || lost;
  if (lost) event(k_reassembly_seq_gap);
}

bool TcpMachine::dispatch() {
  switch (state()) {
    case TcpState::none:
      return in_none();
    case TcpState::syn_sent:
      return in_syn_sent();
    case TcpState::syn_recv:
      return in_syn_recv();
    case TcpState::established:
      return in_established();
    case TcpState::closed:
      return in_closed();
    default:
      return in_closing();
  }
}

}  // namespace gatehouse::ids
