// Zones, their networks and hosts: what addresses of a ruleset are called in a policy.
#pragma once

#include <map>
#include <optional>
#include <string>
#include <vector>

#include "core/ip.h"
#include "core/result.h"
#include "fwctl/import/propose.h"

namespace gatehouse::fwctl {

// Disjoint, ascending ranges of addresses of one family.
using AddressRanges = std::vector<std::pair<prove::Wide, prove::Wide>>;
AddressRanges ranges_of(const std::vector<core::IpPrefix>& prefixes, std::uint8_t family);
AddressRanges common(const AddressRanges& a, const AddressRanges& b);
// What `a` has and `b` has not.
AddressRanges without(const AddressRanges& a, const AddressRanges& b, std::uint8_t family);
// Nothing when that takes more than `most` prefixes.
std::optional<std::vector<core::IpPrefix>> prefixes_of(const AddressRanges& ranges, std::uint8_t family,
                                                       std::size_t most);
core::IpAddress address_of(prove::Wide value, std::uint8_t family);

struct ProposedZone {
  std::string name, interface;
  bool untrusted = false;
  std::vector<core::IpPrefix> networks;
  std::map<std::string, std::vector<core::IpAddress>> hosts;

  bool has(std::uint8_t family) const;
};

// In the order of the interfaces' names, the untrusted one first.
core::Result<std::vector<ProposedZone>> zones_of(const prove::Reach& reach,
                                                 const std::vector<std::string>& interfaces,
                                                 const ImportHints& hints);

// The ends of a box in the words of a policy.
class Places {
 public:
  // Gives names to the single addresses of the boxes.
  Places(std::vector<ProposedZone> zones, const prove::Reach& reach);

  const std::vector<ProposedZone>& zones() const { return zones_; }
  const ProposedZone* zone(const std::string& interface) const;
  // "servers", or "servers/front" several times; the gatehouse for no interface. Nothing when no words fit.
  std::optional<std::vector<std::string>> ends(const std::string& interface, const prove::Ranges& addresses,
                                               std::uint8_t family) const;

 private:
  AddressRanges within(const ProposedZone& zone, const prove::Ranges& addresses, std::uint8_t family) const;
  std::vector<core::IpAddress> single(const std::string& interface, const prove::Ranges& addresses,
                                      std::uint8_t family) const;
  void name_hosts(const prove::Reach& reach);

  std::vector<ProposedZone> zones_;
};

}  // namespace gatehouse::fwctl
