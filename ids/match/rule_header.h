// What of a rule speaks of the packet and its flow, not of bytes: header, flow keywords, conditions,
// flowbits.
#pragma once

#include "ids/keywords/rule.h"

namespace gatehouse::ids {

// The parts of a header that every way of deciding one shares.
bool protocol_holds(const Rule& rule, const Packet& packet, const Flow* flow);
bool port_holds(const PortSet& ports, const Packet& packet, std::uint16_t port);

// Protocols, addresses, ports and the flow keyword.
bool header_holds(const Rule& rule, const Packet& packet, const Flow* flow, Direction direction);
// The same for one side of a transaction. In `=>` rules the header speaks of the request; the response comes
// the other way.
bool transaction_header_holds(const Rule& rule, const Packet& packet, const Flow& flow, Direction direction);
bool conditions_hold(const Rule& rule, const InspectContext& context);
bool flowbits_hold(const Rule& rule, const Flow* flow);
// The rule matched: sets, clears and toggles what it says.
void change_flowbits(const Rule& rule, Flow& flow);
// Does a suppression silence the rule for this packet's addresses?
bool suppressed(const Rule& rule, const Packet& packet);

}  // namespace gatehouse::ids
