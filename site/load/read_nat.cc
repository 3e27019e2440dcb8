// The `nat` section: masquerading and forwarded ports.
#include <algorithm>

#include "site/load/reader.h"

namespace gatehouse::site {
namespace {

Endpoint endpoint(MapReader& map, std::string_view key) {
  const YamlNode* node = map.required(key);
  if (node == nullptr) return {};
  auto out = read_endpoint(*node, map.diagnostics());
  return out ? std::move(*out) : Endpoint{};
}

Masquerade read_masquerade(const YamlNode& node, Diagnostics& diagnostics) {
  MapReader map(node, "masquerade", diagnostics);
  Masquerade out;
  out.where = node.where;
  out.from = endpoint(map, "from");
  out.to = endpoint(map, "to");
  map.finish();
  return out;
}

PortForward read_forward(const YamlNode& node, Diagnostics& diagnostics) {
  MapReader map(node, "forward", diagnostics);
  PortForward out;
  out.where = node.where;
  out.from = endpoint(map, "from");
  out.to = endpoint(map, "to");
  if (const YamlNode* address = map.required("address")) {
    if (const auto a = core::yaml_address(*address, diagnostics)) out.address = *a;
  }
  if (const YamlNode* port = map.required("port")) {
    if (const auto p = read_port(*port, diagnostics)) out.port = *p;
  }
  const YamlNode* to_port = map.optional("to-port");
  out.to_port = static_cast<std::uint16_t>(map.uint("to-port", out.port.first, 1, 65535));
  if (to_port != nullptr && out.port.first != out.port.last) {
    diagnostics.error("bad-value", to_port->where, "a range of ports keeps its numbers").hint =
        "leave `to-port` away, or forward one port";
  }
  map.finish();
  return out;
}

class NatChecker {
 public:
  NatChecker(const Site& site, Diagnostics& diagnostics) : site_(site), diagnostics_(diagnostics) {}

  void run() {
    for (const Masquerade& m : site_.nat.masquerades) masquerade(m);
    for (std::size_t i = 0; i < site_.nat.forwards.size(); ++i) {
      const PortForward& f = site_.nat.forwards[i];
      forward(f);
      for (std::size_t j = 0; j < i; ++j) same_port(site_.nat.forwards[j], f);
    }
  }

 private:
  void error(const char* code, const SourcePos& where, std::string message, std::string hint) {
    diagnostics_.error(code, where, std::move(message)).hint = std::move(hint);
  }

  void masquerade(const Masquerade& m) {
    const Zone* from = site_.find_zone(m.from.zone);
    if (from == nullptr || from->untrusted) {
      error("bad-masquerade", m.from.where,
            "`" + m.from.to_string() + "` has no addresses that could be hidden",
            "name a zone with networks, or a host of one");
      return;
    }
    const std::vector<IpPrefix> sources = site_.networks_of(m.from);
    if (std::none_of(sources.begin(), sources.end(), [](const IpPrefix& p) { return p.address.is_v4(); })) {
      error("bad-masquerade", m.from.where, "`" + m.from.to_string() + "` has no IPv4 address",
            "only IPv4 is masqueraded: IPv6 networks are routed");
    }
    if (m.to.is_gatehouse() || !m.to.host.empty() || m.to.zone == m.from.zone) {
      error("bad-masquerade", m.to.where, "`to` is the zone by which hidden sources leave",
            "name another zone than `from`, without a host");
    }
  }

  void forward(const PortForward& f) {
    if (f.from.is_gatehouse() || !f.from.host.empty() || f.from.zone == f.to.zone)
      error("bad-forward", f.from.where, "`from` is the zone that may use the port",
            "name another zone than that of `to`, without a host");
    if (f.to.is_gatehouse() || f.to.host.empty()) {
      error("bad-forward", f.to.where, "a port is forwarded to one host", "write zone/host");
      return;
    }
    if (!site_.target_of(f)) {
      error("bad-forward", f.to.where,
            "`" + f.to.to_string() + "` has no address of the version of " + f.address.to_string(),
            "both ends of a translation are IPv4, or both IPv6");
      return;
    }
    for (const Zone& zone : site_.zones) {
      for (const Host& host : zone.hosts) {
        if (std::find(host.addresses.begin(), host.addresses.end(), f.address) != host.addresses.end())
          error("bad-forward", f.where,
                f.address.to_string() + " belongs to host `" + host.name + "`, not to the gatehouse",
                "`address` is the one of the gatehouse that clients connect to");
      }
    }
    if (site_.service_behind(f) == nullptr) {
      PortRange target = f.port;
      target.first = f.to_port;
      target.last = f.last_to_port();
      error("forward-unserved", f.where, "no service on " + f.to.to_string() + " binds " + target.to_string(),
            "forward to the ports of a service; it need not be exposed itself");
    }
  }

  void same_port(const PortForward& a, const PortForward& b) {
    const bool apart = a.from.zone != b.from.zone || !(a.address == b.address) ||
                       a.port.transport != b.port.transport || a.port.last < b.port.first ||
                       b.port.last < a.port.first;
    if (apart) return;
    error("port-taken", b.where, b.port.to_string() + " of " + b.address.to_string() + " is forwarded twice",
          "the other one is in line " + std::to_string(a.where.line));
  }

  const Site& site_;
  Diagnostics& diagnostics_;
};

}  // namespace

Nat read_nat(const YamlNode* node, Diagnostics& diagnostics) {
  Nat out;
  if (node == nullptr) return out;
  MapReader map(*node, "nat", diagnostics);
  for (const YamlNode* m : map.list("masquerade"))
    out.masquerades.push_back(read_masquerade(*m, diagnostics));
  for (const YamlNode* f : map.list("forward")) out.forwards.push_back(read_forward(*f, diagnostics));
  map.finish();
  return out;
}

void check_nat(const Site& site, Diagnostics& diagnostics) {
  NatChecker(site, diagnostics).run();
}

}  // namespace gatehouse::site
