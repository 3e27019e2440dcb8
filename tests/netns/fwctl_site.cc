#include "tests/netns/fwctl_site.h"

#include <string>

namespace gatehouse::test {
namespace {

using namespace site;

std::uint32_t next_line = 1;
core::SourcePos here() {
  return {"full.yaml", next_line++, 3};
}

Endpoint at(std::string zone, std::string host = {}) {
  Endpoint out;
  out.zone = std::move(zone);
  out.host = std::move(host);
  out.where = here();
  return out;
}

PortRange port(Transport transport, std::uint16_t first, std::uint16_t last = 0) {
  PortRange out;
  out.transport = transport;
  out.first = first;
  out.last = last == 0 ? first : last;
  out.where = here();
  return out;
}

Zone zone(std::string name, std::string interface, int number, std::string host) {
  Zone out;
  out.name = std::move(name);
  out.interface = std::move(interface);
  out.where = here();
  out.untrusted = number == 0;
  if (out.untrusted) return out;
  const std::string n = std::to_string(number);
  out.networks = {*IpPrefix::parse("10.66." + n + ".0/24"), *IpPrefix::parse("fd66:" + n + "::/64")};
  Host h;
  h.name = std::move(host);
  h.addresses = {*IpAddress::parse("10.66." + n + ".10"), *IpAddress::parse("fd66:" + n + "::10")};
  h.where = here();
  out.hosts = {h};
  return out;
}

Service service(std::string name, Endpoint host, std::vector<PortRange> ports,
                std::vector<Endpoint> exposed_to) {
  Service out;
  out.name = std::move(name);
  out.host = std::move(host);
  out.ports = std::move(ports);
  out.exposed_to = std::move(exposed_to);
  out.where = here();
  return out;
}

Flow flow(Endpoint from, Endpoint to, std::vector<PortRange> ports) {
  Flow out;
  out.from = std::move(from);
  out.to = std::move(to);
  out.ports = std::move(ports);
  out.where = here();
  return out;
}

}  // namespace

Site full_site() {
  next_line = 1;
  constexpr auto tcp = Transport::tcp;
  constexpr auto udp = Transport::udp;
  const std::string gatehouse(kGatehouse);
  Site s;
  s.name = "full";
  s.file = "full.yaml";
  s.zones = {zone("outside", "wan0", 0, ""), zone("servers", "srv0", 1, "front"),
             zone("admin", "adm0", 2, "bastion"), zone("soc", "soc0", 3, "collector"),
             zone("lab", "lab0", 9, "bench")};
  const Endpoint front = at("servers", "front");
  s.services = {
      service("web", front, {port(tcp, 80), port(tcp, 443)}, {at("outside"), at("admin")}),
      service("mail", front, {port(tcp, 25)}, {at("outside")}),
      service("ssh", front, {port(tcp, 22)}, {at("admin", "bastion")}),
      service("media", front, {port(tcp, 9000, 9010)}, {at("admin")}),
      service("console", at(gatehouse), {port(tcp, 2222)}, {at("admin", "bastion")}),
      service("resolver", at(gatehouse), {port(udp, 53)}, {at("servers")}),
  };
  s.flows = {
      flow(at(gatehouse), at("soc", "collector"), {port(tcp, 6514), port(udp, 6515)}),
      flow(at("servers"), at("outside"), {port(udp, 53), port(tcp, 443), port(udp, 5353)}),
      flow(at("servers", "front"), at("soc"), {port(tcp, 7000)}),
  };
  s.firewall.ping_from = {at("admin", "bastion")};
  return s;
}

Site translating_site() {
  Site s = full_site();
  const auto forward = [](const char* address, PortRange ports, std::uint16_t to_port) {
    PortForward out;
    out.from = at("outside");
    out.to = at("servers", "front");
    out.address = *IpAddress::parse(address);
    out.port = std::move(ports);
    out.to_port = to_port;
    out.where = here();
    return out;
  };
  for (const char* address : {"198.51.100.1", "2001:db8:ff::1"}) {
    s.nat.forwards.push_back(forward(address, port(Transport::tcp, 8443), 443));
    s.nat.forwards.push_back(forward(address, port(Transport::tcp, 9000, 9010), 9000));
  }
  Masquerade hidden;
  hidden.from = at("servers");
  hidden.to = at("outside");
  hidden.where = here();
  s.nat.masquerades = {hidden};
  return s;
}

}  // namespace gatehouse::test
