#include "ids/match/rule_header.h"

#include <algorithm>

namespace gatehouse::ids {
namespace {

bool endpoints_hold(const Rule& rule, const Packet& p) {
  return rule.source.contains(p.source) && rule.destination.contains(p.destination) &&
         port_holds(rule.source_port, p, p.source_port) &&
         port_holds(rule.destination_port, p, p.destination_port);
}

bool reversed_endpoints_hold(const Rule& rule, const Packet& p) {
  return rule.source.contains(p.destination) && rule.destination.contains(p.source) &&
         port_holds(rule.source_port, p, p.destination_port) &&
         port_holds(rule.destination_port, p, p.source_port);
}

bool any_direction_holds(const Rule& rule, const Packet& p) {
  return endpoints_hold(rule, p) || (rule.bidirectional && reversed_endpoints_hold(rule, p));
}

bool has_bit(const Flow& flow, std::uint32_t bit) {
  const std::span<const std::uint32_t> bits = flow.flowbits();
  return std::binary_search(bits.begin(), bits.end(), bit);
}

void change_bit(Flow& flow, std::uint32_t bit, BitCommand command) {
  if (command == BitCommand::unset && flow.extras == nullptr) return;
  std::vector<std::uint32_t>& bits = flow.extra().flowbits;
  const auto place = std::lower_bound(bits.begin(), bits.end(), bit);
  const bool set = place != bits.end() && *place == bit;
  if (set && command != BitCommand::set) bits.erase(place);
  if (!set && command != BitCommand::unset) bits.insert(place, bit);
}

}  // namespace

bool protocol_holds(const Rule& rule, const Packet& packet, const Flow* flow) {
  if (rule.ip_version != 0 && packet.ip_version != rule.ip_version) return false;
  if (!rule.ip_protocols.empty() && std::find(rule.ip_protocols.begin(), rule.ip_protocols.end(),
                                              packet.protocol) == rule.ip_protocols.end()) {
    return false;
  }
  if (rule.app_protocols.empty()) return true;
  const AppFlow* app = flow == nullptr ? nullptr : app_flow(*flow);
  return app != nullptr && std::find(rule.app_protocols.begin(), rule.app_protocols.end(), app->proto) !=
                               rule.app_protocols.end();
}

bool port_holds(const PortSet& ports, const Packet& packet, std::uint16_t port) {
  return ports.any || (packet.has_transport && ports.contains(port));
}

bool header_holds(const Rule& rule, const Packet& packet, const Flow* flow, Direction direction) {
  const FlowConditions& f = rule.flow;
  if (f.direction && (flow == nullptr || direction != *f.direction)) return false;
  // A session that is being closed was established: what it said is still decided.
  const bool established = flow != nullptr && (packet.established || flow->state == FlowState::closed);
  if (f.established && !established) return false;
  if (f.not_established && established) return false;
  if (rule.any_packet) return true;
  return protocol_holds(rule, packet, flow) && any_direction_holds(rule, packet);
}

bool transaction_header_holds(const Rule& rule, const Packet& packet, const Flow& flow, Direction direction) {
  if (header_holds(rule, packet, &flow, direction)) return true;
  if (!rule.transactional) return false;
  if (direction == Direction::to_server) return any_direction_holds(rule, packet);
  return reversed_endpoints_hold(rule, packet);
}

bool conditions_hold(const Rule& rule, const InspectContext& context) {
  return std::all_of(rule.conditions.begin(), rule.conditions.end(),
                     [&](const auto& c) { return c->holds(context); });
}

bool flowbits_hold(const Rule& rule, const Flow* flow) {
  for (const FlowbitOp& op : rule.flowbit_tests) {
    if (flow == nullptr) return false;
    const bool any =
        std::any_of(op.bits.begin(), op.bits.end(), [&](std::uint32_t bit) { return has_bit(*flow, bit); });
    const bool all =
        std::all_of(op.bits.begin(), op.bits.end(), [&](std::uint32_t bit) { return has_bit(*flow, bit); });
    // isset:a|b: one of them; isnotset:a|b: one of them is not set.
    if (op.command == BitCommand::isset ? !any : all) return false;
  }
  return true;
}

void change_flowbits(const Rule& rule, Flow& flow) {
  for (const FlowbitOp& op : rule.flowbit_actions) {
    for (const std::uint32_t bit : op.bits) change_bit(flow, bit, op.command);
  }
}

bool suppressed(const Rule& rule, const Packet& packet) {
  return std::any_of(rule.suppressions.begin(), rule.suppressions.end(), [&](const Suppression& s) {
    const bool source = s.side != Suppression::Side::destination && s.addresses.contains(packet.source);
    const bool destination = s.side != Suppression::Side::source && s.addresses.contains(packet.destination);
    return s.side == Suppression::Side::all || source || destination;
  });
}

}  // namespace gatehouse::ids
