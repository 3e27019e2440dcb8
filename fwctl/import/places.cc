#include "fwctl/import/places.h"

#include <fmt/format.h>

#include <algorithm>
#include <set>

#include "fwctl/prove/policy_facts.h"
#include "site/model/site.h"

namespace gatehouse::fwctl {
namespace {

using core::Errc;
using core::fail;
using core::IpAddress;
using core::IpPrefix;
using prove::Wide;

constexpr std::size_t kMostNetworks = 16, kMostHosts = 32;

Wide highest(std::uint8_t family) {
  return family == 4 ? Wide{0xffff'ffff} : ~Wide{0};
}
bool has_address(const prove::Ranges& ranges, const char* text) {
  const Wide value = prove::wide_address(*IpAddress::parse(text));
  return std::any_of(ranges.all.begin(), ranges.all.end(),
                     [&](const auto& r) { return r.first <= value && value <= r.second; });
}
// Addresses that are somewhere in the world, as every upstream may send them.
bool has_the_world(const prove::Ranges& v4) {
  return has_address(v4, "1.1.1.1") && has_address(v4, "8.8.8.8") && has_address(v4, "193.0.14.129");
}

// One that no zone has yet: interfaces may differ in what a name cannot hold.
std::string zone_name(const std::string& interface, const std::vector<ProposedZone>& others) {
  std::string out;
  for (const char c : interface) out += std::isalnum(static_cast<unsigned char>(c)) != 0 ? c : '-';
  const bool starts_well = std::isalpha(static_cast<unsigned char>(out[0])) != 0;
  if (!starts_well || out == site::kGatehouse) out = "zone-" + out;
  const auto taken = [&](const std::string& name) {
    return std::any_of(others.begin(), others.end(), [&](const ProposedZone& z) { return z.name == name; });
  };
  std::string unique = out;
  for (int i = 2; taken(unique); ++i) unique = fmt::format("{}-{}", out, i);
  return unique;
}

core::Result<std::string> outside_of(const prove::Reach& reach, const std::vector<std::string>& interfaces,
                                     const ImportHints& hints) {
  if (!hints.outside.empty()) return hints.outside;
  std::vector<std::string> found;
  for (const std::string& name : interfaces) {
    const auto v4 = reach.sources.find({name, 4});
    if (v4 != reach.sources.end() && has_the_world(v4->second)) found.push_back(name);
  }
  if (found.size() == 1) return found[0];
  return fail(Errc::invalid_input, fmt::format("which interface leads outside? Say --outside with one of: {}",
                                               fmt::join(interfaces, ", ")));
}

// Said, else as the rules check sources, else as this machine's own addresses are.
std::vector<IpPrefix> networks_behind(const std::string& name, const prove::Reach& reach,
                                      const ImportHints& hints) {
  if (const auto said = hints.networks.find(name); said != hints.networks.end()) return said->second;
  std::vector<IpPrefix> out;
  for (const std::uint8_t family : {std::uint8_t{4}, std::uint8_t{6}}) {
    const auto sources = reach.sources.find({name, family});
    if (sources == reach.sources.end() || sources->second.is_everything(highest(family))) continue;
    const auto prefixes = prefixes_of(sources->second.all, family, kMostNetworks);
    if (prefixes) out.insert(out.end(), prefixes->begin(), prefixes->end());
  }
  if (!out.empty()) return out;
  const auto connected = hints.connected.find(name);
  return connected == hints.connected.end() ? out : connected->second;
}

}  // namespace

IpAddress address_of(Wide value, std::uint8_t family) {
  const std::size_t size = family == 4 ? 4 : 16;
  std::array<std::uint8_t, 16> bytes{};
  for (std::size_t i = size; i-- > 0; value >>= 8U) bytes[i] = static_cast<std::uint8_t>(value & 0xffU);
  return IpAddress::from_bytes(core::ByteView(bytes).first(size));
}

AddressRanges ranges_of(const std::vector<IpPrefix>& prefixes, std::uint8_t family) {
  AddressRanges all;
  for (const IpPrefix& p : prefixes) {
    if (p.address.version == family)
      all.emplace_back(prove::wide_address(p.address), prove::wide_address(p.last()));
  }
  std::sort(all.begin(), all.end());
  AddressRanges out;
  for (const auto& r : all) {
    if (!out.empty() && (r.first <= out.back().second || r.first == out.back().second + 1)) {
      out.back().second = std::max(out.back().second, r.second);
    } else {
      out.push_back(r);
    }
  }
  return out;
}

AddressRanges common(const AddressRanges& a, const AddressRanges& b) {
  AddressRanges out;
  for (const auto& x : a) {
    for (const auto& y : b) {
      const Wide first = std::max(x.first, y.first);
      const Wide last = std::min(x.second, y.second);
      if (first <= last) out.emplace_back(first, last);
    }
  }
  return out;
}

AddressRanges without(const AddressRanges& a, const AddressRanges& b, std::uint8_t family) {
  AddressRanges rest;
  Wide next = 0;
  bool done = false;
  for (const auto& [first, last] : b) {
    if (first > next) rest.emplace_back(next, first - 1);
    done = last == highest(family);
    if (!done) next = last + 1;
  }
  if (!done) rest.emplace_back(next, highest(family));
  return common(a, rest);
}

std::optional<std::vector<IpPrefix>> prefixes_of(const AddressRanges& ranges, std::uint8_t family,
                                                 std::size_t most) {
  std::vector<IpPrefix> out;
  const std::uint8_t bits = family == 4 ? 32 : 128;
  for (auto [first, last] : ranges) {
    for (;;) {
      if (out.size() == most) return std::nullopt;
      std::uint8_t host_bits = 0;
      for (Wide size = 1; host_bits < bits && (first & size) == 0; ++host_bits, size <<= 1U) {
        const Wide bigger = (size << 1U) - 1;
        if (bigger > last - first) break;
      }
      out.push_back({address_of(first, family), static_cast<std::uint8_t>(bits - host_bits)});
      const Wide span = host_bits == 128 ? ~Wide{0} : (Wide{1} << host_bits) - 1;
      if (last - first == span) break;
      first += span + 1;
    }
  }
  return out;
}

bool ProposedZone::has(std::uint8_t family) const {
  return untrusted || std::any_of(networks.begin(), networks.end(),
                                  [&](const IpPrefix& p) { return p.address.version == family; });
}

core::Result<std::vector<ProposedZone>> zones_of(const prove::Reach& reach,
                                                 const std::vector<std::string>& interfaces,
                                                 const ImportHints& hints) {
  if (interfaces.empty())
    return fail(Errc::invalid_input,
                "no rule speaks of an interface: say --networks INTERFACE=PREFIX for each");
  GH_TRY(const std::string outside, outside_of(reach, interfaces, hints));
  std::vector<ProposedZone> out = {{"outside", outside, true, {}, {}}};
  for (const std::string& name : interfaces) {
    if (name == outside) continue;
    ProposedZone zone{zone_name(name, out), name, false, networks_behind(name, reach, hints), {}};
    if (zone.networks.empty())
      return fail(Errc::invalid_input,
                  fmt::format("which addresses are behind {0}? Say --networks {0}=PREFIX,...", name));
    for (const ProposedZone& other : out) {
      for (const IpPrefix& p : zone.networks) {
        if (std::any_of(other.networks.begin(), other.networks.end(),
                        [&](const IpPrefix& o) { return o.overlaps(p); }))
          return fail(Errc::invalid_input, fmt::format("{} is behind {} and {}; say --networks for both",
                                                       p.to_string(), other.interface, name));
      }
    }
    out.push_back(std::move(zone));
  }
  return out;
}

Places::Places(std::vector<ProposedZone> zones, const prove::Reach& reach) : zones_(std::move(zones)) {
  name_hosts(reach);
}

const ProposedZone* Places::zone(const std::string& interface) const {
  const auto at = std::find_if(zones_.begin(), zones_.end(),
                               [&](const ProposedZone& z) { return z.interface == interface; });
  return at == zones_.end() ? nullptr : &*at;
}

AddressRanges Places::within(const ProposedZone& zone, const prove::Ranges& addresses,
                             std::uint8_t family) const {
  return common(addresses.all, ranges_of(zone.networks, family));
}

std::vector<IpAddress> Places::single(const std::string& interface, const prove::Ranges& addresses,
                                      std::uint8_t family) const {
  const ProposedZone* z = zone(interface);
  std::vector<IpAddress> out;
  if (z == nullptr || z->untrusted) return out;
  const AddressRanges here = within(*z, addresses, family);
  if (here == ranges_of(z->networks, family)) return out;
  for (const auto& [first, last] : here) {
    if (last - first >= kMostHosts || out.size() + static_cast<std::size_t>(last - first) >= kMostHosts)
      return {};
    // Counted: behind the last address of all comes the first.
    for (Wide i = 0; i <= last - first; ++i) out.push_back(address_of(first + i, family));
  }
  return out;
}

// An IPv4 and an IPv6 address of one zone that are used alike, and no others so, are one host.
void Places::name_hosts(const prove::Reach& reach) {
  std::map<std::pair<std::string, IpAddress>, std::set<std::string>> uses;
  for (const prove::Box& b : reach.boxes) {
    const bool icmp = b.protocol == prove::kIcmp || b.protocol == prove::kIcmpv6;
    const std::string what =
        icmp ? "ping" : fmt::format("{} {}", b.protocol, fmt::join(b.ports.texts(), ","));
    for (const IpAddress& a : single(b.in, b.sources, b.family))
      uses[{b.in, a}].insert("to " + b.out + " " + what);
    for (const IpAddress& a : single(b.out, b.destinations, b.family))
      uses[{b.out, a}].insert("from " + b.in + " " + what);
  }
  for (ProposedZone& z : zones_) {
    std::map<std::set<std::string>, std::vector<IpAddress>> alike;
    for (const auto& [who, use] : uses) {
      if (who.first == z.interface) alike[use].push_back(who.second);
    }
    for (const auto& [use, addresses] : alike) {
      const bool pair = addresses.size() == 2 && addresses[0].version != addresses[1].version;
      for (std::size_t i = 0; i < addresses.size(); i += pair ? 2 : 1) {
        std::string name = "host-" + addresses[i].to_string();
        if (pair && !addresses[i].is_v4()) name = "host-" + addresses[i + 1].to_string();
        for (char& c : name) c = c == '.' || c == ':' ? '-' : c;
        std::vector<IpAddress>& host = z.hosts[name];
        host.push_back(addresses[i]);
        if (pair) host.push_back(addresses[i + 1]);
      }
    }
  }
}

std::optional<std::vector<std::string>> Places::ends(const std::string& interface,
                                                     const prove::Ranges& addresses,
                                                     std::uint8_t family) const {
  if (interface.empty()) return std::vector<std::string>{std::string(site::kGatehouse)};
  const ProposedZone* z = zone(interface);
  if (z == nullptr || addresses.more) return std::nullopt;
  if (z->untrusted) {
    // All that is outside, whatever else.
    std::vector<IpPrefix> elsewhere = prove::nobodys_outside();
    for (const ProposedZone& other : zones_)
      elsewhere.insert(elsewhere.end(), other.networks.begin(), other.networks.end());
    const AddressRanges outside = without({{0, highest(family)}}, ranges_of(elsewhere, family), family);
    if (without(outside, addresses.all, family).empty()) return std::vector<std::string>{z->name};
    return std::nullopt;
  }
  const AddressRanges here = within(*z, addresses, family);
  if (here.empty()) return std::nullopt;
  if (here == ranges_of(z->networks, family)) return std::vector<std::string>{z->name};
  std::vector<std::string> out;
  for (const IpAddress& a : single(interface, addresses, family)) {
    for (const auto& [name, all] : z->hosts) {
      if (std::find(all.begin(), all.end(), a) != all.end()) out.push_back(z->name + "/" + name);
    }
  }
  if (out.empty()) return std::nullopt;
  return out;
}

}  // namespace gatehouse::fwctl
