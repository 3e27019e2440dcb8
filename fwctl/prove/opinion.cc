// The policy's meaning for one packet.
#include <fmt/format.h>
#include <linux/netfilter/nf_tables.h>

#include <algorithm>

#include "fwctl/prove/policy.h"
#include "fwctl/prove/policy_facts.h"
#include "fwctl/prove/symbolic.h"

namespace gatehouse::fwctl::prove {

using core::IpAddress;
using core::IpPrefix;
using Kind = ByteKey::Kind;

Wide wide_address(const IpAddress& address) {
  Wide out = 0;
  for (const std::uint8_t b : address.view()) out = out << 8U | b;
  return out;
}
Wide wide_interface(std::string_view name) {
  Wide out = 0;
  for (std::size_t i = 0; i < 16; ++i)
    out = out << 8U | (i < name.size() ? static_cast<std::uint8_t>(name[i]) : 0U);
  return out;
}

namespace {

std::vector<IpPrefix> prefixes(std::initializer_list<const char*> all) {
  std::vector<IpPrefix> out;
  for (const char* text : all) out.push_back(*IpPrefix::parse(text));
  return out;
}

}  // namespace

const std::vector<IpPrefix>& nobodys_outside() {
  static const std::vector<IpPrefix> all = prefixes(
      {"0.0.0.0/8", "127.0.0.0/8", "224.0.0.0/3", "::/127", "::ffff:0:0/96", "fe80::/10", "ff00::/8"});
  return all;
}
const std::vector<IpPrefix>& nobodys_outside(const site::Site& site) {
  // RFC 1918, 6598, 3927, 7335, 7600, 8880, 5737, 2544; 8215, 6666, 9780, 5180, 3849, 9637, 9602, 4193.
  static const std::vector<IpPrefix> registry = [] {
    std::vector<IpPrefix> out =
        prefixes({"10.0.0.0/8",     "172.16.0.0/12", "192.168.0.0/16", "100.64.0.0/10", "169.254.0.0/16",
                  "192.0.0.0/29",   "192.0.0.8/32",  "192.0.0.170/31", "192.0.2.0/24",  "198.51.100.0/24",
                  "203.0.113.0/24", "198.18.0.0/15", "64:ff9b:1::/48", "100::/64",      "100:0:0:1::/64",
                  "2001:2::/48",    "2001:db8::/32", "3fff::/20",      "5f00::/16",     "fc00::/7"});
    out.insert(out.end(), nobodys_outside().begin(), nobodys_outside().end());
    return out;
  }();
  return site.firewall.registry_bogons ? registry : nobodys_outside();
}
const std::vector<IpPrefix>& outside_examples(const site::Site& site) {
  static const std::vector<IpPrefix> documentation =
      prefixes({"198.51.100.0/24", "192.0.2.0/24", "203.0.113.0/24", "2001:db8::/32"});
  static const std::vector<IpPrefix> allocated = prefixes({"9.9.9.0/24", "2620:fe::/48"});
  return site.firewall.registry_bogons ? allocated : documentation;
}

namespace {

class OnePacket {
 public:
  OnePacket(const site::Site& site, const Packet& packet)
      : site_(site),
        p_(packet),
        source_(packet.address(Kind::source)),
        destination_(packet.address(Kind::destination)),
        in_(packet.interface(Kind::iifname)),
        out_(packet.interface(Kind::oifname)) {
    untracked_ = p_.path != Path::from_gatehouse && is_untrusted(in_) && has_flags(kSyn) &&
                 answered(p_.port(kDestinationPort), destination_) != nullptr;
    if (p_.path != Path::from_gatehouse && !untracked_) translate();
  }

  Opinion decide() {
    if (p_.path != Path::from_gatehouse && in_ != "lo" && p_.byte({Kind::banned}) != 0)
      return no("the source is banned for a time");
    if (p_.path != Path::from_gatehouse && is_listed()) return no("the source is on a blocklist");
    if (p_.path != Path::from_gatehouse && !source_belongs())
      return no("the source does not belong to the interface (docs/fwctl.md, prerouting)");
    if (p_.path == Path::to_gatehouse && in_ == "lo") return yes("loopback");
    if (p_.path == Path::from_gatehouse && out_ == "lo") return yes("loopback");
    std::uint8_t state = p_.byte({Kind::ct_state});
    if (untracked_) state = kStateUntracked;
    if (state == kStateEstablished) return yes("an established connection");
    if (state == kStateRelated && error()) return yes("an error of a known connection");
    if (const auto out = proxied(state)) return *out;
    if (state == kStateInvalid) return no("no valid connection state");
    if (state == kStateNew && p_.protocol() == kTcp && !has_flags(kSyn))
      return no("new TCP that does not begin with SYN alone");
    return kept_by_path();
  }

 private:
  // FIN, SYN, RST and ACK as they are in `flags`.
  bool has_flags(std::uint8_t flags) const {
    constexpr std::uint8_t kFinSynRstAck = 23;
    return p_.protocol() == kTcp && (type(kTcpFlags) & kFinSynRstAck) == flags;
  }
  bool is_untrusted(const std::string& interface) const {
    const site::Zone* zone = zone_of(interface);
    return zone != nullptr && zone->untrusted;
  }
  // The service at this address and port that the gatehouse answers for.
  const site::Service* answered(std::uint16_t port, const IpAddress& address) const {
    if (p_.protocol() != kTcp) return nullptr;
    for (const site::Service& s : site_.services) {
      const bool for_it = std::any_of(s.exposed_to.begin(), s.exposed_to.end(), [&](const site::Endpoint& e) {
        return answered_for(site_, s, e, site::Transport::tcp);
      });
      const bool its_port = std::any_of(s.ports.begin(), s.ports.end(), [&](const site::PortRange& r) {
        return r.covers(site::Transport::tcp, port);
      });
      if (for_it && its_port && inside(site_.networks_of(s.host), address)) return &s;
    }
    return nullptr;
  }
  Opinion within_limits(const site::Service& s, const std::string& what) const {
    Opinion out = yes(at(s.syn_proxy->where, "syn-proxy of service " + s.name + what));
    out.limited = !limits_on(site_, s, site::Transport::tcp, p_.family).empty();
    return out;
  }
  // What has no state, or none that counts, because the gatehouse answers for a service.
  std::optional<Opinion> proxied(std::uint8_t state) const {
    if (p_.path == Path::to_gatehouse) return std::nullopt;
    const bool leaves = p_.path == Path::from_gatehouse;
    if (leaves && state == kStateInvalid && has_flags(kSyn | kAck) && is_untrusted(out_)) {
      const site::Service* s = answered(p_.port(kSourcePort), source_);
      if (s != nullptr) return yes(at(s->syn_proxy->where, "the answer for service " + s->name));
    }
    const site::Service* s = answered(p_.port(kDestinationPort), destination_);
    const site::Zone* zone = s == nullptr ? nullptr : site_.find_zone(s->host.zone);
    if (zone == nullptr || zone->interface != out_) return std::nullopt;
    if (leaves) {
      const bool handshake = state == kStateNew && has_flags(kSyn) && !p_.user() && !never_outside(source_);
      return handshake ? std::optional(within_limits(*s, ", for who completed the handshake")) : std::nullopt;
    }
    if (!is_untrusted(in_)) return std::nullopt;
    if (untracked_) return within_limits(*s, "");
    if (state == kStateInvalid && has_flags(kAck))
      return within_limits(*s, ", if it completes the handshake");
    if (state == kStateNew && has_flags(kAck))
      return yes(at(s->syn_proxy->where, "a connection to service " + s->name + " that waits for the host"));
    return std::nullopt;
  }
  bool translation_asked() const {
    const std::uint8_t state = p_.byte({Kind::ct_state});
    const bool icmp = p_.protocol() == (p_.family == 4 ? kIcmp : kIcmpv6);
    return state == kStateNew || (state == kStateRelated && !icmp);
  }
  // From here on the packet is the one behind the translation.
  void translate() {
    for (const site::PortForward& f : site_.nat.forwards) {
      core::SourcePos where;
      const site::Zone* from = site_.find_zone(f.from.zone);
      const auto target = site_.target_of(f);
      if (!translation_asked() || from == nullptr || from->interface != in_ || !target ||
          !(f.address == destination_) || !covers({f.port}, where))
        continue;
      const auto offset = static_cast<std::uint16_t>(p_.port(kDestinationPort) - f.port.first);
      destination_ = *target;
      p_.set(Kind::destination, destination_);
      p_.set_port(kDestinationPort, static_cast<std::uint16_t>(f.to_port + offset));
      translated_ = true;
      return;
    }
  }

  static Opinion yes(std::string why) { return {true, false, std::move(why)}; }
  static Opinion no(std::string why) { return {false, false, std::move(why)}; }
  static std::string at(const core::SourcePos& where, const std::string& what) {
    if (where.line == 0) return what;
    const std::size_t slash = where.file.rfind('/');
    return fmt::format("{}:{} {}", slash == std::string::npos ? where.file : where.file.substr(slash + 1),
                       where.line, what);
  }

  std::uint8_t type(std::uint32_t offset = 0) const { return p_.byte({Kind::transport, 0, offset}); }
  std::uint8_t hops() const { return p_.byte({Kind::hop_limit}); }
  bool icmpv6() const { return p_.family == 6 && p_.protocol() == kIcmpv6; }
  bool error() const {
    if (p_.family == 4) return p_.protocol() == kIcmp && (type() == 3 || type() == 11 || type() == 12);
    return icmpv6() && type() >= 1 && type() <= 4;
  }
  bool discovery() const { return icmpv6() && type() >= 133 && type() <= 136 && hops() == 255; }
  bool listener_query() const { return icmpv6() && type() == 130 && hops() == 1; }
  static bool inside(const std::vector<IpPrefix>& all, const IpAddress& a) {
    return std::any_of(all.begin(), all.end(), [&](const IpPrefix& p) { return p.contains(a); });
  }
  bool never_outside(const IpAddress& a) const {
    if (inside(nobodys_outside(site_), a)) return true;
    return std::any_of(site_.zones.begin(), site_.zones.end(),
                       [&](const site::Zone& z) { return inside(z.networks, a); });
  }
  const site::Zone* zone_of(const std::string& interface) const {
    for (const site::Zone& z : site_.zones) {
      if (z.interface == interface) return &z;
    }
    return nullptr;
  }

  bool is_listed() const {
    const site::Zone* zone = zone_of(in_);
    if (zone == nullptr || !zone->untrusted) return false;
    return std::any_of(site_.firewall.blocked.begin(), site_.firewall.blocked.end(), [&](const auto& r) {
      return r.first.version == source_.version && r.first.bytes <= source_.bytes &&
             source_.bytes <= r.last.bytes;
    });
  }
  bool source_belongs() const {
    if (in_ == "lo") return true;
    static const std::vector<IpPrefix> on_link = {*IpPrefix::parse("::/128"), *IpPrefix::parse("fe80::/10")};
    if (p_.family == 6 && inside(on_link, source_) && (discovery() || listener_query())) return true;
    if ((p_.byte({Kind::fib, route_back_question(), 0}) & 1) == 0) return false;
    const site::Zone* zone = zone_of(in_);
    if (zone == nullptr) return false;
    return zone->untrusted ? !never_outside(source_) : inside(zone->networks, source_);
  }

  bool echo() const {
    return p_.family == 4 ? p_.protocol() == kIcmp && type() == 8 : icmpv6() && type() == 128;
  }
  bool covers(const site::Endpoint& e, const std::string& interface, const IpAddress& a, bool source) const {
    if (e.is_gatehouse()) return interface.empty();
    const site::Zone* zone = site_.find_zone(e.zone);
    if (zone == nullptr || zone->interface != interface) return false;
    if (e.host.empty() && (source || zone->untrusted)) return true;
    return inside(site_.networks_of(e), a);
  }

  Opinion kept_by_path() const {
    if (p_.path == Path::to_gatehouse) {
      const site::Zone* zone = zone_of(in_);
      if (discovery() && zone != nullptr && (type() != 134 || zone->untrusted))
        return yes("neighbour discovery, RFC 4890 4.4.1");
      if (listener_query()) return yes("a multicast listener query");
    } else if (p_.path == Path::through) {
      const site::Zone* zone = zone_of(out_);
      if (zone != nullptr && zone->untrusted && never_outside(destination_))
        return no("the destination is not outside (docs/fwctl.md, forward)");
    } else {
      if (discovery()) return yes("neighbour discovery, RFC 4890 4.4.1");
      if (icmpv6() && hops() == 1 && (type() == 131 || type() == 132 || type() == 143))
        return yes("a multicast listener report");
    }
    for (const site::Endpoint& e : site_.firewall.ping_from) {
      const bool from = e.is_gatehouse() ? p_.path == Path::from_gatehouse
                                         : p_.path != Path::from_gatehouse && covers(e, in_, source_, true);
      if (echo() && from) return yes(at(e.where, "ping-from " + e.to_string()));
    }
    return granted();
  }

  bool covers(const std::vector<site::PortRange>& ports, core::SourcePos& where) const {
    const std::uint8_t protocol = p_.protocol();
    if (protocol != kTcp && protocol != kUdp) return false;
    const auto transport = protocol == kTcp ? site::Transport::tcp : site::Transport::udp;
    for (const site::PortRange& r : ports) {
      if (!r.covers(transport, p_.port(kDestinationPort))) continue;
      where = r.where;
      return true;
    }
    return false;
  }

  bool sent_by(std::uint32_t user) const {
    const Bytes number = host_order(user);
    bool same = (p_.byte(has_user()) & 1) != 0;
    for (std::uint32_t i = 0; i < number.size(); ++i)
      same = same && p_.byte({Kind::meta, NFT_META_SKUID, i}) == number[i];
    return same;
  }

  bool sent_from(const site::ControlGroup& group) const {
    const auto groups = p_.groups();
    const auto at = groups.find(group.level());
    return group.id != 0 && at != groups.end() && at->second == group.id;
  }

  std::optional<Opinion> forwarded() const {
    if (!translated_ || p_.path != Path::through) return std::nullopt;
    for (const site::PortForward& f : site_.nat.forwards) {
      const site::Zone* from = site_.find_zone(f.from.zone);
      const site::Zone* to = site_.find_zone(f.to.zone);
      const site::Service* service = site_.service_behind(f);
      core::SourcePos where;
      site::PortRange port = f.port;
      port.first = f.to_port;
      port.last = f.last_to_port();
      if (from == nullptr || to == nullptr || service == nullptr || from->interface != in_ ||
          to->interface != out_ || site_.target_of(f) != destination_ || !covers({port}, where))
        continue;
      Opinion out = yes(at(f.where, "forward " + f.port.to_string() + " to " + f.to.to_string()));
      out.limited = !limits_on(site_, *service, f.port.transport, p_.family).empty();
      return out;
    }
    return std::nullopt;
  }

  Opinion granted() const {
    if (const auto out = forwarded()) return *out;
    for (const site::Service& s : site_.services) {
      core::SourcePos where;
      if (!covers(s.ports, where)) continue;
      for (const site::Endpoint& from : s.exposed_to) {
        if (from.is_gatehouse() && s.host.is_gatehouse()) continue;
        if (p_.protocol() == kTcp && answered_for(site_, s, from, site::Transport::tcp)) continue;
        if (!covers(from, in_, source_, true) || !covers(s.host, out_, destination_, false)) continue;
        Opinion out = yes(at(where.line != 0 ? where : s.where, "service " + s.name));
        const auto transport = p_.protocol() == kTcp ? site::Transport::tcp : site::Transport::udp;
        out.limited = !limits_on(site_, s, transport, p_.family).empty();
        return out;
      }
    }
    for (const site::Flow& f : site_.flows) {
      core::SourcePos where;
      if (f.from.is_gatehouse() && f.to.is_gatehouse()) continue;
      if ((f.user && !sent_by(*f.user)) || (f.group && !sent_from(*f.group))) continue;
      if (covers(f.ports, where) && covers(f.from, in_, source_, true) &&
          covers(f.to, out_, destination_, false))
        return yes(at(where.line != 0 ? where : f.where,
                      fmt::format("flow {} to {}", f.from.to_string(), f.to.to_string())));
    }
    return no("nothing in the policy grants it");
  }

  const site::Site& site_;
  Packet p_;
  const IpAddress source_;
  IpAddress destination_;
  bool translated_ = false;
  bool untracked_ = false;
  const std::string in_, out_;
};

}  // namespace

Opinion opinion_on(const site::Site& site, const Packet& packet) {
  return OnePacket(site, packet).decide();
}

}  // namespace gatehouse::fwctl::prove
