// Any bytes as a frame of any link type: no crash, and every view inside the frame.
#include <cstdlib>

#include "ids/decode/decoder.h"

namespace {

using namespace gatehouse::ids;

struct Check : PacketHandler {
  static void inside(ByteView view, ByteView frame) {
    if (view.empty()) return;
    if (view.data() < frame.data() || view.data() + view.size() > frame.data() + frame.size()) std::abort();
  }
  void on_packet(Packet& packet) override {
    for (const ByteView view : {packet.ip_header, packet.ip_payload, packet.transport_header, packet.payload,
                                packet.icmp.embedded}) {
      inside(view, packet.frame);
    }
  }
};

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size == 0) return 0;
  constexpr int kLinkTypes[] = {1, 0, 9, 12, 50, 101, 104, 108, 113, 228, 229, 276};
  static Decoder decoder{DecoderOptions{}};
  Check check;
  RawPacket raw;
  raw.link_type = kLinkTypes[data[0] % std::size(kLinkTypes)];
  raw.data = ByteView(data + 1, size - 1);
  raw.wire_length = static_cast<std::uint32_t>(size - 1);
  decoder.decode(raw, check);
  return 0;
}
