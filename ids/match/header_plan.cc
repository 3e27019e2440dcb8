#include "ids/match/header_plan.h"

#include <algorithm>

#include "ids/match/rule_header.h"

namespace gatehouse::ids {
namespace {

Wide wide(const IpAddress& address) {
  Wide value = 0;
  for (const std::uint8_t byte : address.bytes) value = value << 8U | byte;
  return value;
}

// The number of IPv4 ranges, then all ranges.
std::vector<Wide> key_of(const AddressSet& set) {
  std::vector<Wide> key;
  key.reserve(1 + 2 * (set.v4().size() + set.v6().size()));
  key.push_back(set.v4().size());
  for (const AddressSet::Range& r : set.v4())
    key.insert(key.end(), {r.first.v4_host_order(), r.last.v4_host_order()});
  for (const AddressSet::Range& r : set.v6()) key.insert(key.end(), {wide(r.first), wide(r.last)});
  return key;
}

template <class Ranges, class Key>
bool in_ranges(const Ranges& ranges, const Key& key) {
  const auto next = std::upper_bound(ranges.begin(), ranges.end(), key,
                                     [](const Key& k, const auto& range) { return k < range.first; });
  return next != ranges.begin() && key <= (next - 1)->second;
}

}  // namespace

void AddressSets::count(const AddressSet& set) {
  if (!set.any) ++known_[key_of(set)];
}

void AddressSets::number() {
  std::vector<decltype(known_)::iterator> order;
  for (auto i = known_.begin(); i != known_.end(); ++i) order.push_back(i);
  std::stable_sort(order.begin(), order.end(),
                   [](const auto& a, const auto& b) { return a->second > b->second; });
  for (const auto& entry : order) {
    const std::vector<Wide>& key = entry->first;
    Ranges& ranges = sets_.emplace_back();
    const auto v4_end = 1 + 2 * static_cast<std::size_t>(key[0]);
    for (std::size_t i = 1; i < key.size(); i += 2) {
      if (i < v4_end) {
        ranges.v4.emplace_back(static_cast<std::uint32_t>(key[i]), static_cast<std::uint32_t>(key[i + 1]));
      } else {
        ranges.v6.emplace_back(key[i], key[i + 1]);
      }
    }
    entry->second = static_cast<std::uint32_t>(sets_.size());
  }
}

AddressSetId AddressSets::id_of(const AddressSet& set) const {
  return set.any ? kAnyAddress : known_.find(key_of(set))->second;
}

bool AddressSets::contains(AddressSetId id, const IpAddress& address) const {
  const Ranges& ranges = sets_[id - 1U];
  if (address.is_v4()) return in_ranges(ranges.v4, address.v4_host_order());
  return address.is_v6() && in_ranges(ranges.v6, wide(address));
}

HeaderPlan::Ports::Ports(const PortSet& set) : any(set.any) {
  if (set.any) return;
  // None at all holds for no port.
  exact = set.ranges.size() == 1;
  if (set.ranges.empty()) return;
  first = set.ranges.front().first;
  last = set.ranges.front().last;
  for (const PortSet::Range& range : set.ranges) {
    first = std::min(first, range.first);
    last = std::max(last, range.last);
  }
}

HeaderPlan::HeaderPlan(const Rule& rule, const AddressSets& sets)
    : source_(sets.id_of(rule.source)),
      destination_(sets.id_of(rule.destination)),
      source_ports_(rule.source_port),
      destination_ports_(rule.destination_port),
      direction_(rule.flow.direction),
      ip_version_(rule.ip_version),
      any_packet_(rule.any_packet),
      bidirectional_(rule.bidirectional),
      transactional_(rule.transactional) {
  if (rule.flow.established) established_ = Established::yes;
  if (rule.flow.not_established) established_ = Established::no;
  if (!rule.ip_protocols.empty())
    ip_protocol_ = rule.ip_protocols.size() == 1 ? rule.ip_protocols.front() : kManyProtocols;
  // 0 and 255 are protocols as well: those rules are asked themselves.
  if (ip_protocol_ == kAnyProtocol && !rule.ip_protocols.empty()) ip_protocol_ = kManyProtocols;
  for (const AppProto app : rule.app_protocols) {
    if (app < kMaskedApps) {
      apps_ |= std::uint64_t{1} << app;
    } else {
      many_apps_ = true;
    }
  }
}

bool HeaderPlan::endpoints_hold(const Rule& rule, const Packet& p, const AddressSets& sets,
                                AddressCache& cache) const {
  return source_ports_.hold(rule.source_port, p, p.source_port) &&
         destination_ports_.hold(rule.destination_port, p, p.destination_port) &&
         cache.source_in(sets, source_) && cache.destination_in(sets, destination_);
}

bool HeaderPlan::reversed_endpoints_hold(const Rule& rule, const Packet& p, const AddressSets& sets,
                                         AddressCache& cache) const {
  return source_ports_.hold(rule.source_port, p, p.destination_port) &&
         destination_ports_.hold(rule.destination_port, p, p.source_port) &&
         cache.destination_in(sets, source_) && cache.source_in(sets, destination_);
}

bool HeaderPlan::any_direction_holds(const Rule& rule, const Packet& p, const AddressSets& sets,
                                     AddressCache& cache) const {
  return endpoints_hold(rule, p, sets, cache) ||
         (bidirectional_ && reversed_endpoints_hold(rule, p, sets, cache));
}

bool HeaderPlan::flow_holds(const Packet& packet, const Flow* flow, Direction direction) const {
  if (direction_ && (flow == nullptr || direction != *direction_)) return false;
  if (established_ == Established::any) return true;
  // A session that is being closed was established: what it said is still
  // decided.
  const bool established = flow != nullptr && (packet.established || flow->state == FlowState::closed);
  return established == (established_ == Established::yes);
}

bool HeaderPlan::protocols_hold(const Rule& rule, const Packet& packet, const Flow* flow) const {
  if (many_apps_ || ip_protocol_ == kManyProtocols) return protocol_holds(rule, packet, flow);
  if (ip_version_ != 0 && packet.ip_version != ip_version_) return false;
  if (ip_protocol_ != kAnyProtocol && packet.protocol != ip_protocol_) return false;
  if (apps_ == 0) return true;
  const AppFlow* app = flow == nullptr ? nullptr : app_flow(*flow);
  return app != nullptr && app->proto < kMaskedApps && (apps_ >> app->proto & 1U) != 0;
}

bool HeaderPlan::holds(const Rule& rule, const Packet& packet, const Flow* flow, Direction direction,
                       const AddressSets& sets, AddressCache& cache) const {
  if (!flow_holds(packet, flow, direction)) return false;
  return any_packet_ ||
         (any_direction_holds(rule, packet, sets, cache) && protocols_hold(rule, packet, flow));
}

bool HeaderPlan::holds_for_transaction(const Rule& rule, const Packet& packet, const Flow& flow,
                                       Direction direction, const AddressSets& sets,
                                       AddressCache& cache) const {
  if (holds(rule, packet, &flow, direction, sets, cache)) return true;
  if (!transactional_) return false;
  if (direction == Direction::to_server) return any_direction_holds(rule, packet, sets, cache);
  return reversed_endpoints_hold(rule, packet, sets, cache);
}

}  // namespace gatehouse::ids
