#include "fwctl/import/propose.h"

#include <fmt/format.h>

#include <algorithm>
#include <regex>
#include <set>
#include <tuple>

#include "fwctl/compile/describe.h"
#include "fwctl/import/places.h"
#include "fwctl/prove/policy_facts.h"

namespace gatehouse::fwctl {
namespace {

using prove::Box;

// As the words of prove::meter_text() say it: what matches beyond so many in a time.
struct NewRate {
  std::string count, unit, burst;
};
std::optional<NewRate> parse_rate(const std::vector<std::string>& limits) {
  static const std::regex form("rate ([0-9]+) packets per ([0-9]+) s, burst ([0-9]+)");
  std::smatch found;
  if (limits.size() != 1 || !std::regex_match(limits[0], found, form)) return std::nullopt;
  const std::string unit = found[2] == "1"      ? "second"
                           : found[2] == "60"   ? "minute"
                           : found[2] == "3600" ? "hour"
                                                : "";
  if (unit.empty() || found[1] == "0" || found[3] == "0") return std::nullopt;
  return NewRate{found[1], unit, found[3]};
}

std::string port_text(std::uint8_t protocol, prove::Wide first, prove::Wide last) {
  const auto number = [](prove::Wide w) { return std::to_string(static_cast<std::uint32_t>(w)); };
  return (protocol == prove::kTcp ? "tcp/" : "udp/") + number(first) +
         (first == last ? "" : "-" + number(last));
}

class Writer {
 public:
  Writer(const LiveRuleset& ruleset, const prove::Reach& reach, const Places& places)
      : places_(places), gaps_(reach.gaps.begin(), reach.gaps.end()) {
    for (const Box& b : reach.boxes) box(b);
    for (const auto& [from, what] : inner_pings_) {
      if (pings_.count(from) == 0) gap("inside one zone: " + what);
    }
    for (const auto& [from, to] : pinged_) {
      // The gatehouse and all zones but its own; or all zones.
      if (to.size() < places_.zones().size()) gap("echo requests from " + from + ", here to everywhere");
    }
    said_twice();
    one_family();
    hidden(reach);
    statements(ruleset);
  }

  void gap(const std::string& what) { gaps_.insert(what); }

  Proposal take() {
    head();
    services();
    flows();
    rest();
    Proposal out;
    for (std::string g : gaps_) {
      // Names in a ruleset may hold any bytes; this is one line of a comment.
      std::replace_if(
          g.begin(), g.end(), [](unsigned char c) { return c < 0x20 || c > 0x7e; }, '?');
      out.gaps.push_back(std::move(g));
    }
    if (!out.gaps.empty()) text_ += "\n# What the ruleset does, or may do, and this policy does not say:\n";
    for (const std::string& g : out.gaps) text_ += "# - " + g + '\n';
    out.text = std::move(text_);
    return out;
  }

 private:
  // --- from boxes to grants ---
  void box(const Box& b) {
    for (const std::string& end : {b.in, b.out}) {
      const ProposedZone* z = places_.zone(end);
      if (z != nullptr && !z->has(b.family))
        return gap(
            fmt::format("IPv{} from and to {}, which has no such networks here", b.family, z->interface));
    }
    const auto from = places_.ends(b.in, b.sources, b.family);
    const auto to = places_.ends(b.out, b.destinations, b.family);
    if (!from || !to) return gap("of addresses that no zone or host has: " + b.to_string());
    if (b.protocol == prove::kIcmp || b.protocol == prove::kIcmpv6) return icmp(b, *from);
    if (b.in == b.out) return gap("inside one zone: " + b.to_string());
    for (const auto& [first, last] : b.ports.all) {
      if (last == 0) continue;  // no port of a policy
      const std::string port = port_text(b.protocol, std::max(first, prove::Wide{1}), last);
      for (const std::string& f : *from) {
        for (const std::string& t : *to) grant(b, f, t, port);
      }
    }
  }

  void icmp(const Box& b, const std::vector<std::string>& from) {
    const prove::Wide echo = b.family == 4 ? 8 : 128;
    prove::Ranges others = b.ports;
    others.remove(echo);
    if (!others.all.empty()) gap("other than echo requests: " + b.to_string());
    const bool ping = std::any_of(b.ports.all.begin(), b.ports.all.end(),
                                  [&](const auto& r) { return r.first <= echo && echo <= r.second; });
    // Who may ping may ping everywhere, its own zone too; that alone is no reason to let it.
    if (ping && b.in != b.out) {
      pings_.insert(from.begin(), from.end());
      for (const std::string& f : from) pinged_[f].insert(b.out);
    }
    if (ping && b.in == b.out) {
      for (const std::string& f : from) inner_pings_[f] = b.to_string();
    }
  }

  void grant(const Box& b, const std::string& from, const std::string& to, const std::string& port) {
    const bool host = to.find('/') != std::string::npos || to == site::kGatehouse;
    const bool ssh = port == "tcp/22";
    const auto rate = parse_rate(b.limits);
    // Remote administration comes from one host.
    const bool may_serve =
        rate && host && from != site::kGatehouse &&
        (!ssh || (from.find('/') != std::string::npos && (admin_.empty() || admin_ == from)));
    if (may_serve) {
      if (ssh) admin_ = from;
      limited_[to][{port, rate->count + "/" + rate->unit, rate->burst}].insert(from);
      return;
    }
    if (!b.limits.empty())
      gap(fmt::format("limited ({}), here without limit: {}", fmt::join(b.limits, "; "), b.to_string()));
    flows_[{from, to}][port] |= b.family == 4 ? 1U : 2U;
  }

  // A host's grants that its zone has as well.
  static std::string zone_part(const std::string& end) { return end.substr(0, end.find('/')); }
  void said_twice() {
    const auto drop_hosts = [](std::set<std::string>& ends) {
      std::erase_if(ends,
                    [&](const std::string& e) { return zone_part(e) != e && ends.count(zone_part(e)) != 0; });
    };
    drop_hosts(pings_);
    for (auto& [host, ports] : limited_) {
      for (auto& [port, from] : ports) drop_hosts(from);
    }
    for (auto& [ends, ports] : flows_) {
      const auto& [from, to] = ends;
      for (const auto& wider :
           {std::pair{zone_part(from), to}, {from, zone_part(to)}, {zone_part(from), zone_part(to)}}) {
        const auto at = flows_.find(wider);
        if (wider == ends || at == flows_.end()) continue;
        std::erase_if(ports, [&](const auto& p) {
          const auto same = at->second.find(p.first);
          return same != at->second.end() && (same->second & p.second) == p.second;
        });
      }
    }
    std::erase_if(flows_, [](const auto& f) { return f.second.empty(); });
  }
  bool has_both(const std::string& end) const {
    for (const ProposedZone& z : places_.zones()) {
      if (z.name == end) return z.has(4) && z.has(6);
      const std::string host = end.substr(std::min(end.size(), z.name.size() + 1));
      if (end.starts_with(z.name + "/")) return z.hosts.at(host).size() == 2;
    }
    return true;  // the gatehouse
  }
  void one_family() {
    for (const auto& [ends, ports] : flows_) {
      for (const auto& [port, families] : ports) {
        if (families != 3 && has_both(ends.first) && has_both(ends.second))
          gap(fmt::format("{} from {} to {} is open over IPv{} alone, here over both", port, ends.first,
                          ends.second, families == 1 ? 4 : 6));
      }
    }
  }
  void hidden(const prove::Reach& reach) {
    for (const auto& [in, out] : reach.hidden) {
      const ProposedZone* from = places_.zone(in);
      const ProposedZone* to = places_.zone(out);
      if (from != nullptr && to != nullptr && !from->untrusted && from != to) {
        masquerades_.insert({from->name, to->name});
      } else if (!in.empty() || !is_masqueraded(reach, out)) {
        gap(fmt::format("sources hidden from {} to {}", in.empty() ? "this machine" : in, out));
      }
    }
  }

  // This machine's packets are hidden with those of a zone whose addresses it uses.
  static bool is_masqueraded(const prove::Reach& reach, const std::string& out) {
    return std::any_of(reach.hidden.begin(), reach.hidden.end(),
                       [&](const auto& h) { return !h.first.empty() && h.second == out; });
  }

  // What has an effect beyond which packets pass, or cannot be known.
  void statements(const LiveRuleset& ruleset) {
    for (const LiveTable& t : ruleset.tables) {
      for (const KernelChain& c : t.table.chains) {
        for (std::size_t i = 0; i < c.rules.size(); ++i) {
          const bool special =
              std::any_of(c.rules[i].expressions.begin(), c.rules[i].expressions.end(), has_no_words);
          if (special)
            gap(fmt::format("{} {} rule {}: {}", t.name(), c.name, i + 1, describe(c.rules[i], t.table)));
        }
      }
    }
  }
  static bool has_no_words(const Expression& e) {
    if (std::holds_alternative<Translate>(e) || std::holds_alternative<SynProxying>(e) ||
        std::holds_alternative<NoTrack>(e))
      return true;
    const auto* f = std::get_if<Foreign>(&e);
    return f != nullptr && (f->meaning == Meaning::nothing_known || f->meaning == Meaning::chance ||
                            f->meaning == Meaning::write || f->meaning == Meaning::reject);
  }

  // --- the text ---
  void head() {
    text_ +=
        "# Proposed by `fwctl import` for a ruleset that is in force, or was. Read it before you use it.\n";
    text_ += "site: imported\nversion: 1\n\nzones:\n";
    for (const ProposedZone& z : places_.zones()) {
      if (z.untrusted) {
        text_ += fmt::format("  {}: {{interface: {}, networks: any}}\n", z.name, z.interface);
        continue;
      }
      std::vector<std::string> networks;
      for (const core::IpPrefix& p : z.networks) networks.push_back('"' + p.to_string() + '"');
      text_ += fmt::format("  {}:\n    interface: {}\n    networks: [{}]\n", z.name, z.interface,
                           fmt::join(networks, ", "));
      if (!z.hosts.empty()) text_ += "    hosts:\n";
      for (const auto& [name, addresses] : z.hosts) {
        std::vector<std::string> all;
        for (const core::IpAddress& a : addresses) all.push_back('"' + a.to_string() + '"');
        text_ += fmt::format("      {}: [{}]\n", name, fmt::join(all, ", "));
      }
    }
  }

  // Ports of one host with the same limit and the same sources are one service.
  void services() {
    if (limited_.empty()) return;
    text_ +=
        "\n# A firewall does not know programs: name the one that serves each (`exec`, `user`), and its "
        "domain.\nservices:\n";
    std::set<std::string> bound;
    std::size_t number = 0;
    for (const auto& [host, ports] : limited_) {
      std::map<std::tuple<bool, std::string, std::string, std::set<std::string>>, std::vector<std::string>>
          alike;
      for (const auto& [what, from] : ports) {
        const auto& [port, rate, burst] = what;
        alike[{port == "tcp/22", rate, burst, from}].push_back(port);
        bound.insert(port);
      }
      for (const auto& [terms, served] : alike) {
        const auto& [ssh, rate, burst, from] = terms;
        text_ += fmt::format(
            "  service-{}:\n    host: {}\n    exec: /unknown\n    user: nobody\n    ports: [{}]\n    expose: "
            "[{}]\n"
            "    limit: {{new: {}, burst: {}}}\n    domain: unknown\n",
            ++number, host, fmt::join(served, ", "), fmt::join(from, ", "), rate, burst);
        if (ssh) text_ += "    remote-administration: true\n";
      }
    }
    if (!admin_.empty()) text_ += fmt::format("\nadministration: {{host: {}}}\n", admin_);
    text_ += fmt::format(
        "\nmac:\n  objects:\n    served: {{ports: [{}]}}\n  domains:\n    unknown: {{allow: [{{bind: "
        "served}}]}}\n",
        fmt::join(bound, ", "));
  }

  void flows() {
    std::map<std::pair<std::string, std::string>, std::vector<std::string>> all;
    for (const auto& [ends, ports] : flows_) {
      for (const auto& [port, families] : ports) all[ends].push_back(port);
    }
    if (!all.empty()) text_ += "\nflows:\n";
    for (const auto& [ends, ports] : all)
      text_ += fmt::format("  - {{from: {}, to: {}, ports: [{}]}}\n", ends.first, ends.second,
                           fmt::join(ports, ", "));
  }

  void rest() {
    if (!masquerades_.empty()) text_ += "\nnat:\n  masquerade:\n";
    for (const auto& [from, to] : masquerades_)
      text_ += fmt::format("    - {{from: {}, to: {}}}\n", from, to);
    if (!pings_.empty()) text_ += fmt::format("\nfirewall:\n  ping-from: [{}]\n", fmt::join(pings_, ", "));
  }

  const Places& places_;
  std::string text_;
  std::set<std::string> gaps_, pings_;
  std::map<std::string, std::string> inner_pings_;
  std::map<std::string, std::set<std::string>> pinged_;  // who pings where
  std::string admin_;                                    // zone/host
  // By host: port, rate and burst, and from where.
  std::map<std::string, std::map<std::tuple<std::string, std::string, std::string>, std::set<std::string>>>
      limited_;
  std::map<std::pair<std::string, std::string>, std::map<std::string, unsigned>> flows_;  // bits: IPv4, IPv6
  std::set<std::pair<std::string, std::string>> masquerades_;
};

}  // namespace

core::Result<Proposal> propose(const LiveRuleset& ruleset, const prove::Interfaces& indexes,
                               const ImportHints& hints) {
  const NamedInterfaces found = interfaces_in(ruleset, indexes);
  std::set<std::string> names(found.names.begin(), found.names.end());
  for (const auto& [name, networks] : hints.networks) names.insert(name);
  if (!hints.outside.empty()) names.insert(hints.outside);
  const std::vector<std::string> interfaces(names.begin(), names.end());
  const prove::Reach reach = prove::reach_of(ruleset, interfaces, indexes);
  GH_TRY(std::vector<ProposedZone> zones, zones_of(reach, interfaces, hints));
  const Places places(std::move(zones), reach);
  Writer writer(ruleset, reach, places);
  for (const std::string& o : found.others) writer.gap("the interface " + o);
  return writer.take();
}

}  // namespace gatehouse::fwctl
