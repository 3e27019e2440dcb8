// `syn-proxy` of services.
#include <algorithm>

#include "site/load/reader.h"

namespace gatehouse::site {

std::optional<SynProxy> read_syn_proxy(const YamlNode* node, Diagnostics& diagnostics) {
  if (node == nullptr || (node->is_scalar() && node->text == "false")) return std::nullopt;
  SynProxy out;
  out.where = node->where;
  if (node->is_scalar() && node->text == "true") return out;
  if (!node->is_map()) {
    diagnostics.error("bad-value", node->where, "expected `true`, `false` or a mapping").hint =
        "write `syn-proxy: true`, or what the host says: {mss: 1460, window-scale: 7}";
    return std::nullopt;
  }
  constexpr std::uint16_t kLeastMss = 536, kMostMss = 65'495;  // RFC 9293 3.7.1; 65,535 less both headers
  constexpr std::uint8_t kMostScale = 14;                      // RFC 7323 2.3
  MapReader map(*node, "syn-proxy", diagnostics);
  out.mss = static_cast<std::uint16_t>(map.uint("mss", out.mss, kLeastMss, kMostMss));
  out.window_scale = static_cast<std::uint8_t>(map.uint("window-scale", out.window_scale, 0, kMostScale));
  out.timestamps = map.boolean("timestamps", out.timestamps);
  out.sack = map.boolean("sack", out.sack);
  map.finish();
  return out;
}

// What it stands before: TCP ports of a host behind the gatehouse, open to the whole outside.
void check_syn_proxy(const Site& site, const Service& service, Diagnostics& diagnostics) {
  if (!service.syn_proxy) return;
  const auto refuse = [&](const std::string& message, const std::string& hint) {
    diagnostics.error("bad-syn-proxy", service.syn_proxy->where, message).hint = hint;
  };
  const auto is_untrusted = [&](const Endpoint& e) {
    const Zone* zone = site.find_zone(e.zone);
    return zone != nullptr && zone->untrusted;
  };
  const auto& exposed = service.exposed_to;
  if (service.host.is_gatehouse())
    return refuse("a SYN proxy stands before hosts behind the gatehouse, not before its own ports",
                  "remove it: net.ipv4.tcp_syncookies does the same for the gatehouse's own services");
  if (is_untrusted(service.host))
    return refuse("a SYN proxy stands before hosts of trusted zones", "remove it");
  if (std::none_of(service.ports.begin(), service.ports.end(),
                   [](const PortRange& p) { return p.transport == Transport::tcp; }))
    return refuse("service `" + service.name + "` has no TCP port to answer for", "remove `syn-proxy`");
  if (std::none_of(exposed.begin(), exposed.end(), is_untrusted))
    return refuse("service `" + service.name + "` is not exposed to the untrusted zone",
                  "expose it, or remove `syn-proxy`: it answers connections from outside");
  for (const Endpoint& e : exposed) {
    if (!e.host.empty() && is_untrusted(e))
      return refuse("a SYN proxy answers everybody outside before it knows who may connect",
                    "expose the service to zone `" + e.zone + "` as a whole, or remove `syn-proxy`");
  }
}

}  // namespace gatehouse::site
