#include <algorithm>
#include <set>

#include "site/load/checker.h"

namespace gatehouse::site {
namespace {

class Checker : public Checks {
 public:
  using Checks::Checks;

  void run() {
    check_zones();
    for (const Service& service : site_.services) check_service(service);
    for (const Flow& flow : site_.flows) {
      check_endpoint(flow.from);
      check_endpoint(flow.to);
      if (flow.from.zone == flow.to.zone)
        error("flow-inside-zone", flow.where, "a flow inside one zone does not pass the gatehouse").hint =
            "remove it, or name another zone";
      if (flow.user && !flow.from.is_gatehouse()) {
        error("user-elsewhere", flow.where,
              "the gatehouse does not see whose packets come from other machines")
            .hint = "`user` is for flows from the gatehouse";
      }
      if (flow.group && !flow.from.is_gatehouse()) {
        error("cgroup-elsewhere", flow.where,
              "the gatehouse does not see in which control group packets of other machines come from")
            .hint = "`cgroup` is for flows from the gatehouse";
      }
    }
    for (const Endpoint& e : site_.firewall.ping_from) check_endpoint(e);
    for (const Masquerade& m : site_.nat.masquerades) {
      check_endpoint(m.from);
      check_endpoint(m.to);
    }
    for (const PortForward& f : site_.nat.forwards) {
      check_endpoint(f.from);
      check_endpoint(f.to);
    }
    for (const Assertion& a : site_.assertions) {
      check_endpoint(a.from);
      check_endpoint(a.to);
    }
    check_administration();
    check_people_and_mac(site_, diagnostics_);
    check_listeners();
    check_detection_and_soc();
  }

 private:
  void check_zones() {
    const Zone* untrusted = nullptr;
    for (std::size_t i = 0; i < site_.zones.size(); ++i) {
      const Zone& zone = site_.zones[i];
      if (zone.untrusted && untrusted != nullptr)
        error("two-outsides", zone.where, "only one zone can have `networks: any`").hint =
            "list the networks of one of them";
      if (zone.untrusted) untrusted = &zone;
      if (!zone.untrusted && zone.networks.empty())
        error("missing-network", zone.where, "zone `" + zone.name + "` has no network").hint =
            "add its networks, or write `networks: any`";
      for (std::size_t j = 0; j < i; ++j) check_pair(site_.zones[j], zone);
      for (const Host& host : zone.hosts) check_host(zone, host);
    }
    if (site_.zones.empty())
      error("missing-zone", {site_.file, 1, 1}, "a site needs at least one zone").hint =
          "add `zones:` with the interface and the networks of each side";
  }

  void check_pair(const Zone& first, const Zone& second) {
    if (first.interface == second.interface) {
      error("same-interface", second.where,
            "zones `" + first.name + "` and `" + second.name + "` share the interface " + first.interface)
          .hint = "a zone is all that is behind one interface: make them one zone";
    }
    for (const IpPrefix& a : first.networks) {
      for (const IpPrefix& b : second.networks) {
        if (a.overlaps(b)) {
          error("overlapping-zones", second.where,
                "network " + b.to_string() + " of zone `" + second.name + "` overlaps " + a.to_string() +
                    " of zone `" + first.name + "`")
              .hint = "an address belongs to one zone: make one of the networks smaller";
        }
      }
    }
  }

  void check_host(const Zone& zone, const Host& host) {
    for (const IpAddress& address : host.addresses) {
      const bool inside = std::any_of(zone.networks.begin(), zone.networks.end(),
                                      [&](const IpPrefix& n) { return n.contains(address); });
      if (!inside && !zone.untrusted)
        error("host-outside-zone", host.where,
              "address " + address.to_string() + " of host `" + host.name + "` is in no network of zone `" +
                  zone.name + "`")
            .hint = "correct the address, or add its network to the zone";
    }
  }

  void check_service(const Service& service) {
    check_endpoint(service.host);
    if (!service.host.is_gatehouse() && service.host.host.empty())
      error("missing-host", service.where, "service `" + service.name + "` must name a host: zone/host")
          .hint = "write the zone, `/` and one of its hosts";
    for (const Endpoint& e : service.exposed_to) check_endpoint(e);
    if (!service.exposed_to.empty() && service.ports.empty()) {
      error("exposed-without-port", service.where,
            "service `" + service.name + "` is exposed but binds no port")
          .hint = "add `ports:`, or remove `expose:`";
    }
    if (service.domain.empty()) {
      error("no-domain", service.where, "service `" + service.name + "` has no MAC domain").hint =
          "add `domain:` and define it under mac.domains";
    } else if (const MacDomain* domain = site_.find_domain(service.domain)) {
      if (!domain->exec.empty() && domain->exec != service.exec) {
        error("exec-mismatch", service.where,
              "service `" + service.name + "` runs " + service.exec + " but its domain `" + domain->name +
                  "` is for " + domain->exec)
            .hint = "name the same program in both";
      }
      for (const PortRange& port : service.ports) {
        if (!may_bind(*domain, port)) {
          error("port-not-bindable", port.where,
                "domain `" + domain->name + "` may not bind " + port.to_string() + " of service `" +
                    service.name + "`")
              .hint = "grant `bind` on an object with that port";
        }
      }
    } else {
      unknown("domain", service.domain, service.where, site_.mac.domains);
    }
    check_ssh(service);
    check_syn_proxy(site_, service, diagnostics_);
    for (const Service& other : site_.services) {
      if (&other == &service) break;
      if (!(other.host.zone == service.host.zone && other.host.host == service.host.host)) continue;
      for (const PortRange& a : service.ports) {
        for (const PortRange& b : other.ports) {
          if (a.transport == b.transport && a.first <= b.last && b.first <= a.last) {
            error("port-taken", a.where,
                  a.to_string() + " of service `" + service.name + "` is bound by service `" + other.name +
                      "` on the same host")
                .hint = "one host has each port once";
          }
        }
      }
    }
  }

  // One point of access: whatever listens on the SSH port, or says it is remote administration,
  // may be reached from the administration host and from nowhere else.
  void check_ssh(const Service& service) {
    const bool ssh_port = std::any_of(service.ports.begin(), service.ports.end(),
                                      [](const PortRange& p) { return p.covers(Transport::tcp, 22); });
    if (!ssh_port && !service.ssh) return;
    for (const Endpoint& e : service.exposed_to) {
      const bool admin = site_.administration && e.zone == site_.administration->host.zone &&
                         e.host == site_.administration->host.host;
      if (!admin) {
        error("ssh-exposed", e.where,
              "SSH of service `" + service.name + "` is exposed to " + e.to_string() +
                  ", which is not the administration host")
            .hint = site_.administration ? "expose it to " + site_.administration->host.to_string() + " only"
                                         : "define `administration: {host: zone/host}`";
      }
    }
  }

  const MacObject* object_with_port(const MacGrant& grant, const PortRange& port) const {
    for (const std::string& name : grant.objects) {
      const MacObject* object = site_.find_object(name);
      if (object == nullptr) continue;
      for (const PortRange& p : object->ports) {
        if (p.transport == port.transport && p.first <= port.first && p.last >= port.last) return object;
      }
    }
    return nullptr;
  }
  bool may_bind(const MacDomain& domain, const PortRange& port) const {
    return std::any_of(domain.grants.begin(), domain.grants.end(), [&](const MacGrant& g) {
      const bool bind =
          std::find(g.permissions.begin(), g.permissions.end(), MacPermission::bind) != g.permissions.end();
      return bind && object_with_port(g, port) != nullptr;
    });
  }

  // A domain that may bind a port which no service of that domain declares and exposes is an open
  // door nobody asked for.
  void check_listeners() {
    for (const MacDomain& domain : site_.mac.domains) {
      for (const MacGrant& grant : domain.grants) {
        if (std::find(grant.permissions.begin(), grant.permissions.end(), MacPermission::bind) ==
            grant.permissions.end())
          continue;
        for (const std::string& name : grant.objects) {
          const MacObject* object = site_.find_object(name);
          if (object == nullptr) continue;
          for (const PortRange& port : object->ports) check_listener(domain, grant, port);
        }
      }
    }
  }
  void check_listener(const MacDomain& domain, const MacGrant& grant, const PortRange& port) {
    const bool exposed = std::any_of(site_.services.begin(), site_.services.end(), [&](const Service& s) {
      if (s.domain != domain.name || s.exposed_to.empty()) return false;
      return std::any_of(s.ports.begin(), s.ports.end(), [&](const PortRange& p) {
        return p.transport == port.transport && p.first <= port.first && p.last >= port.last;
      });
    });
    if (!exposed)
      error("listener-not-exposed", grant.where,
            "domain `" + domain.name + "` may bind " + port.to_string() + ", which no service of it exposes");
  }

  void check_administration() {
    if (!site_.administration) {
      if (!site_.roles.empty())
        error("missing-administration", site_.roles.front().where,
              "roles need `administration: {host: zone/host}`: people reach servers through one host");
      return;
    }
    const Endpoint& host = site_.administration->host;
    if (!check_endpoint(host)) return;
    const Zone* zone = site_.find_zone(host.zone);
    if (host.is_gatehouse() || host.host.empty())
      error("missing-host", site_.administration->where, "the administration host is one host: zone/host");
    if (zone != nullptr && zone->untrusted)
      error("admin-outside", site_.administration->where,
            "the administration host cannot stand in the untrusted zone")
          .hint = "name a host of a zone with networks";
  }

  void check_detection_and_soc() {
    for (const std::string& zone : site_.detection.interfaces) {
      if (site_.find_zone(zone) == nullptr) unknown("zone", zone, site_.detection.where, site_.zones);
    }
    for (const ZoneSensitivity& s : site_.detection.sensitivity) {
      if (site_.find_zone(s.zone) == nullptr) unknown("zone", s.zone, s.where, site_.zones);
    }
    for (const DetectionException& e : site_.detection.exceptions) {
      check_party(e.source);
      check_party(e.target);
    }
    if (site_.detection.response) check_party(site_.detection.response->never);
    for (const Receiver& receiver : site_.soc.receivers) {
      if (receiver.kind != ReceiverKind::syslog_tls || !check_endpoint(receiver.host)) continue;
      if (receiver.host.host.empty()) {
        error("missing-host", receiver.where, "receiver `" + receiver.name + "` must name a host: zone/host");
        continue;
      }
      const bool permitted = std::any_of(site_.flows.begin(), site_.flows.end(), [&](const Flow& f) {
        const bool reaches =
            f.to.zone == receiver.host.zone && (f.to.host.empty() || f.to.host == receiver.host.host);
        return f.from.is_gatehouse() && reaches &&
               std::any_of(f.ports.begin(), f.ports.end(),
                           [&](const PortRange& p) { return p.covers(Transport::tcp, receiver.port); });
      });
      if (!permitted) {
        error("receiver-unreachable", receiver.where,
              "no flow lets the gatehouse reach receiver `" + receiver.name + "` at tcp/" +
                  std::to_string(receiver.port))
            .hint = "add {from: gatehouse, to: " + receiver.host.to_string() + ", ports: [tcp/" +
                    std::to_string(receiver.port) + "]} to `flows`";
      }
    }
  }
};

}  // namespace

void cross_check(const Site& site, Diagnostics& diagnostics) {
  const std::size_t before = diagnostics.error_count();
  Checker(site, diagnostics).run();
  if (diagnostics.error_count() == before) check_nat(site, diagnostics);
}

void resolve_parties(Site& site) {
  const auto resolve = [&](Party& party) {
    for (const Endpoint& endpoint : party.endpoints) {
      const std::vector<IpPrefix> networks = site.networks_of(endpoint);
      party.networks.insert(party.networks.end(), networks.begin(), networks.end());
    }
  };
  for (DetectionException& e : site.detection.exceptions) {
    resolve(e.source);
    resolve(e.target);
  }
  if (site.detection.response) resolve(site.detection.response->never);
}

}  // namespace gatehouse::site
