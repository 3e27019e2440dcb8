// What services and flows open, and what limits it.
#include <linux/netfilter/nf_tables.h>

#include <algorithm>
#include <cstring>
#include <map>
#include <optional>

#include "fwctl/prove/policy.h"
#include "fwctl/prove/policy_facts.h"

namespace gatehouse::fwctl::prove {

using core::IpPrefix;
using Kind = ByteKey::Kind;

namespace {

constexpr Wide kAnything = ~Wide{0};

Limit as_meter(const site::Rate& rate) {
  return {rate.count, rate.unit_s, rate.burst, NFT_LIMIT_PKTS, NFT_LIMIT_F_INV};
}
ConnectionCount as_meter(std::uint32_t open) {
  return {open, NFT_CONNLIMIT_F_INV};
}

}  // namespace

std::vector<std::string> limits_on(const site::Site& site, const site::Service& service,
                                   site::Transport transport, std::uint8_t family) {
  std::vector<std::string> out;
  const site::Firewall& f = site.firewall;
  if (f.limit && !service.ssh) {
    if (f.limit->opened.count != 0) out.push_back(meter_text(as_meter(f.limit->opened)));
    if (f.limit->open != 0) out.push_back(meter_text(as_meter(f.limit->open)));
  }
  const bool own_rate = service.limit && service.limit->opened.count != 0;
  if (own_rate) out.push_back(meter_text(as_meter(service.limit->opened)));
  if (!own_rate && transport == site::Transport::tcp && f.syn_per_second != 0)
    out.push_back(meter_text(as_meter(site::Rate{f.syn_per_second, 1, f.syn_burst})));
  if (!service.limit) return out;
  const site::ConnectionLimit& l = *service.limit;
  const int bits = family == 4 ? l.source_v4 : l.source_v6;
  if (l.open != 0) out.push_back(meter_text(as_meter(l.open)));
  if (l.opened_by_source.count != 0) out.push_back(meter_text(as_meter(l.opened_by_source), bits));
  if (l.open_by_source != 0) out.push_back(meter_text(as_meter(l.open_by_source), bits));
  return out;
}

// One table for each set of limits: services are many, limits few.
class Policy::Grants {
 public:
  Grants(Policy& policy, Path path) : p_(policy), path_(path) {}

  void add(const site::Endpoint& from, const site::Endpoint& to, const site::PortRange& port,
           const std::vector<std::string>& limits, const site::Flow* sender = nullptr) {
    const Path way = from.is_gatehouse() ? Path::from_gatehouse
                     : to.is_gatehouse() ? Path::to_gatehouse
                                         : Path::through;
    if (way != path_ || (from.is_gatehouse() && to.is_gatehouse())) return;
    Table& table = tables_.try_emplace({limits, sender_of(sender)}, Table(6)).first->second;
    const Wide in = interface(from);
    const Wide away = interface(to);
    const Wide protocol = port.transport == site::Transport::tcp ? kTcp : kUdp;
    for (const auto& [source, source_end] : places(from, true)) {
      for (const auto& [destination, destination_end] : places(to, false)) {
        const std::array<Wide, 6> low = {in, away, source, destination, protocol, port.first};
        const std::array<Wide, 6> high = {in, away, source_end, destination_end, protocol, port.last};
        table.add(low, high, p_.d_.yes());
      }
    }
  }

  // What is granted under several sets of limits is under any one of them.
  Node decided() {
    Diagrams& d = p_.d_;
    const std::vector<Word> key = packet_key();
    Node out = d.leaf(kDrop);
    for (const auto& [terms, table] : tables_) {
      const auto& [limits, sender] = terms;
      Limits reasons;
      for (const std::string& text : limits) reasons.push_back(d.reason(ReasonKind::rate, text));
      std::sort(reasons.begin(), reasons.end());
      Node here = lookup(d, key, table, d.no());
      if (sender.user) here = d.both(here, p_.sent_by(*sender.user));
      if (sender.group_level != 0) here = d.both(here, p_.sent_from(sender.group_level, sender.group));
      const Node also = d.relabel(out, [&](const Leaf& leaf) { return with(leaf, reasons); });
      out = d.choose(here, also, out);
    }
    return out;
  }

 private:
  struct Sender {
    std::optional<std::uint32_t> user;
    std::uint32_t group_level = 0;  // 0: of whatever control group
    std::uint64_t group = 0;
    friend auto operator<=>(const Sender&, const Sender&) = default;
  };
  static Sender sender_of(const site::Flow* flow) {
    Sender out;
    if (flow == nullptr) return out;
    out.user = flow->user;
    if (flow->group) out.group_level = flow->group->level();
    if (flow->group) out.group = flow->group->id;
    return out;
  }
  Wide interface(const site::Endpoint& e) const {
    const site::Zone* zone = p_.site_.find_zone(e.zone);
    return zone == nullptr ? Wide{0} : wide_interface(zone->interface);
  }
  std::vector<std::pair<Wide, Wide>> places(const site::Endpoint& e, bool source) const {
    const site::Zone* zone = p_.site_.find_zone(e.zone);
    const bool anywhere = zone == nullptr || (e.host.empty() && (source || zone->untrusted));
    if (anywhere) return {{0, p_.f_.family() == 4 ? Wide{0xffff'ffff} : kAnything}};
    std::vector<std::pair<Wide, Wide>> out;
    for (const IpPrefix& p : p_.site_.networks_of(e)) {
      if (p.address.version == p_.f_.family())
        out.emplace_back(wide_address(p.address), wide_address(p.last()));
    }
    return out;
  }
  std::vector<Word> packet_key() const {
    Fields& f = p_.f_;
    Word ports;
    f.append(ports, {Kind::transport, 0, 2});
    f.append(ports, {Kind::transport, 0, 3});
    const Word absent(128, Bit::constant(false));
    return {path_ == Path::from_gatehouse ? absent : f.word(Kind::iifname, 16),
            path_ == Path::to_gatehouse ? absent : f.word(Kind::oifname, 16),
            f.address(Kind::source),
            f.address(Kind::destination),
            f.word(Kind::protocol, 1),
            ports};
  }
  // A leaf of what was granted before, and under `limits` as well.
  Leaf with(const Leaf& before, const Limits& limits) {
    std::vector<Limits> all;
    if (before.outcomes != kDrop) all = p_.alternatives(before);
    if (std::find(all.begin(), all.end(), limits) == all.end()) all.push_back(limits);
    std::sort(all.begin(), all.end());
    if (all.size() == 1)
      return Leaf{static_cast<Outcomes>(limits.empty() ? kAccept : kAccept | kDrop), limits};
    std::string name = "granted under other limits as well:";
    for (const Limits& one : all) {
      name += one.empty() ? " none;" : "";
      for (const Reason r : one) name += " " + p_.d_.reason_text(r);
      name += ";";
    }
    const Reason several = p_.d_.reason(ReasonKind::rate, name);
    p_.several_[several] = std::move(all);
    return Leaf{kAccept | kDrop, {several}};
  }

  Policy& p_;
  const Path path_;
  std::map<std::pair<std::vector<std::string>, Sender>, Table> tables_;
};

std::vector<Policy::Limits> Policy::alternatives(const Leaf& leaf) const {
  if (leaf.reasons.size() == 1) {
    if (const auto at = several_.find(leaf.reasons[0]); at != several_.end()) return at->second;
  }
  return {leaf.reasons};
}

// A program of the user stands behind the packet.
Node Policy::sent_by(std::uint32_t user) {
  const Bytes number = host_order(user);
  Node out = d_.yes();
  for (std::uint32_t i = 0; i < number.size(); ++i) {
    Word byte;
    f_.append(byte, {Kind::meta, NFT_META_SKUID, i});
    out = d_.both(out, in_range(d_, byte, number[i], number[i]));
  }
  Word there;
  f_.append(there, has_user());
  return d_.both(out, in_range(d_, {there.back()}, 1, 1));
}

// A program in the control group, or in one below it; nobody is in one that does not exist.
Node Policy::sent_from(std::uint32_t level, std::uint64_t group) {
  if (group == 0) return d_.no();
  std::array<std::uint8_t, sizeof group> number{};
  std::memcpy(number.data(), &group, sizeof group);
  Node out = d_.yes();
  for (std::uint32_t i = 0; i < number.size(); ++i) {
    Word byte;
    f_.append(byte, {Kind::group, level, i});
    out = d_.both(out, in_range(d_, byte, number[i], number[i]));
  }
  Word there;
  f_.append(there, has_group(level));
  return d_.both(out, in_range(d_, {there.back()}, 1, 1));
}

Node Policy::limited(const site::Service& service, site::Transport transport) {
  Leaf leaf{kAccept, {}};
  for (const std::string& text : limits_on(site_, service, transport, f_.family())) {
    leaf.outcomes = kAccept | kDrop;
    leaf.reasons.push_back(d_.reason(ReasonKind::rate, text));
  }
  std::sort(leaf.reasons.begin(), leaf.reasons.end());
  return d_.leaf(std::move(leaf));
}

Node Policy::grants(Path path) {
  Grants out(*this, path);
  for (const site::Service& s : site_.services) {
    for (const site::Endpoint& from : s.exposed_to) {
      for (const site::PortRange& p : s.ports) {
        if (!answered_for(site_, s, from, p.transport))
          out.add(from, s.host, p, limits_on(site_, s, p.transport, f_.family()));
      }
    }
  }
  for (const site::Flow& flow : site_.flows) {
    for (const site::PortRange& p : flow.ports) out.add(flow.from, flow.to, p, {}, &flow);
  }
  return out.decided();
}

}  // namespace gatehouse::fwctl::prove
