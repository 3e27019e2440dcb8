// Decoder and Defragmenter in one: frames in, whole packets out. What the engine feeds.
#pragma once

#include "ids/decode/decoder.h"
#include "ids/flow/defrag.h"

namespace gatehouse::ids {

class PacketPath : private PacketHandler {
 public:
  PacketPath(DecoderOptions decoder, DefragOptions defrag)
      : decoder_(std::move(decoder)), defrag_(std::move(defrag)) {}

  // Hands `next` every packet of the frame: the outer packet, those inside tunnels, and after a
  // fragment that completes a datagram the datagram (origin defrag). Fragments themselves are
  // handed over as well (Packet::fragment): they have no flow, but decode events and rules on them.
  void process(const RawPacket& raw, PacketHandler& next);
  // Timers; also run by process().
  void expire(std::int64_t now_us) { defrag_.expire(now_us); }

  const Decoder& decoder() const { return decoder_; }
  const Defragmenter& defrag() const { return defrag_; }

 private:
  void on_packet(Packet& packet) override;

  Decoder decoder_;
  Defragmenter defrag_;
  PacketHandler* next_ = nullptr;
};

}  // namespace gatehouse::ids
