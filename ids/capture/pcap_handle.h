// Owning handles of libpcap. Private to this folder, the only includer of pcap.h.
#pragma once

#include <pcap/pcap.h>

#include <memory>

#include "ids/capture/source.h"

namespace gatehouse::ids {

struct PcapCloser {
  void operator()(pcap_t* handle) const { pcap_close(handle); }
};
using PcapHandle = std::unique_ptr<pcap_t, PcapCloser>;

// What pcap_dispatch() passes back to the packet callback.
struct DispatchTarget {
  PacketSink* sink = nullptr;
  int link_type = 0;
  std::uint64_t number = 0;  // of the last frame
};

// Both words of a time in a capture file are unsigned: seconds reach to 2106. Older versions of libpcap
// (1.10.3 of Debian 12) read them as signed in files of this machine's byte order.
inline std::int64_t unsigned_word(std::int64_t value) {
  return value < 0 ? static_cast<std::int64_t>(static_cast<std::uint32_t>(value)) : value;
}

// The pcap_handler of both sources.
inline void hand_over(u_char* user, const pcap_pkthdr* header, const u_char* bytes) {
  auto& target = *reinterpret_cast<DispatchTarget*>(user);
  RawPacket packet;
  packet.data = core::ByteView(bytes, header->caplen);
  packet.wire_length = header->len;
  packet.time_us = unsigned_word(header->ts.tv_sec) * 1'000'000 + unsigned_word(header->ts.tv_usec);
  packet.number = ++target.number;
  packet.link_type = target.link_type;
  target.sink->on_packet(packet);
}

}  // namespace gatehouse::ids
