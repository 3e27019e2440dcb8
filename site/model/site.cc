#include "site/model/site.h"

#include <algorithm>
#include <array>

namespace gatehouse::site {
namespace {

constexpr std::array<std::string_view, kMacPermissions> kPermissionWords = {
    "read", "write", "append", "create", "remove", "execute", "list", "bind", "connect"};

template <class T>
const T* find_named(const std::vector<T>& all, std::string_view name) {
  const auto at = std::find_if(all.begin(), all.end(), [&](const T& x) { return x.name == name; });
  return at == all.end() ? nullptr : &*at;
}

}  // namespace

std::string_view to_string(Transport transport) {
  return transport == Transport::tcp ? "tcp" : "udp";
}

std::string PortRange::to_string() const {
  std::string out(site::to_string(transport));
  out += '/' + std::to_string(first);
  if (last != first) out += '-' + std::to_string(last);
  return out;
}

std::string_view to_string(MacPermission permission) {
  return kPermissionWords.at(static_cast<std::size_t>(permission));
}

std::optional<MacPermission> parse_mac_permission(std::string_view word) {
  const auto at = std::find(kPermissionWords.begin(), kPermissionWords.end(), word);
  if (at == kPermissionWords.end()) return std::nullopt;
  return static_cast<MacPermission>(at - kPermissionWords.begin());
}

const Host* Zone::find_host(std::string_view host_name) const {
  return find_named(hosts, host_name);
}
const Zone* Site::find_zone(std::string_view zone_name) const {
  return find_named(zones, zone_name);
}
const Service* Site::find_service(std::string_view service_name) const {
  return find_named(services, service_name);
}
const MacObject* Site::find_object(std::string_view object_name) const {
  return find_named(mac.objects, object_name);
}
const MacDomain* Site::find_domain(std::string_view domain_name) const {
  return find_named(mac.domains, domain_name);
}
const Group* Site::find_group(std::string_view group_name) const {
  return find_named(groups, group_name);
}
const Role* Site::find_role(std::string_view role_name) const {
  return find_named(roles, role_name);
}

std::optional<IpAddress> Site::target_of(const PortForward& forward) const {
  const Zone* zone = find_zone(forward.to.zone);
  const Host* host = zone == nullptr ? nullptr : zone->find_host(forward.to.host);
  if (host == nullptr) return std::nullopt;
  for (const IpAddress& a : host->addresses) {
    if (a.version == forward.address.version) return a;
  }
  return std::nullopt;
}

const Service* Site::service_behind(const PortForward& forward) const {
  for (const Service& s : services) {
    if (s.host.zone != forward.to.zone || s.host.host != forward.to.host) continue;
    for (const PortRange& p : s.ports) {
      if (p.covers(forward.port.transport, forward.to_port) &&
          p.covers(forward.port.transport, forward.last_to_port()))
        return &s;
    }
  }
  return nullptr;
}

std::vector<IpPrefix> Site::networks_of(const Endpoint& endpoint) const {
  const Zone* zone = find_zone(endpoint.zone);
  if (zone == nullptr) return {};
  if (endpoint.host.empty()) return zone->networks;
  std::vector<IpPrefix> out;
  if (const Host* host = zone->find_host(endpoint.host)) {
    for (const IpAddress& a : host->addresses) out.push_back({a, static_cast<std::uint8_t>(a.size() * 8)});
  }
  return out;
}

std::string_view to_string(Sensitivity sensitivity) {
  constexpr std::string_view kNames[] = {"low", "normal", "high", "off"};
  return kNames[static_cast<std::size_t>(sensitivity)];
}

}  // namespace gatehouse::site
