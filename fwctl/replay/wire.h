// Packets as bytes.
#pragma once

#include <vector>

#include "fwctl/prove/fields.h"

namespace gatehouse::fwctl {

// `about`: the packet inside an ICMP error is one that `packet`'s receiver sent over UDP from this port.
struct WireOptions {
  bool wrong_checksum = false;
  std::uint16_t about_port = 0;  // 0: not an error about a connection
};
std::vector<std::uint8_t> wire_form(const prove::Packet& packet, const WireOptions& options);

}  // namespace gatehouse::fwctl
