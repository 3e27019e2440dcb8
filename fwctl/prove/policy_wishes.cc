// Which packet of many is shown: the most ordinary one.
#include "fwctl/prove/policy.h"
#include "fwctl/prove/policy_facts.h"

namespace gatehouse::fwctl::prove {

using core::IpPrefix;
using Kind = ByteKey::Kind;

std::vector<Node> Policy::wishes(Path path) {
  std::vector<Node> out;
  out.push_back(is(Kind::fragment, 0));
  if (path != Path::from_gatehouse) out.push_back(d_.negate(banned()));
  for (const Kind kind : {Kind::iifname, Kind::oifname}) {
    const bool there = kind == Kind::iifname ? path != Path::from_gatehouse : path != Path::to_gatehouse;
    if (!there) continue;
    std::vector<Node> zones;
    for (const site::Zone& z : site_.zones) zones.push_back(interface_is(kind, z.interface));
    out.push_back(any(zones));
  }
  if (path == Path::through) {
    std::vector<Node> turning;  // out where it came in
    for (const site::Zone& z : site_.zones)
      turning.push_back(
          d_.both(interface_is(Kind::iifname, z.interface), interface_is(Kind::oifname, z.interface)));
    out.push_back(d_.negate(any(turning)));
  }
  for (const site::Zone& z : site_.zones) {
    if (z.untrusted && path != Path::from_gatehouse) out.push_back(interface_is(Kind::iifname, z.interface));
  }
  out.push_back(state(kStateNew));
  Word answer;
  f_.append(answer, {Kind::fib, route_back_question(), 0});
  if (path != Path::from_gatehouse) out.push_back(in_range(d_, {answer.back()}, 1, 1));
  const Node tcp_syn = d_.both(is(Kind::protocol, kTcp), is(Kind::transport, 2, kTcpFlags));
  const Node udp = is(Kind::protocol, kUdp);
  out.push_back(any({tcp_syn, udp, icmp(f_.family() == 4 ? 8 : 128)}));
  out.push_back(d_.either(tcp_syn, udp));
  // Two different hosts, told apart by the last byte of their addresses.
  Word from_byte;
  Word to_byte;
  f_.append(from_byte, {Kind::source, 0, f_.family() == 4 ? 3U : 15U});
  f_.append(to_byte, {Kind::destination, 0, f_.family() == 4 ? 3U : 15U});
  Node differ = d_.no();
  for (std::size_t i = 0; i < 8; ++i) {
    const Node a = in_range(d_, {from_byte[i]}, 1, 1);
    const Node b = in_range(d_, {to_byte[i]}, 1, 1);
    differ = d_.either(differ, d_.choose(a, d_.negate(b), b));
  }
  out.push_back(differ);
  // Addresses that hosts have: first any ordinary one, then a host of the site, then the nearest guess.
  for (const Kind kind : {Kind::source, Kind::destination})
    out.push_back(d_.negate(address_in(kind, nobodys_outside())));
  for (const bool known_only : {false, true}) {
    for (const Kind kind : {Kind::source, Kind::destination}) {
      // The gatehouse has an address in each of its networks.
      Kind side = kind == Kind::source ? Kind::iifname : Kind::oifname;
      if (path == Path::to_gatehouse) side = Kind::iifname;
      if (path == Path::from_gatehouse) side = Kind::oifname;
      const bool own = path == (kind == Kind::source ? Path::from_gatehouse : Path::to_gatehouse);
      std::vector<Node> places;
      for (const site::Zone& z : site_.zones) {
        std::vector<IpPrefix> networks = z.networks;
        if (z.untrusted) networks = outside_examples(site_);
        if (known_only && !own && !z.hosts.empty()) {
          networks.clear();
          for (const site::Host& h : z.hosts) {
            for (const core::IpAddress& a : h.addresses)
              networks.push_back({a, static_cast<std::uint8_t>(a.size() * 8)});
          }
        }
        places.push_back(d_.both(interface_is(side, z.interface), address_in(kind, networks)));
      }
      out.push_back(any(places));
    }
  }
  Word source_port;
  f_.append(source_port, {Kind::transport, 0, 0});
  f_.append(source_port, {Kind::transport, 0, 1});
  out.push_back(in_range(d_, source_port, 1024, 65535));
  out.push_back(is(Kind::hop_limit, 64));
  // Not a network's first address, and a port that is one.
  Word last_byte;
  for (const Kind kind : {Kind::source, Kind::destination}) {
    last_byte.clear();
    f_.append(last_byte, {kind, 0, f_.family() == 4 ? 3U : 15U});
    out.push_back(in_range(d_, last_byte, 2, 250));
  }
  Word port;
  f_.append(port, {Kind::transport, 0, 3});
  out.push_back(in_range(d_, port, 1, 255));
  return out;
}

}  // namespace gatehouse::fwctl::prove
