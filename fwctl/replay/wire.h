// Packets as bytes.
#pragma once

#include <vector>

#include "fwctl/prove/fields.h"

namespace gatehouse::fwctl {

// `about`: the packet inside an ICMP error is one that `packet`'s receiver sent over UDP from this port.
struct WireOptions {
  bool wrong_checksum = false;
  std::uint16_t about_port = 0;  // 0: not an error about a connection
  std::uint16_t number = 1;      // of the packet, by which its pieces are known
};
// As it is sent: in one piece, or in two, of which the last is the one that `packet` speaks of.
std::vector<std::vector<std::uint8_t>> wire_form(const prove::Packet& packet, const WireOptions& options);

// Whether wire_form() knows its extension headers and options.
bool has_wire_form(const prove::Packet& packet);

}  // namespace gatehouse::fwctl
