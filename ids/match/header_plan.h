// A rule's header in the form that is asked for every candidate. Rules share
// few address sets ($HOME_NET and its kin): each is kept once, and whether an
// address is in one of the common ones is found out once a packet.
#pragma once

#include <array>
#include <cstdint>
#include <map>
#include <utility>
#include <vector>

#include "ids/keywords/range_set.h"
#include "ids/keywords/rule.h"

namespace gatehouse::ids {

using AddressSetId = std::uint32_t;
inline constexpr AddressSetId kAnyAddress = 0;

// All address sets of an engine. First every set is counted, then they get
// numbers: the most used ones the lowest, as those are what AddressCache
// remembers.
class AddressSets {
 public:
  void count(const AddressSet& set);
  void number();
  AddressSetId id_of(const AddressSet& set) const;  // one that was counted
  void finish() { known_.clear(); }                 // after the last id_of()
  bool contains(AddressSetId id, const IpAddress& address) const;

 private:
  struct Ranges {
    std::vector<std::pair<std::uint32_t, std::uint32_t>> v4;
    std::vector<std::pair<Wide, Wide>> v6;
  };
  std::vector<Ranges> sets_;                          // by id - 1
  std::map<std::vector<Wide>, std::uint32_t> known_;  // how often, then its number
};

// What one packet's addresses were found to be in.
class AddressCache {
 public:
  void begin(const Packet& packet) {
    addresses_ = {&packet.source, &packet.destination};
    known_ = {};
  }
  bool source_in(const AddressSets& sets, AddressSetId id) { return in(sets, id, 0); }
  bool destination_in(const AddressSets& sets, AddressSetId id) { return in(sets, id, 1); }

 private:
  bool in(const AddressSets& sets, AddressSetId id, std::size_t side) {
    if (id == kAnyAddress) return true;
    if (id > 64) return sets.contains(id, *addresses_[side]);
    const std::uint64_t bit = std::uint64_t{1} << (id - 1U);
    if ((known_[side] & bit) == 0) {
      known_[side] |= bit;
      held_[side] = sets.contains(id, *addresses_[side]) ? held_[side] | bit : held_[side] & ~bit;
    }
    return (held_[side] & bit) != 0;
  }

  std::array<const IpAddress*, 2> addresses_{};
  std::array<std::uint64_t, 2> known_{}, held_{};  // by set id - 1
};

// Everything asked first of a candidate lies together, without a look at the rule itself: most candidates end
// here, and what a rule holds is rarely in the processor's caches.
class HeaderPlan {
 public:
  HeaderPlan() = default;
  HeaderPlan(const Rule& rule, const AddressSets& sets);

  // Protocols, addresses, ports and the flow keyword: the same answer as header_holds() of rule_header.h.
  bool holds(const Rule& rule, const Packet& packet, const Flow* flow, Direction direction,
             const AddressSets& sets, AddressCache& cache) const;
  // The same for one side of a transaction. In `=>` rules the header speaks of
  // the request; the response comes the other way.
  bool holds_for_transaction(const Rule& rule, const Packet& packet, const Flow& flow, Direction direction,
                             const AddressSets& sets, AddressCache& cache) const;

  // False: addresses and ports rule it out for all packets of this flow's
  // direction.
  bool may_hold(const Rule& rule, const Packet& packet, const AddressSets& sets, AddressCache& cache) const {
    return transactional_ || any_packet_ || any_direction_holds(rule, packet, sets, cache);
  }

 private:
  enum class Established : std::uint8_t { any, yes, no };
  // One range of ports stands here; of more, the smallest and the largest, and the rule tells.
  struct Ports {
    std::uint16_t first = 0, last = 65535;
    bool any = true, exact = true;

    explicit Ports(const PortSet& set);
    Ports() = default;
    bool hold(const PortSet& set, const Packet& packet, std::uint16_t port) const {
      return any || (packet.has_transport && port >= first && port <= last && (exact || set.contains(port)));
    }
  };
  static constexpr std::uint8_t kAnyProtocol = 0, kManyProtocols = 255;
  static constexpr std::size_t kMaskedApps = 64;

  bool endpoints_hold(const Rule& rule, const Packet& packet, const AddressSets& sets,
                      AddressCache& cache) const;
  bool reversed_endpoints_hold(const Rule& rule, const Packet& packet, const AddressSets& sets,
                               AddressCache& cache) const;
  bool any_direction_holds(const Rule& rule, const Packet& packet, const AddressSets& sets,
                           AddressCache& cache) const;
  bool flow_holds(const Packet& packet, const Flow* flow, Direction direction) const;
  bool protocols_hold(const Rule& rule, const Packet& packet, const Flow* flow) const;

  AddressSetId source_ = kAnyAddress, destination_ = kAnyAddress;
  Ports source_ports_, destination_ports_;
  std::uint64_t apps_ = 0;  // bits of the application protocols; 0: any
  std::optional<Direction> direction_;
  Established established_ = Established::any;
  std::uint8_t ip_version_ = 0, ip_protocol_ = kAnyProtocol;
  bool many_apps_ = false;  // some have no bit: the rule tells
  bool any_packet_ = false, bidirectional_ = false, transactional_ = false;
};

}  // namespace gatehouse::ids
