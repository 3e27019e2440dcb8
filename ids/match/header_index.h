// Rules that no literal preselects, found by the narrowest part of their
// header: lists of addresses, ports.
#pragma once

#include <array>

#include "ids/keywords/range_set.h"
#include "ids/keywords/rule.h"
#include "ids/match/interval_table.h"

namespace gatehouse::ids {

// Index into EngineImpl::plans; ascending order is report order.
using PlanId = std::uint32_t;

class HeaderIndex {
 public:
  void add(const Rule& rule, PlanId plan);
  void build();
  // `sink(span<const PlanId>)`: all rules whose header may hold for `packet`;
  // the rest cannot.
  template <class Sink>
  void find(const Packet& packet, Sink&& sink) const {
    if (empty_) return;
    if (!rest_.empty()) sink(std::span<const PlanId>(rest_));
    for (const std::size_t side : {kSource, kDestination}) {
      const IpAddress& address = side == kSource ? packet.source : packet.destination;
      if (address.is_v4()) {
        if (const std::uint32_t number = address.v4_host_order(); near_[side][number >> 16U])
          sink(v4_[side].at(number));
      } else if (!v6_[side].empty()) {
        sink(v6_[side].at(wide(address)));
      }
      if (!ports_[side].empty())
        sink(ports_[side].at(side == kSource ? packet.source_port : packet.destination_port));
    }
  }
  bool empty() const { return empty_; }

 private:
  static constexpr std::size_t kSource = 0, kDestination = 1;
  static Wide wide(const IpAddress& address);
  void add_addresses(std::size_t side, const AddressSet& set, PlanId plan);
  void add_ports(std::size_t side, const PortSet& set, PlanId plan);

  bool empty_ = true;
  std::vector<PlanId> rest_;
  // Whether any IPv4 range lies in a /16: most addresses are in none, and one
  // look says so.
  std::array<std::vector<bool>, 2> near_;
  std::array<IntervalTable<std::uint32_t, PlanId>, 2> v4_;
  std::array<IntervalTable<Wide, PlanId>, 2> v6_;
  std::array<IntervalTable<std::uint16_t, PlanId>, 2> ports_;
};

}  // namespace gatehouse::ids
