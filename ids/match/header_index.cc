#include "ids/match/header_index.h"

namespace gatehouse::ids {
namespace {

constexpr std::size_t kBlocks = 1U << 16U;

// Which part of all addresses a set holds, of the version where it holds more.
double share(const AddressSet& set) {
  if (set.any) return 1;
  double v4 = 0;
  double v6 = 0;
  for (const AddressSet::Range& r : set.v4())
    v4 += (1.0 + r.last.v4_host_order() - r.first.v4_host_order()) / 4294967296.0;
  // The first four bytes are enough to tell few from many.
  const auto upper = [](const IpAddress& a) {
    return static_cast<double>((std::uint32_t{a.bytes[0]} << 24U) | (std::uint32_t{a.bytes[1]} << 16U) |
                               (std::uint32_t{a.bytes[2]} << 8U) | a.bytes[3]);
  };
  for (const AddressSet::Range& r : set.v6()) v6 += (upper(r.last) - upper(r.first)) / 4294967296.0;
  return std::max(v4, v6);
}

double share(const PortSet& set) {
  if (set.any) return 1;
  double count = 0;
  for (const PortSet::Range& r : set.ranges) count += 1.0 + r.last - r.first;
  return count / 65536;
}

// A range stands in every interval it covers: wide ones would fill the table.
constexpr double kNarrowAddresses = 1.0 / 256, kNarrowPorts = 1.0 / 4;

}  // namespace

Wide HeaderIndex::wide(const IpAddress& address) {
  Wide value = 0;
  for (const std::uint8_t byte : address.bytes) value = value << 8U | byte;
  return value;
}

void HeaderIndex::add_addresses(std::size_t side, const AddressSet& set, PlanId plan) {
  for (const AddressSet::Range& r : set.v4()) {
    const std::uint32_t first = r.first.v4_host_order();
    const std::uint32_t last = r.last.v4_host_order();
    v4_[side].add(first, last, plan);
    near_[side].resize(kBlocks);
    for (std::uint32_t block = first >> 16U; block <= last >> 16U; ++block) near_[side][block] = true;
  }
  for (const AddressSet::Range& r : set.v6()) v6_[side].add(wide(r.first), wide(r.last), plan);
}

void HeaderIndex::add_ports(std::size_t side, const PortSet& set, PlanId plan) {
  for (const PortSet::Range& r : set.ranges) ports_[side].add(r.first, r.last, plan);
}

void HeaderIndex::add(const Rule& rule, PlanId plan) {
  empty_ = false;
  const std::array<const AddressSet*, 2> addresses = {&rule.source, &rule.destination};
  const std::array<const PortSet*, 2> ports = {&rule.source_port, &rule.destination_port};
  const std::size_t address_side = share(*addresses[0]) < share(*addresses[1]) ? kSource : kDestination;
  const std::size_t port_side = share(*ports[0]) < share(*ports[1]) ? kSource : kDestination;
  if (share(*addresses[address_side]) <= kNarrowAddresses) {
    for (const std::size_t side : {kSource, kDestination}) {
      if (side == address_side || rule.bidirectional) add_addresses(side, *addresses[address_side], plan);
    }
  } else if (share(*ports[port_side]) <= kNarrowPorts) {
    for (const std::size_t side : {kSource, kDestination}) {
      if (side == port_side || rule.bidirectional) add_ports(side, *ports[port_side], plan);
    }
  } else {
    rest_.push_back(plan);
  }
}

void HeaderIndex::build() {
  for (const std::size_t side : {kSource, kDestination}) {
    near_[side].resize(kBlocks);
    v4_[side].build();
    v6_[side].build();
    ports_[side].build();
  }
}

}  // namespace gatehouse::ids
