#include <cstdio>
#include <cstdlib>

#include "ids/decode/testing/packet_builder.h"

namespace gatehouse::ids::testing {
namespace {

void put(Bytes& out, std::uint64_t value, int bytes, bool big_endian) {
  for (int i = 0; i < bytes; ++i) {
    out.push_back(static_cast<std::uint8_t>(value >> (8 * (big_endian ? bytes - 1 - i : i))));
  }
}

Bytes classic(const std::vector<Frame>& frames, bool nano, bool big_endian, std::uint32_t link_type) {
  Bytes out;
  put(out, nano ? 0xa1b23c4dU : 0xa1b2c3d4U, 4, big_endian);
  put(out, 2, 2, big_endian);
  put(out, 4, 2, big_endian);
  put(out, 0, 8, big_endian);
  put(out, 262144, 4, big_endian);
  put(out, link_type, 4, big_endian);
  for (const Frame& frame : frames) {
    put(out, static_cast<std::uint64_t>(frame.time_us / 1'000'000), 4, big_endian);
    put(out, static_cast<std::uint64_t>(frame.time_us % 1'000'000) * (nano ? 1000 : 1), 4, big_endian);
    put(out, frame.data.size(), 4, big_endian);
    put(out, frame.data.size(), 4, big_endian);
    out.insert(out.end(), frame.data.begin(), frame.data.end());
  }
  return out;
}

// Section header, one interface description, enhanced packet blocks (pcapng draft 4.1 - 4.3).
Bytes next_generation(const std::vector<Frame>& frames, std::uint32_t link_type) {
  Bytes out;
  put(out, 0x0a0d0d0aU, 4, false);
  put(out, 28, 4, false);
  put(out, 0x1a2b3c4dU, 4, false);
  put(out, 1, 2, false);
  put(out, 0, 2, false);
  put(out, ~std::uint64_t{0}, 8, false);
  put(out, 28, 4, false);
  put(out, 1, 4, false);
  put(out, 20, 4, false);
  put(out, link_type, 2, false);
  put(out, 0, 2, false);
  put(out, 262144, 4, false);
  put(out, 20, 4, false);
  for (const Frame& frame : frames) {
    const std::size_t pad = (4 - frame.data.size() % 4) % 4;
    const std::size_t length = 32 + frame.data.size() + pad;
    put(out, 6, 4, false);
    put(out, length, 4, false);
    put(out, 0, 4, false);
    put(out, static_cast<std::uint64_t>(frame.time_us) >> 32, 4, false);
    put(out, static_cast<std::uint64_t>(frame.time_us) & 0xffffffffU, 4, false);
    put(out, frame.data.size(), 4, false);
    put(out, frame.data.size(), 4, false);
    out.insert(out.end(), frame.data.begin(), frame.data.end());
    out.insert(out.end(), pad, 0);
    put(out, length, 4, false);
  }
  return out;
}

}  // namespace

Bytes pcap_bytes(const std::vector<Frame>& frames, PcapFormat format, std::uint32_t link_type) {
  if (format == PcapFormat::pcapng) return next_generation(frames, link_type);
  return classic(frames, format == PcapFormat::nano, format == PcapFormat::micro_swapped, link_type);
}

void write_pcap(const std::string& path, const std::vector<Frame>& frames, PcapFormat format,
                std::uint32_t link_type) {
  const Bytes bytes = pcap_bytes(frames, format, link_type);
  std::FILE* file = std::fopen(path.c_str(), "wb");
  if (file == nullptr || std::fwrite(bytes.data(), 1, bytes.size(), file) != bytes.size() ||
      std::fclose(file) != 0) {
    std::fprintf(stderr, "packet_builder: cannot write %s\n", path.c_str());
    std::abort();
  }
}

}  // namespace gatehouse::ids::testing
