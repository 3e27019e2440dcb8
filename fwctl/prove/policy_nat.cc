// Forwarded ports and hidden sources, as the policy means them.
#include "fwctl/prove/policy.h"
#include "fwctl/prove/policy_facts.h"

namespace gatehouse::fwctl::prove {

using core::IpAddress;
using core::IpPrefix;
using Kind = ByteKey::Kind;

namespace {

Bytes bytes_of(const IpAddress& address) {
  return {address.view().begin(), address.view().end()};
}
std::vector<IpPrefix> one(const IpAddress& address) {
  return {{address, static_cast<std::uint8_t>(address.size() * 8)}};
}

}  // namespace

// The first packet of a connection; an ICMP error about one follows it.
Node Policy::translation_asked() {
  const Node icmp_here = is(Kind::protocol, f_.family() == 4 ? kIcmp : kIcmpv6);
  return d_.either(state(kStateNew), d_.both(state(kStateRelated), d_.negate(icmp_here)));
}

Node Policy::ports_are(site::Transport transport, std::uint16_t first, std::uint16_t last) {
  Word port;
  f_.append(port, {Kind::transport, 0, kDestinationPort});
  f_.append(port, {Kind::transport, 0, kDestinationPort + 1});
  return d_.both(is(Kind::protocol, transport == site::Transport::tcp ? kTcp : kUdp),
                 in_range(d_, port, first, last));
}

// What becomes of packets as they come, when `rest` is what becomes of them behind the translation.
Node Policy::translated(Node rest) {
  Node out = rest;
  const Node asked = translation_asked();
  for (const site::PortForward& f : site_.nat.forwards) {
    const site::Zone* from = site_.find_zone(f.from.zone);
    const auto target = site_.target_of(f);
    if (from == nullptr || !target || f.address.version != f_.family()) continue;
    const Node meant =
        all({interface_is(Kind::iifname, from->interface), address_in(Kind::destination, one(f.address)),
             ports_are(f.port.transport, f.port.first, f.port.last), asked});
    Bytes port;
    if (f.to_port != f.port.first)
      port = {static_cast<std::uint8_t>(f.to_port >> 8U), static_cast<std::uint8_t>(f.to_port)};
    Node behind = rest;
    for (const auto& [variable, value] : rewritten_bits(f_, bytes_of(*target), port))
      behind = d_.fix(behind, variable, value);
    out = d_.choose(meant, behind, out);
  }
  return out;
}

// Translated connections go where their port leads, within the limits of the service there.
Node Policy::forwarded(Node rest) {
  Node out = rest;
  const Node translated = in_range(d_, {destination_translated(f_)}, 1, 1);
  for (const site::PortForward& f : site_.nat.forwards) {
    const site::Zone* from = site_.find_zone(f.from.zone);
    const site::Zone* to = site_.find_zone(f.to.zone);
    const auto target = site_.target_of(f);
    const site::Service* service = site_.service_behind(f);
    if (from == nullptr || to == nullptr || service == nullptr || !target || target->version != f_.family())
      continue;
    const Node meant =
        all({translated, interface_is(Kind::iifname, from->interface),
             interface_is(Kind::oifname, to->interface), address_in(Kind::destination, one(*target)),
             ports_are(f.port.transport, f.to_port, f.last_to_port())});
    out = d_.choose(meant, limited(*service, f.port.transport), out);
  }
  return out;
}

Node Policy::hidden(Path path) {
  if (path == Path::to_gatehouse || f_.family() != 4) return d_.no();
  std::vector<Node> out;
  for (const site::Masquerade& m : site_.nat.masquerades) {
    const site::Zone* to = site_.find_zone(m.to.zone);
    if (to == nullptr) continue;
    out.push_back(d_.both(interface_is(Kind::oifname, to->interface),
                          address_in(Kind::source, site_.networks_of(m.from))));
  }
  return d_.both(any(out), translation_asked());
}

}  // namespace gatehouse::fwctl::prove
