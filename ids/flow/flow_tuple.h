// Which flow a packet belongs to: its 5-tuple, or the one an ICMP error quotes.
#pragma once

#include <cstdint>
#include <optional>

#include "ids/flow/flow.h"

namespace gatehouse::ids {

// The tuple as the packet's sender sees it: key.client is the source.
struct FlowTuple {
  FlowKey key;
  // The tuple comes from the packet an ICMP error quotes: it can find a flow, not start one.
  bool quoted = false;
};

struct TupleRules {
  bool use_vlan = true;
  bool use_tunnel_depth = true;
};

// None: the packet cannot belong to a flow.
std::optional<FlowTuple> flow_tuple(const Packet& packet, const TupleRules& rules);

// Equal for both directions of a tuple.
std::uint64_t hash_tuple(const FlowKey& key, std::uint64_t seed);
inline bool same_direction(const FlowKey& a, const FlowKey& b) {
  return a == b;
}
bool opposite_direction(const FlowKey& a, const FlowKey& b);

// The type that answers ICMP type `type`, as (type, answer) in the order the first packet had it;
// -1 when nothing answers it.
int icmp_counterpart(std::uint8_t protocol, std::uint8_t type);

}  // namespace gatehouse::ids
