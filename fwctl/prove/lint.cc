#include "fwctl/prove/lint.h"

#include <fmt/format.h>
#include <linux/netfilter.h>
#include <linux/netfilter/nf_tables.h>

#include <algorithm>
#include <map>
#include <optional>

#include "fwctl/compile/describe.h"
#include "fwctl/prove/policy.h"

namespace gatehouse::fwctl::prove {
namespace {

// What is known about one rule so far: it is only a finding when it is one in both families and at every
// place where its chain runs.
struct Judgement {
  bool asked = false;
  bool always_shadowed = true;
  bool always_redundant = true;
  bool opposite = false;
  std::vector<std::size_t> before;  // rules that take its packets
};

class ChainLint {
 public:
  ChainLint(Diagrams& d, Symbolic& symbolic, const LiveTable& table, const KernelChain& chain,
            const Place& place, Node care)
      : d_(d), symbolic_(symbolic), table_(table), chain_(chain), place_(place), care_(care) {}

  void judge(std::vector<Judgement>& rules) {
    const std::size_t count = chain_.rules.size();
    std::vector<Node> each;
    for (const KernelRule& r : chain_.rules) each.push_back(symbolic_.rule(table_, r, place_));
    std::vector<Node> rest(count + 1, d_.leaf(kReturn));  // what becomes of a packet from rule i on
    for (std::size_t i = count; i-- > 0;) rest[i] = d_.bind(each[i], kContinue, rest[i + 1], rest[i + 1]);
    Node reach = care_;
    for (std::size_t i = 0; i < count; ++i) {
      Judgement& j = rules[i];
      const Node acts = condition(each[i], true);
      if (each[i] == d_.leaf(kContinue)) continue;  // of the other family, or only counts
      j.asked = true;
      if (d_.both(reach, acts) != d_.no()) {
        j.always_shadowed = false;
        std::vector<std::int8_t> path;
        const bool differs = d_.find(
            rest[i], rest[i + 1], reach, d_.yes(), [](const Leaf& a, const Leaf& b) { return !(a == b); },
            path);
        // To refuse early what the end refuses is no mistake.
        if (differs || only_refuses(each[i])) j.always_redundant = false;
      } else {
        takers(each, i, j);
      }
      reach = d_.both(reach, condition(each[i], false));
    }
  }

 private:
  // Yes where the rule can act, or where it can go on.
  Node condition(Node rule, bool acts) {
    return d_.relabel(rule, [&](const Leaf& leaf) {
      const Outcomes on = kContinue | kContinueUntracked;
      const bool yes = acts ? (leaf.outcomes & ~on) != 0 : (leaf.outcomes & on) != 0;
      return Leaf{static_cast<Outcomes>(yes ? kYes : kNo), {}};
    });
  }
  bool only_refuses(Node rule) {
    const Outcomes others = static_cast<Outcomes>(~(kDrop | kReject | kContinue | kContinueUntracked));
    std::vector<std::int8_t> path;
    return !d_.find(
        rule, rule, d_.yes(), d_.yes(),
        [&](const Leaf& a, const Leaf&) { return (a.outcomes & others) != 0; }, path);
  }
  void takers(const std::vector<Node>& each, std::size_t rule, Judgement& j) {
    const Node mine = d_.both(care_, condition(each[rule], true));
    for (std::size_t i = 0; i < rule; ++i) {
      const Node shared = d_.both(mine, condition(each[i], true));
      if (shared == d_.no()) continue;
      if (std::find(j.before.begin(), j.before.end(), i) == j.before.end()) j.before.push_back(i);
      std::vector<std::int8_t> path;
      j.opposite |= d_.find(
          each[rule], each[i], shared, d_.yes(),
          [](const Leaf& a, const Leaf& b) {
            return ((a.outcomes & kAccept) != 0) != ((b.outcomes & kAccept) != 0);
          },
          path);
    }
  }

  Diagrams& d_;
  Symbolic& symbolic_;
  const LiveTable& table_;
  const KernelChain& chain_;
  const Place& place_;
  const Node care_;
};

// The chains that can run below a base chain.
void collect(const KernelTable& table, const KernelChain& chain, std::vector<const KernelChain*>& out) {
  if (std::find(out.begin(), out.end(), &chain) != out.end()) return;
  out.push_back(&chain);
  const auto follow = [&](const KernelVerdict& v) {
    if (const KernelChain* target = v.chain.empty() ? nullptr : table.find_chain(v.chain))
      collect(table, *target, out);
  };
  for (const KernelRule& r : chain.rules) {
    for (const Expression& e : r.expressions) {
      if (const auto* v = std::get_if<SetVerdict>(&e)) follow(v->verdict);
      const auto* lookup = std::get_if<Lookup>(&e);
      const KernelSet* set = lookup != nullptr && lookup->verdict ? table.find_set(lookup->set) : nullptr;
      if (set == nullptr) continue;
      for (const KernelElement& x : set->elements) {
        if (x.verdict) follow(*x.verdict);
      }
    }
  }
}

using Judgements = std::map<const KernelChain*, std::vector<Judgement>>;

void judge_family(const site::Site& site, const LiveRuleset& ruleset, std::uint8_t family, Judgements& out) {
  Diagrams d;
  Fields fields(family);
  LargeSets large;
  Symbolic symbolic(d, fields, ruleset, large);
  Policy policy(d, fields, site, large);
  for (const Path path : {Path::through, Path::to_gatehouse, Path::from_gatehouse}) {
    Node care = policy.possible(path);
    if (writes_of(ruleset).untracks) {
      // What a rule has taken out of tracking comes to the chains behind it in that state.
      Word state;
      fields.append(state, {ByteKey::Kind::ct_state});
      const Node in_any = d.some(care, [&](Variable v) {
        return std::none_of(state.begin(), state.end(), [&](Bit b) { return b.variable() == v; });
      });
      care = d.either(care, d.both(in_any, in_range(d, state, kStateUntracked, kStateUntracked)));
    }
    for (const BaseStep& step : steps_of(ruleset, path, family)) {
      std::vector<const KernelChain*> chains;
      collect(step.table->table, *step.chain, chains);
      for (const KernelChain* c : chains) {
        std::vector<Judgement>& rules = out[c];
        rules.resize(c->rules.size());
        ChainLint(d, symbolic, *step.table, *c, step.place, care).judge(rules);
      }
    }
  }
}

std::string rule_name(const LiveTable& t, const KernelChain& c, std::size_t index) {
  return fmt::format("{} {} rule {}", t.name(), c.name, index + 1);
}

void add_rules(const LiveTable& t, const KernelChain& c, const std::vector<Judgement>& rules,
               std::vector<Finding>& out) {
  for (std::size_t i = 0; i < rules.size(); ++i) {
    const Judgement& j = rules[i];
    if (!j.asked || !(j.always_shadowed || j.always_redundant)) continue;
    Finding f;
    f.kind = j.always_shadowed ? (j.opposite ? Finding::Kind::contradictory : Finding::Kind::shadowed)
                               : Finding::Kind::redundant;
    f.where = rule_name(t, c, i);
    f.what = describe(c.rules[i], t.table);
    if (!c.rules[i].comment.empty()) f.what += "  # " + c.rules[i].comment;
    if (j.always_shadowed) {
      for (std::size_t k = 0; k < std::min<std::size_t>(j.before.size(), 3); ++k)
        f.what += fmt::format("{} {}", k == 0 ? "; its packets are taken by rule" : ",", j.before[k] + 1);
      if (j.before.empty()) f.what += "; no packet can match it";
    }
    out.push_back(std::move(f));
  }
}

// Boxes of a concatenation may overlap: what lies wholly in an earlier one is never asked for.
void add_elements(const LiveTable& t, const KernelSet& s, std::vector<Finding>& out) {
  constexpr std::size_t kMost = 3000;  // pairs of them are compared
  if (!s.concatenated_intervals() || s.elements.size() > kMost) return;
  const auto inside = [&](const KernelElement& a, const KernelElement& b) {
    std::size_t at = 0;
    for (const std::uint8_t length : s.field_lengths) {
      const auto part = [&](const Bytes& bytes) {
        return at + length <= bytes.size() ? Bytes(bytes.begin() + static_cast<std::ptrdiff_t>(at),
                                                   bytes.begin() + static_cast<std::ptrdiff_t>(at + length))
                                           : Bytes();
      };
      if (part(a.first) < part(b.first) || part(b.last) < part(a.last)) return false;
      at += (length + 3U) / 4U * 4U;
    }
    return true;
  };
  for (const KernelElement& a : s.elements) {
    for (const KernelElement& b : s.elements) {
      if (&a == &b || !inside(a, b)) continue;
      out.push_back({Finding::Kind::covered, t.name() + " set " + s.name,
                     describe(a, s) + " lies within " + describe(b, s)});
      break;
    }
  }
}

}  // namespace

std::string_view to_string(Finding::Kind kind) {
  switch (kind) {
    case Finding::Kind::shadowed:
      return "shadowed";
    case Finding::Kind::contradictory:
      return "contradictory";
    case Finding::Kind::redundant:
      return "redundant";
    case Finding::Kind::covered:
      return "covered";
    case Finding::Kind::asymmetric:
      return "asymmetric";
    case Finding::Kind::overlapping:
      return "overlapping";
    case Finding::Kind::unserved:
      return "unserved";
    case Finding::Kind::not_examined:
      break;
  }
  return "not examined";
}

std::vector<Finding> lint_ruleset(const site::Site& site, const LiveRuleset& ruleset) {
  std::vector<Finding> out;
  Judgements judgements;
  for (const std::uint8_t family : {std::uint8_t{4}, std::uint8_t{6}}) {
    try {
      judge_family(site, ruleset, family, judgements);
    } catch (const TooLarge&) {
      out.push_back({Finding::Kind::not_examined, "rules", "the diagrams grew beyond their budget"});
      return out;
    }
  }
  for (const LiveTable& t : ruleset.tables) {
    for (const KernelChain& c : t.table.chains) {
      if (const auto at = judgements.find(&c); at != judgements.end()) add_rules(t, c, at->second, out);
    }
    for (const KernelSet& s : t.table.sets) add_elements(t, s, out);
  }
  return out;
}

// --- the policy -----------------------------------------------------------------------------------------

namespace {

struct Grant {
  std::string name;
  site::Endpoint from, to;
  site::PortRange port;
  core::SourcePos where;
};

std::vector<Grant> grants_of(const site::Site& site) {
  std::vector<Grant> out;
  for (const site::Service& s : site.services) {
    for (const site::Endpoint& from : s.exposed_to) {
      for (const site::PortRange& p : s.ports) out.push_back({"service " + s.name, from, s.host, p, s.where});
    }
  }
  for (const site::Flow& f : site.flows) {
    const std::string name = fmt::format("flow {} to {}", f.from.to_string(), f.to.to_string());
    for (const site::PortRange& p : f.ports) out.push_back({name, f.from, f.to, p, f.where});
  }
  return out;
}

bool meet(const site::Endpoint& a, const site::Endpoint& b) {
  return a.zone == b.zone && (a.host.empty() || b.host.empty() || a.host == b.host);
}
bool meet(const site::PortRange& a, const site::PortRange& b) {
  return a.transport == b.transport && a.first <= b.last && b.first <= a.last;
}

// Bit 4 and bit 6: the versions in which an end has addresses.
unsigned versions_of(const site::Site& site, const site::Endpoint& e) {
  const site::Zone* zone = site.find_zone(e.zone);
  if (zone == nullptr || (zone->untrusted && e.host.empty())) return 4U | 6U << 4U;
  unsigned out = 0;
  for (const core::IpPrefix& p : site.networks_of(e)) out |= p.address.is_v4() ? 4U : 6U << 4U;
  return out;
}

bool served(const site::Site& site, const site::Endpoint& host, site::Transport transport,
            std::uint32_t port) {
  const bool by_service =
      std::any_of(site.services.begin(), site.services.end(), [&](const site::Service& s) {
        return meet(s.host, host) &&
               std::any_of(s.ports.begin(), s.ports.end(), [&](const site::PortRange& p) {
                 return p.covers(transport, static_cast<std::uint16_t>(port));
               });
      });
  return by_service ||
         std::any_of(site.soc.receivers.begin(), site.soc.receivers.end(), [&](const site::Receiver& r) {
           return r.kind == site::ReceiverKind::syslog_tls && transport == site::Transport::tcp &&
                  r.port == port && meet(r.host, host);
         });
}

}  // namespace

std::vector<Finding> lint_site(const site::Site& site) {
  std::vector<Finding> out;
  const std::vector<Grant> grants = grants_of(site);
  for (std::size_t i = 0; i < grants.size(); ++i) {
    const Grant& g = grants[i];
    for (std::size_t k = 0; k < i; ++k) {
      const Grant& o = grants[k];
      if (o.name == g.name || !meet(o.from, g.from) || !meet(o.to, g.to) || !meet(o.port, g.port)) continue;
      out.push_back({Finding::Kind::overlapping, g.where.to_string(),
                     fmt::format("{} opens {} to {}, which {} ({}) opens already", g.name, g.port.to_string(),
                                 g.to.to_string(), o.name, o.where.to_string())});
    }
    const unsigned from = versions_of(site, g.from);
    const unsigned to = versions_of(site, g.to);
    const site::Zone* zone = site.find_zone(g.to.zone);
    const unsigned around = zone == nullptr ? to : versions_of(site, {g.to.zone, "", {}});
    if ((from & to) != (from & around)) {
      out.push_back(
          {Finding::Kind::asymmetric, g.where.to_string(),
           fmt::format("{} is open over {} only: {} has no other address, though its zone and {} do", g.name,
                       (from & to & 15U) != 0 ? "IPv4" : "IPv6", g.to.to_string(), g.from.to_string())});
    }
    if (g.to.is_gatehouse() || zone == nullptr || zone->untrusted) continue;
    for (std::uint32_t port = g.port.first; port <= g.port.last; ++port) {
      if (served(site, g.to, g.port.transport, port)) continue;
      out.push_back({Finding::Kind::unserved, g.where.to_string(),
                     fmt::format("{} opens {}/{} to {}, and no service of the site is there", g.name,
                                 site::to_string(g.port.transport), port, g.to.to_string())});
      break;
    }
  }
  return out;
}

}  // namespace gatehouse::fwctl::prove
