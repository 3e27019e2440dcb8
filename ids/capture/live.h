// Frames from a network interface, by libpcap on an AF_PACKET ring.
#pragma once

#include <memory>
#include <string>

#include "ids/capture/source.h"

namespace gatehouse::ids {

// How the kernel spreads frames over the members of one fan-out group (packet(7)).
enum class FanoutMode : std::uint8_t { none, hash, load_balance, cpu, queue };

struct LiveOptions {
  int snaplen = 65535 + 18;  // the largest frame with one VLAN tag; longer ones are cut
  int buffer_bytes = 64 << 20;
  bool promiscuous = true;
  bool immediate = false;  // hand over each frame at once instead of filling blocks
  int poll_ms = 100;       // dispatch() returns `idle` after this long without a frame
  std::string filter;      // BPF expression; empty: everything
  FanoutMode fanout = FanoutMode::none;
  std::uint16_t fanout_group = 0;  // equal for all workers of one sensor, unique on the host
};

// Needs CAP_NET_RAW. An unknown interface, missing rights or a filter that does not compile are
// Errors that name the interface.
core::Result<std::unique_ptr<Source>> open_live(const std::string& interface, const LiveOptions& options);

}  // namespace gatehouse::ids
