// The SYN proxy, as the policy means it (docs/fwctl.md, "SYN proxy").
#include <linux/netfilter/nf_synproxy.h>
#include <linux/netfilter/nf_tables.h>

#include "fwctl/prove/policy.h"
#include "fwctl/prove/policy_facts.h"

namespace gatehouse::fwctl::prove {

using Kind = ByteKey::Kind;

bool answered_for(const site::Site& site, const site::Service& service, const site::Endpoint& from,
                  site::Transport transport) {
  const site::Zone* zone = site.find_zone(from.zone);
  return service.syn_proxy && transport == site::Transport::tcp && zone != nullptr && zone->untrusted;
}

std::string answer_text(const site::SynProxy& proxy, std::uint8_t family) {
  constexpr std::uint8_t kNumbers = NF_SYNPROXY_OPT_MSS | NF_SYNPROXY_OPT_WSCALE;
  const std::uint32_t flags = kNumbers | (proxy.timestamps ? NF_SYNPROXY_OPT_TIMESTAMP : 0U) |
                              (proxy.sack ? NF_SYNPROXY_OPT_SACK_PERM : 0U);
  return answer_text(SynProxying{proxy.mss_of(family), proxy.window_scale, flags});
}

// Calls `each(service, outside)` for every service that is answered for; of two that claim the same, what is
// said of the first is said last and counts.
template <class Each>
void Policy::for_each_answered(Each each) {
  for (auto s = site_.services.rbegin(); s != site_.services.rend(); ++s) {
    for (const site::Endpoint& from : s->exposed_to) {
      if (answered_for(site_, *s, from, site::Transport::tcp)) each(*s, *site_.find_zone(from.zone));
    }
  }
}

// The service's addresses and TCP ports; as the source of a packet, or as its destination.
Node Policy::at_answered(const site::Service& service, bool as_source) {
  std::vector<Node> ports;
  const std::uint32_t offset = as_source ? kSourcePort : kDestinationPort;
  for (const site::PortRange& p : service.ports) {
    if (p.transport != site::Transport::tcp) continue;
    Word port;
    f_.append(port, {Kind::transport, 0, offset});
    f_.append(port, {Kind::transport, 0, offset + 1});
    ports.push_back(in_range(d_, port, p.first, p.last));
  }
  return all({is(Kind::protocol, kTcp), any(ports),
              address_in(as_source ? Kind::source : Kind::destination, site_.networks_of(service.host))});
}

Node Policy::way_to(const site::Service& service) {
  const site::Zone* zone = site_.find_zone(service.host.zone);
  return zone == nullptr ? d_.no() : interface_is(Kind::oifname, zone->interface);
}

// -1 is nobody's number.
Node Policy::by_a_program() {
  Word there;
  Word user;
  f_.append(there, has_user());
  for (std::uint32_t i = 0; i < 4; ++i) f_.append(user, {Kind::meta, NFT_META_SKUID, i});
  constexpr Wide kNobody = 0xffff'ffff;
  return d_.both(in_range(d_, {there.back()}, 1, 1), d_.negate(in_range(d_, user, kNobody, kNobody)));
}

// Connection tracking sees no SYN from outside to such a port.
Node Policy::taken_from_tracking() {
  Node out = d_.no();
  for_each_answered([&](const site::Service& s, const site::Zone& outside) {
    out = d_.either(
        out, all({interface_is(Kind::iifname, outside.interface), at_answered(s, false), flags_are(kSyn)}));
  });
  return out;
}

Policy::Stateless Policy::answered_through() {
  Node out = d_.leaf(kDrop);
  Node concerned = d_.no();
  const Node handshake = d_.maybe(ReasonKind::rate, std::string(kHandshake));
  for_each_answered([&](const site::Service& s, const site::Zone& outside) {
    const Node here = all({interface_is(Kind::iifname, outside.interface), way_to(s), at_answered(s, false)});
    const Node syn = d_.both(state(kStateUntracked), flags_are(kSyn));
    const Node ack = d_.both(state(kStateInvalid), flags_are(kAck));
    const Node waiting = d_.both(state(kStateNew), flags_are(kAck));
    // Behind the handshake the host is asked, within the limits of the service.
    const Node host = limited(s, site::Transport::tcp);
    const Node ends = d_.choose(handshake, host, d_.leaf(kDrop));
    concerned = d_.either(concerned, d_.both(here, any({syn, ack, waiting})));
    out = d_.choose(here, d_.choose(syn, host, d_.choose(ack, ends, d_.leaf(kAccept))), out);
  });
  return {{concerned, out}};
}

// The gatehouse's SYN to the host, for a client outside.
Node Policy::handshakes(Node rest) {
  Node out = rest;
  for_each_answered([&](const site::Service& s, const site::Zone&) {
    const Node meant = all({state(kStateNew), flags_are(kSyn), way_to(s), at_answered(s, false),
                            d_.negate(by_a_program()), d_.negate(never_outside(Kind::source))});
    out = d_.choose(meant, limited(s, site::Transport::tcp), out);
  });
  return out;
}

// Its SYN and ACK to the client.
Policy::Stateless Policy::answers() {
  Node out = d_.no();
  for_each_answered([&](const site::Service& s, const site::Zone& outside) {
    out = d_.either(out, all({state(kStateInvalid), flags_are(kSyn | kAck), at_answered(s, true),
                              interface_is(Kind::oifname, outside.interface)}));
  });
  return {{out, d_.leaf(kAccept)}};
}

Node Policy::answered(Path path) {
  Node out = d_.no();
  if (path != Path::through) return out;
  for_each_answered([&](const site::Service& s, const site::Zone& outside) {
    const Node here =
        all({admitted(), interface_is(Kind::iifname, outside.interface), way_to(s), at_answered(s, false)});
    const Node taken = d_.either(flags_are(kSyn), d_.both(state(kStateInvalid), flags_are(kAck)));
    const Reason says = d_.reason(ReasonKind::translation, answer_text(*s.syn_proxy, f_.family()));
    out = d_.choose(d_.both(here, taken), d_.leaf(Leaf{kTranslate, {says}}), out);
  });
  return out;
}

}  // namespace gatehouse::fwctl::prove
