// Capture files as libpcap and we read them: any bytes end in `end` or an Error.
#include <sys/mman.h>
#include <unistd.h>

#include <cstdlib>
#include <string>

#include "ids/capture/pcap_file.h"

namespace {

struct Touch : gatehouse::ids::PacketSink {
  void on_packet(const gatehouse::ids::RawPacket& packet) override {
    for (const auto byte : packet.data) total += byte;
  }
  unsigned total = 0;
};

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const int fd = memfd_create("capture", 0);
  if (fd < 0 || write(fd, data, size) != static_cast<ssize_t>(size)) std::abort();
  auto source = gatehouse::ids::open_pcap_file("/proc/self/fd/" + std::to_string(fd));
  if (source) {
    Touch sink;
    auto state = (*source)->dispatch(sink, 64);
    while (state && *state == gatehouse::ids::SourceState::more) state = (*source)->dispatch(sink, 64);
  }
  close(fd);
  return 0;
}
