// Tells from a packet and its flow which contact the anomaly detectors should hear of.
#pragma once

#include <optional>

#include "ids/anomaly/observation.h"
#include "ids/flow/flow.h"
#include "ids/flow/tcp.h"

namespace gatehouse::ids::engine {

// What a TCP packet did to its flow, counted on it already. `before` is the session's state before it.
std::optional<anomaly::Observation> contact_of_tcp(const Flow& flow, const Packet& packet, TcpState before);
// UDP and ICMP.
std::optional<anomaly::Observation> contact_of_datagram(const Flow& flow, const Packet& packet);

}  // namespace gatehouse::ids::engine
