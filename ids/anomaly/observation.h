// What the scan and flood detectors see of the traffic: contacts and their outcome, never payload.
#pragma once

#include <cstdint>

#include "core/ip.h"

namespace gatehouse::ids::anomaly {

using core::IpAddress;

enum class Contact : std::uint8_t {
  tcp_attempt,    // first SYN of a connection
  tcp_retry,      // the same SYN again
  tcp_answered,   // SYN/ACK of the server
  tcp_completed,  // three-way handshake done
  tcp_refused,    // RST instead of a SYN/ACK
  tcp_abandoned,  // the client resets after the SYN/ACK
  tcp_stray,      // the first packet of a connection is no SYN: FIN, NULL, XMAS, ACK
  udp_attempt,    // first datagram
  udp_answered,   // first datagram back
  udp_refused,    // ICMP port or host unreachable
  ping,           // first echo request of a sequence
  ping_answered,
};

// One contact. client is who began it. Plain data: may be copied to another thread.
struct Observation {
  std::int64_t time_us = 0;
  IpAddress client, server;
  std::uint16_t client_port = 0, server_port = 0;
  Contact contact = Contact::tcp_attempt;
  std::uint8_t tcp_flags = 0;
};

}  // namespace gatehouse::ids::anomaly
