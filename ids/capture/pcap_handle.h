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

// The pcap_handler of both sources.
inline void hand_over(u_char* user, const pcap_pkthdr* header, const u_char* bytes) {
  auto& target = *reinterpret_cast<DispatchTarget*>(user);
  RawPacket packet;
  packet.data = core::ByteView(bytes, header->caplen);
  packet.wire_length = header->len;
  packet.time_us = std::int64_t{header->ts.tv_sec} * 1'000'000 + header->ts.tv_usec;
  packet.number = ++target.number;
  packet.link_type = target.link_type;
  target.sink->on_packet(packet);
}

}  // namespace gatehouse::ids
