#include "fwctl/prove/policy.h"

#include <linux/netfilter/nf_tables.h>

#include "fwctl/prove/policy_facts.h"
#include "fwctl/prove/symbolic.h"

namespace gatehouse::fwctl::prove {

using core::IpPrefix;
using Kind = ByteKey::Kind;

Policy::Policy(Diagrams& diagrams, Fields& fields, const site::Site& site, LargeSets& large)
    : d_(diagrams), f_(fields), site_(site), large_(large) {}

Node Policy::interface_is(Kind kind, std::string_view name) {
  const Wide value = wide_interface(name);
  return in_range(d_, f_.word(kind, 16), value, value);
}

Node Policy::address_in(Kind kind, const std::vector<IpPrefix>& prefixes) {
  Table table(1);
  for (const IpPrefix& p : prefixes) {
    if (p.address.version != f_.family()) continue;
    const Wide low = wide_address(p.address);
    const Wide high = wide_address(p.last());
    table.add({&low, 1}, {&high, 1}, d_.yes());
  }
  return lookup(d_, {f_.address(kind)}, table, d_.no());
}

Node Policy::is(Kind kind, std::uint8_t value, std::uint32_t b) {
  Word word;
  f_.append(word, {kind, 0, b});
  return in_range(d_, word, value, value);
}
Node Policy::among(Kind kind, std::initializer_list<std::uint8_t> values) {
  Node out = d_.no();
  for (const std::uint8_t v : values) out = d_.either(out, is(kind, v));
  return out;
}
Node Policy::all(std::initializer_list<Node> conditions) {
  Node out = d_.yes();
  for (const Node n : conditions) out = d_.both(out, n);
  return out;
}
Node Policy::any(const std::vector<Node>& conditions) {
  Node out = d_.no();
  for (const Node n : conditions) out = d_.either(out, n);
  return out;
}

Node Policy::icmp(std::uint8_t type) {
  return all({is(Kind::protocol, f_.family() == 4 ? kIcmp : kIcmpv6), is(Kind::transport, type)});
}

Node Policy::banned() {
  return in_range(d_, f_.banned(), 1, 1);
}

// Single addresses and ranges apart: where the ruleset holds them so, its sets are the same variables.
Node Policy::listed() {
  if (listed_) return *listed_;
  const Word source = f_.address(Kind::source);
  Node out = d_.no();
  for (const bool hosts : {true, false}) {
    KernelSet& set = lists_.emplace_back();
    set.key_length = f_.family() == 4 ? 4 : 16;
    for (const site::AddressRange& r : site_.firewall.blocked) {
      if (r.first.version != f_.family() || (r.first == r.last) != hosts) continue;
      KernelElement e;
      e.first.assign(r.first.view().begin(), r.first.view().end());
      e.last.assign(r.last.view().begin(), r.last.view().end());
      set.elements.push_back(std::move(e));
    }
    out = d_.either(out, membership_of(d_, f_, large_, set, source));
  }
  listed_ = out;
  return out;
}

Node Policy::neighbour_discovery() {
  if (f_.family() == 4) return d_.no();
  return all(
      {is(Kind::protocol, kIcmpv6), among(Kind::transport, {133, 134, 135, 136}), is(Kind::hop_limit, 255)});
}

Node Policy::never_outside(Kind kind) {
  std::vector<IpPrefix> all_of_them = nobodys_outside(site_);
  for (const site::Zone& z : site_.zones)
    all_of_them.insert(all_of_them.end(), z.networks.begin(), z.networks.end());
  return address_in(kind, all_of_them);
}

// docs/fwctl.md, row "prerouting".
Node Policy::source_belongs() {
  std::vector<Node> zones;
  for (const site::Zone& z : site_.zones) {
    const Node here = interface_is(Kind::iifname, z.interface);
    const Node fits =
        z.untrusted ? d_.negate(never_outside(Kind::source)) : address_in(Kind::source, z.networks);
    zones.push_back(d_.both(here, fits));
  }
  Word answer;
  f_.append(answer, {Kind::fib, route_back_question(), 0});
  const Node route_back = in_range(d_, {answer.back()}, 1, 1);
  Node on_link = d_.no();
  if (f_.family() == 6) {
    const Node listener_query =
        all({is(Kind::protocol, kIcmpv6), is(Kind::transport, 130), is(Kind::hop_limit, 1)});
    on_link = d_.both(address_in(Kind::source, {*IpPrefix::parse("::/128"), *IpPrefix::parse("fe80::/10")}),
                      d_.either(neighbour_discovery(), listener_query));
  }
  return any({interface_is(Kind::iifname, "lo"), on_link, d_.both(route_back, any(zones))});
}

// Of FIN, SYN, RST and ACK these alone.
Node Policy::flags_are(std::uint8_t flags) {
  Word word;
  f_.append(word, {Kind::transport, 0, kTcpFlags});
  Node out = d_.yes();
  for (const unsigned bit : {0U, 1U, 2U, 4U}) {
    const Wide value = flags >> bit & 1U;
    out = d_.both(in_range(d_, {word[7 - bit]}, value, value), out);
  }
  return out;
}

// The rows common to input, forward and output.
Node Policy::tracked(Node rest, const Stateless& stateless) {
  const Node tcp = is(Kind::protocol, kTcp);
  const Node opens = flags_are(kSyn);
  const Node error = f_.family() == 4
                         ? d_.both(is(Kind::protocol, kIcmp), among(Kind::transport, {3, 11, 12}))
                         : d_.both(is(Kind::protocol, kIcmpv6), among(Kind::transport, {1, 2, 3, 4}));
  Node out = refuse(all({state(kStateNew), tcp, d_.negate(opens)}), rest);
  out = refuse(state(kStateInvalid), out);
  for (auto at = stateless.rbegin(); at != stateless.rend(); ++at)
    out = d_.choose(at->first, at->second, out);
  out = decide(d_.both(state(kStateRelated), error), out);
  return decide(state(kStateEstablished), out);
}

Node Policy::pings() {
  std::vector<Node> from;
  for (const site::Endpoint& e : site_.firewall.ping_from) {
    const site::Zone* zone = site_.find_zone(e.zone);
    if (zone == nullptr) continue;  // the gatehouse's own are on another path
    const std::vector<IpPrefix> networks = site_.networks_of(e);
    const Node source = networks.empty() ? d_.yes() : address_in(Kind::source, networks);
    from.push_back(d_.both(interface_is(Kind::iifname, zone->interface), source));
  }
  return d_.both(icmp(f_.family() == 4 ? 8 : 128), any(from));
}

Node Policy::behind_translation(Path path) {
  Node out = grants(path);
  if (path == Path::from_gatehouse) out = handshakes(out);
  if (path == Path::through) out = forwarded(out);
  if (path == Path::from_gatehouse) {
    for (const site::Endpoint& e : site_.firewall.ping_from) {
      if (e.is_gatehouse()) out = decide(icmp(f_.family() == 4 ? 8 : 128), out);
    }
    if (f_.family() == 6) {
      out = decide(
          all({is(Kind::protocol, kIcmpv6), among(Kind::transport, {131, 132, 143}), is(Kind::hop_limit, 1)}),
          out);
    }
    out = decide(neighbour_discovery(), out);
    return decide(interface_is(Kind::oifname, "lo"), tracked(out, answers()));
  }
  out = decide(pings(), out);
  if (path == Path::through) {
    std::vector<Node> strays;  // for an address that is not outside, by an untrusted way out
    for (const site::Zone& z : site_.zones) {
      if (z.untrusted) strays.push_back(interface_is(Kind::oifname, z.interface));
    }
    out = tracked(refuse(d_.both(any(strays), never_outside(Kind::destination)), out), answered_through());
  } else {
    if (f_.family() == 6) {
      out = decide(all({is(Kind::protocol, kIcmpv6), is(Kind::transport, 130), is(Kind::hop_limit, 1)}), out);
      std::vector<Node> heard;
      for (const site::Zone& z : site_.zones) {
        const Node here = interface_is(Kind::iifname, z.interface);
        heard.push_back(z.untrusted ? here : d_.both(here, d_.negate(is(Kind::transport, 134))));
      }
      out = decide(d_.both(neighbour_discovery(), any(heard)), out);
    }
    out = decide(interface_is(Kind::iifname, "lo"), tracked(out));
  }
  return out;
}

Node Policy::path(Path path) {
  Node out = behind_translation(path);
  if (path == Path::from_gatehouse) return out;
  // SYNs that the gatehouse answers are in no state, and nothing translates them.
  Node untracked = out;
  Word state;
  f_.append(state, {Kind::ct_state});
  for (std::size_t i = 0; i < 8; ++i)
    untracked = d_.fix(untracked, state[i].variable(), (kStateUntracked >> (7 - i) & 1) != 0);
  return d_.choose(admitted(), d_.choose(taken_from_tracking(), untracked, translated(out)), d_.leaf(kDrop));
}

// What prerouting lets in, by its source alone.
Node Policy::admitted() {
  Node out = source_belongs();
  std::vector<Node> outside;
  for (const site::Zone& z : site_.zones) {
    if (z.untrusted) outside.push_back(interface_is(Kind::iifname, z.interface));
  }
  if (!site_.firewall.blocked.empty()) out = d_.both(out, d_.negate(d_.both(any(outside), listed())));
  return d_.both(out, d_.negate(d_.both(banned(), d_.negate(interface_is(Kind::iifname, "lo")))));
}

// What connection tracking takes for the first packet of a connection: of TCP a SYN, or an ACK in the middle
// of one (nf_conntrack_proto_tcp.c: tcp_valid_flags, and the row of a connection that is not there), of ICMP
// and ICMPv6 a question. Anything else of these is invalid or belongs to a connection.
Node Policy::first_packets() {
  const Node begins = d_.either(flags_are(kSyn), flags_are(kAck));
  const Node question =
      f_.family() == 4 ? among(Kind::transport, {8, 13, 15, 17}) : among(Kind::transport, {128, 139});
  const Node icmp_here = is(Kind::protocol, f_.family() == 4 ? kIcmp : kIcmpv6);
  const Node fits = d_.choose(is(Kind::protocol, kTcp), begins, d_.choose(icmp_here, question, d_.yes()));
  return d_.choose(state(kStateNew), fits, d_.yes());
}

// --- which packets there are -------------------------------------------------------------------------

Node Policy::possible(Path path) {
  // What begins a connection has no status, but that it may be a second packet without an answer.
  constexpr std::uint8_t kConfirmed = 0x08;  // IPS_CONFIRMED
  Word status;
  f_.append(status, {Kind::ct, NFT_CT_STATUS, 0});
  const Node none = d_.either(in_range(d_, status, 0, 0), in_range(d_, status, kConfirmed, kConfirmed));
  return d_.both(possible_behind(path), d_.choose(state(kStateNew), none, d_.yes()));
}

// A packet is whole, or this is a piece of it, and its header says so.
Node Policy::pieces() {
  const Node whole = is(Kind::fragment, 0);
  const Node first = is(Kind::fragment, kFirstPiece);
  const Node later = is(Kind::fragment, kLaterPiece);
  Node says_so = d_.yes();
  if (f_.family() == 4) {
    Word more;
    Word offset;
    f_.append(more, {Kind::network, 0, kFragmentFlags});
    f_.append(offset, {Kind::network, 0, kFragmentOffset});
    offset.insert(offset.begin(), more.begin() + 3, more.end());  // 13 bits
    more = {more[2]};
    const Node begins = in_range(d_, offset, 0, 0);
    const Node goes_on = in_range(d_, more, 1, 1);
    says_so = d_.choose(begins, d_.choose(goes_on, first, whole), later);
  } else {
    // One alone may have the header too (RFC 6946), and keeps it.
    const std::uint32_t key = extension_key(NFT_EXTHDR_OP_IPV6, kFragmentHeader);
    Word before;
    Word behind;
    f_.append(before, {Kind::extension, key, 0});
    f_.append(behind, {Kind::extension, key, 1});
    const Node had = in_range(d_, {before.back()}, 1, 1);
    const Node has = in_range(d_, {behind.back()}, 1, 1);
    says_so = d_.choose(whole, d_.choose(had, has, d_.negate(has)), d_.both(had, d_.negate(has)));
  }
  return d_.both(any({whole, first, later}), says_so);
}

Node Policy::syn_of_known_connection() {
  return all({is(Kind::protocol, kTcp), flags_are(kSyn), d_.negate(state(kStateNew))});
}

Node Policy::possible_behind(Path path) {
  const Node states =
      among(Kind::ct_state, {kStateInvalid, kStateEstablished, kStateRelated, kStateNew, kStateUntracked});
  // Connection tracking leaves neighbour discovery and listener messages alone, and nothing else.
  Node out = states;
  if (f_.family() == 4) {
    out = d_.both(out, d_.negate(state(kStateUntracked)));
  } else {
    const Node left_alone = d_.both(is(Kind::protocol, kIcmpv6),
                                    among(Kind::transport, {130, 131, 132, 133, 134, 135, 136, 143}));
    out = d_.both(out, d_.choose(left_alone, state(kStateUntracked), d_.negate(state(kStateUntracked))));
  }
  out = d_.both(out, first_packets());
  out = d_.both(out, pieces());
  for (const Kind kind : {Kind::iifname, Kind::oifname}) {
    const bool there = kind == Kind::iifname ? path != Path::from_gatehouse : path != Path::to_gatehouse;
    if (!there) continue;
    // Printable bytes, then zeros, at least one byte and at most 15.
    Node valid = is(kind, 0, 15);
    for (std::uint32_t b = 15; b-- > 0;) {
      Word byte;
      f_.append(byte, {kind, 0, b});
      Node zeros = d_.yes();
      for (std::uint32_t rest = 15; rest >= b && rest > 0; --rest) zeros = d_.both(is(kind, 0, rest), zeros);
      const Node printable = d_.both(in_range(d_, byte, 0x21, 0x7e), valid);
      valid = b == 0 ? printable : d_.either(zeros, printable);
    }
    out = d_.both(out, valid);
    if (path == Path::through) out = d_.both(out, d_.negate(interface_is(kind, "lo")));
  }
  return out;
}

}  // namespace gatehouse::fwctl::prove
