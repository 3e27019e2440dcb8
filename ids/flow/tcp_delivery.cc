#include <algorithm>

#include "ids/flow/tcp_machine.h"

namespace gatehouse::ids {

std::int64_t raw_offset(const TcpPeer& peer, std::uint32_t sequence) {
  // What was delivered is the nearest point whose 64-bit position is known.
  const TcpBytes& sent = peer.sent();
  std::uint64_t raw = sent.buffer.delivered() + sent.urgent_passed;
  for (const std::uint64_t urgent : sent.urgent) {
    if (urgent <= raw) ++raw;
  }
  const std::uint32_t at = peer.isn + 1 + static_cast<std::uint32_t>(raw);
  return static_cast<std::int64_t>(raw) + static_cast<std::int32_t>(sequence - at);
}

std::int64_t without_urgent(const TcpPeer& peer, std::int64_t raw) {
  const TcpBytes& sent = peer.sent();
  std::int64_t removed = static_cast<std::int64_t>(sent.urgent_passed);
  for (const std::uint64_t urgent : sent.urgent) {
    if (static_cast<std::int64_t>(urgent) < raw) ++removed;
  }
  return raw - removed;
}

bool TcpDelivery::deliver_acknowledged(Direction direction) {
  TcpPeer& peer = session_.peers_[index(direction)];
  if (!peer.seen || session_.ended_[index(direction)] || session_.stopped_[index(direction)]) return false;
  // What was acknowledged and not seen may still come, until something behind it is seen.
  const bool unseen = session_.async_ || seq_gt(peer.last_ack, peer.next_seq);
  std::int64_t upto = stream_offset(peer, unseen ? peer.next_seq : peer.last_ack);
  // The FIN takes a number, but no byte.
  const std::int64_t fin = peer.fin_sent ? stream_offset(peer, peer.fin_seq) : -1;
  const bool all = peer.fin_sent && upto > fin;
  if (all) upto = std::max<std::int64_t>(fin, 0);
  bool lost = false;
  if (upto > static_cast<std::int64_t>(peer.held().delivered())) {
    lost = deliver(direction, static_cast<std::uint64_t>(upto));
  }
  if (all) send_end(direction, false);
  return lost;
}

void TcpDelivery::deliver_rest(Direction direction) {
  TcpPeer& peer = session_.peers_[index(direction)];
  if (session_.ended_[index(direction)]) return;
  if (!session_.stopped_[index(direction)]) deliver(direction, peer.held().last_held());
  send_end(direction, false);
}

// True when there was a gap.
bool TcpDelivery::deliver(Direction direction, std::uint64_t upto) {
  TcpPeer& peer = session_.peers_[index(direction)];
  const std::uint64_t depth = session_.depth_;
  const bool deep = depth != 0 && upto >= depth;
  if (deep) upto = depth;
  if (!deep && upto <= peer.held().delivered()) return false;
  StreamBuffer& buffer = tracker_.bytes_of(peer).buffer;
  bool lost = false;
  while (buffer.delivered() < upto && !session_.stopped_[index(direction)]) {
    StreamChunk chunk;
    chunk.direction = direction;
    chunk.data = buffer.deliverable(upto);
    chunk.offset = buffer.delivered();
    if (chunk.data.empty()) {
      const std::uint64_t next =
          buffer.next_held() > buffer.edge() ? std::min(buffer.next_held(), upto) : upto;
      chunk.gap = next - buffer.delivered();
      chunk.offset = next;
      buffer.skip_to(tracker_.pool_, next);
      ++tracker_.counters_.reassembly_gap;
      lost = true;
    }
    const std::uint64_t done = chunk.offset + chunk.data.size();
    sink_.on_stream(flow_, chunk);
    buffer.mark_delivered(tracker_.pool_, done, tracker_.options_.retain_for_inspection);
  }
  if (deep) {
    ++tracker_.counters_.stream_depth_reached;
    send_end(direction, true);
  }
  return lost;
}

void TcpDelivery::send_end(Direction direction, bool depth_reached) {
  bool& ended = session_.ended_[index(direction)];
  if (ended) return;
  ended = true;
  StreamChunk chunk;
  chunk.direction = direction;
  chunk.offset = session_.peers_[index(direction)].held().delivered();
  chunk.end = true;
  chunk.depth_reached = depth_reached;
  sink_.on_stream(flow_, chunk);
}

}  // namespace gatehouse::ids
