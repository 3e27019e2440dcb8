#include "fwctl/prove/change.h"

#include <fmt/format.h>

#include <algorithm>
#include <map>

#include "core/os.h"
#include "fwctl/prove/policy_facts.h"
#include "fwctl/prove/ranges.h"

namespace gatehouse::fwctl::prove {
namespace {

using Kind = ByteKey::Kind;
using Sort = Shift::Kind;

constexpr std::size_t kMostAddresses = 4;  // named one by one

// Everything about the packets of one family.
class Half {
 public:
  Half(const site::Site& site, const LiveRuleset& before, const LiveRuleset& after,
       const Interfaces& interfaces, std::uint8_t family, Change& out)
      : site_(site),
        before_(before),
        after_(after),
        fields_(family),
        policy_(d_, fields_, site, large_),
        old_(d_, fields_, before, large_),
        new_(d_, fields_, after, large_),
        search_(d_, fields_, policy_, {&before, &after}, interfaces),
        out_(out) {}

  void compare() {
    for (const Path path : {Path::through, Path::to_gatehouse, Path::from_gatehouse}) {
      const Node before = old_.path(path);
      const Node after = new_.path(path);
      if (before == after) continue;
      Node possible = search_.possible(path);
      // What is answered before it is tracked has no state: once is enough to tell of it.
      if (writes_of(before_).answers || writes_of(after_).answers)
        possible = d_.both(possible, d_.negate(policy_.syn_of_known_connection()));
      const Node differ = d_.both(d_.differ(before, after), possible);
      if (differ == d_.no()) continue;
      for (const Sort sort : {Sort::opened, Sort::closed, Sort::limited, Sort::answered, Sort::undecided}) {
        const Node which = d_.both(differ, of_sort(sort, before, after));
        if (which != d_.no()) split(path, sort, which);
      }
    }
    compare_answers();
  }

 private:
  // Who answers a SYN, whether or not its fate is another one.
  void compare_answers() {
    constexpr std::uint8_t kSyn = 2;
    if (!writes_of(before_).answers && !writes_of(after_).answers) return;
    const Node before = old_.answered(Path::through);
    const Node after = new_.answered(Path::through);
    if (before == after) return;
    Word flags;
    fields_.append(flags, {Kind::transport, 0, kTcpFlags});
    const Node syn =
        d_.both(in_range(d_, fields_.word(Kind::protocol, 1), kTcp, kTcp), in_range(d_, flags, kSyn, kSyn));
    // What is answered before it is tracked has no state: once is enough to tell of it.
    const Node care = d_.both(search_.possible(Path::through), d_.both(syn, state(kStateNew)));
    const auto taken = [&](Node f) {
      return where(f, [](const Leaf& l) { return (l.outcomes & (kTranslate | kYes)) != 0; });
    };
    const Node was = taken(before);
    const Node is = taken(after);
    const std::pair<Sort, Node> sorts[] = {
        {Sort::proxied, d_.both(is, d_.negate(was))},
        {Sort::unproxied, d_.both(was, d_.negate(is))},
        {Sort::reworded, d_.both(d_.both(was, is), d_.differ(before, after))}};
    for (const auto& [sort, those] : sorts) {
      if (const Node which = d_.both(those, care); which != d_.no()) split(Path::through, sort, which);
    }
  }

  Node where(Node f, const std::function<bool(const Leaf&)>& holds) {
    return d_.relabel(f, [&](const Leaf& l) { return Leaf{holds(l) ? kYes : kNo, {}}; });
  }
  Node of_sort(Sort sort, Node before, Node after) {
    const auto passes = [](const Leaf& l) { return (l.outcomes & kAccept) != 0; };
    const auto unknown = [&](const Leaf& l) {
      return std::any_of(l.reasons.begin(), l.reasons.end(),
                         [&](Reason r) { return d_.reason_kind(r) == ReasonKind::unknown; });
    };
    const Node open = d_.either(where(before, unknown), where(after, unknown));
    if (sort == Sort::undecided) return open;
    Node passed = where(before, passes);
    Node pass = where(after, passes);
    if (sort == Sort::opened || sort == Sort::answered) passed = d_.negate(passed);
    if (sort == Sort::closed || sort == Sort::answered) pass = d_.negate(pass);
    return d_.both(d_.both(passed, pass), d_.negate(open));
  }

  struct Side {
    std::string name;
    Node here = 0;
  };
  std::vector<Side> sides(Kind kind, bool there) {
    if (!there) return {{std::string(site::kGatehouse), d_.yes()}};
    std::vector<Side> out;
    Node rest = d_.negate(policy_.interface_is(kind, "lo"));
    for (const site::Zone& z : site_.zones) {
      const Node here = policy_.interface_is(kind, z.interface);
      out.push_back({z.name, here});
      rest = d_.both(rest, d_.negate(here));
    }
    out.push_back({"another interface", rest});
    out.push_back({"loopback", policy_.interface_is(kind, "lo")});
    return out;
  }

  void split(Path path, Sort sort, Node which) {
    // What large sets hold matters only where the difference asks for it.
    link_ = asks_for_large(which) ? old_.link() : d_.yes();
    if (link_ != d_.yes()) link_ = d_.both(link_, new_.link());
    const Node state_new = d_.either(state(kStateNew), state(kStateUntracked));
    for (const Side& from : sides(Kind::iifname, path != Path::from_gatehouse)) {
      const Node incoming = d_.both(which, from.here);
      if (incoming == d_.no()) continue;
      for (const Side& to : sides(Kind::oifname, path != Path::to_gatehouse)) {
        const Node pair = d_.both(incoming, to.here);
        const Node first = d_.both(pair, state_new);
        const Node later = d_.both(pair, d_.negate(state_new));
        // Packets of known connections say little beside new ones that go the same way.
        if (!shift(path, sort, from.name, to.name, first, true))
          shift(path, sort, from.name, to.name, later, false);
      }
    }
  }
  bool asks_for_large(Node f) {
    for (const LargeSet& l : large_) {
      if (d_.fix(f, l.member, false) != d_.fix(f, l.member, true)) return true;
    }
    return false;
  }
  Node state(std::uint8_t value) { return in_range(d_, fields_.word(Kind::ct_state, 1), value, value); }

  bool shift(Path path, Sort sort, const std::string& from, const std::string& to, Node which, bool begins) {
    if (which == d_.no()) return false;
    const auto is = [](const Leaf& l, const Leaf&) { return (l.outcomes & kYes) != 0; };
    std::vector<std::int8_t> decisions;
    if (!d_.find(which, which, d_.yes(), link_, is, decisions)) return false;
    const std::optional<Packet> packet =
        search_.ordinary(path, which, which, d_.yes(), link_, is, std::move(decisions));
    if (!packet) return false;
    Shift out;
    out.kind = sort;
    out.from = from;
    out.to = to;
    out.families = {fields_.family()};
    out.begins = begins;
    out.packet = *packet;
    out.before = interpret(before_, *packet);
    out.after = interpret(after_, *packet);
    if (!confirmed(sort, *packet)) {
      out_.gaps.push_back("the two evaluations disagree about: " + packet->to_string());
      return true;
    }
    const Node all = d_.both(which, link_);
    out.what = what_of(all);
    out.sources = addresses(all, Kind::source);
    out.destinations = addresses(all, Kind::destination);
    add(std::move(out));
    return true;
  }
  // The second opinion: the interpreter, rule by rule.
  bool confirmed(Sort sort, const Packet& packet) const {
    if (sort == Sort::proxied || sort == Sort::unproxied)
      return interpret(before_, packet).answered == (sort == Sort::unproxied) &&
             interpret(after_, packet).answered == (sort == Sort::proxied);
    if (sort != Sort::opened && sort != Sort::closed) return true;
    bool whole = false;
    const bool passed = (possible_verdicts(before_, packet, whole) & kAccept) != 0;
    const bool passes = (possible_verdicts(after_, packet, whole) & kAccept) != 0;
    return passes == (sort == Sort::opened) && passed != passes;
  }

  // --- what traffic it is, from the packets that differ ---
  Node seen(Node f, const std::vector<Word>& words) {
    return d_.some(f, [&](Variable v) {
      return std::any_of(words.begin(), words.end(), [&](const Word& w) {
        return v >= w.front().variable() && v <= w.back().variable();
      });
    });
  }
  std::vector<std::string> what_of(Node all) {
    const Word protocol = fields_.word(Kind::protocol, 1);
    Word port;
    fields_.append(port, {Kind::transport, 0, kDestinationPort});
    fields_.append(port, {Kind::transport, 0, kDestinationPort + 1});
    Word type;
    fields_.append(type, {Kind::transport, 0, 0});
    const Ranges protocols = ranges_of(d_, seen(all, {protocol}), protocol);
    if (protocols.is_everything(255)) return {"everything"};
    std::vector<std::string> out;
    const std::uint8_t icmp = fields_.family() == 4 ? kIcmp : kIcmpv6;
    const auto parts = [&](std::uint8_t number, const Word& word, Wide most, const std::string& name,
                           const std::string& separator) {
      const Node these = d_.both(all, in_range(d_, protocol, number, number));
      const Ranges found = ranges_of(d_, seen(these, {word}), word);
      if (found.is_everything(most))
        out.push_back(name);
      else
        for (const std::string& r : found.texts()) out.push_back(name + separator + r);
    };
    for (const auto& [first, last] : protocols.all) {
      const Wide wide_last = last;
      for (Wide p = first; p <= wide_last; ++p) {
        const auto number = static_cast<std::uint8_t>(p);
        if (number == kTcp) {
          parts(number, port, 65535, "tcp", "/");
        } else if (number == kUdp) {
          parts(number, port, 65535, "udp", "/");
        } else if (number == icmp) {
          parts(number, type, 255, fields_.family() == 4 ? "icmp" : "icmpv6", " type ");
        }
      }
    }
    Ranges others = protocols;
    for (const std::uint8_t known : {kTcp, kUdp, icmp}) others.remove(known);
    for (const std::string& r : others.texts()) out.push_back("protocol " + r);
    return out;
  }
  std::vector<std::string> addresses(Node all, Kind kind) {
    const Word word = fields_.address(kind);
    const Ranges found = ranges_of(d_, seen(all, {word}), word);
    const Wide most = fields_.family() == 4 ? Wide{0xffff'ffff} : ~Wide{0};
    if (found.is_everything(most) || found.more) return {};
    for (const Node whole : whole_zones(kind)) {
      if (ranges_of(d_, whole, word).all == found.all) return {};
    }
    if (found.all.size() > kMostAddresses) return {fmt::format("{} address ranges", found.all.size())};
    std::vector<std::string> out;
    for (const auto& [first, last] : found.all) out.push_back(address_text(first, last, fields_.family()));
    return out;
  }

  // All addresses a zone can have: naming them would say nothing.
  const std::vector<Node>& whole_zones(Kind kind) {
    std::vector<Node>& out = whole_[kind];
    if (!out.empty()) return out;
    std::vector<core::IpPrefix> inside = nobodys_outside(site_);
    for (const site::Zone& z : site_.zones) {
      if (!z.untrusted) out.push_back(policy_.address_in(kind, z.networks));
      inside.insert(inside.end(), z.networks.begin(), z.networks.end());
    }
    out.push_back(d_.negate(policy_.address_in(kind, inside)));
    return out;
  }

  // The same over IPv4 and IPv6 is said once.
  void add(Shift shift) {
    const auto plain = [](std::vector<std::string> what) {
      for (std::string& w : what) {
        if (w == "icmp type 8" || w == "icmpv6 type 128") w = "ping";
      }
      return what;
    };
    for (Shift& s : out_.shifts) {
      if (s.kind != shift.kind || s.from != shift.from || s.to != shift.to || s.begins != shift.begins ||
          plain(s.what) != plain(shift.what) || s.families.size() != 1 || s.families == shift.families ||
          s.sources.empty() != shift.sources.empty() || s.destinations.empty() != shift.destinations.empty())
        continue;
      s.families.push_back(shift.families[0]);
      s.what = plain(s.what);
      s.sources.insert(s.sources.end(), shift.sources.begin(), shift.sources.end());
      s.destinations.insert(s.destinations.end(), shift.destinations.begin(), shift.destinations.end());
      return;
    }
    out_.shifts.push_back(std::move(shift));
  }

  const site::Site& site_;
  const LiveRuleset& before_;
  const LiveRuleset& after_;
  Diagrams d_;
  Fields fields_;
  LargeSets large_;
  Policy policy_;
  Symbolic old_, new_;
  Search search_;
  Node link_ = 0;
  std::map<Kind, std::vector<Node>> whole_;
  Change& out_;
};

}  // namespace

Change compare(const site::Site& site, const LiveRuleset& before, const LiveRuleset& after,
               const Interfaces& interfaces) {
  Change out;
  const std::int64_t start = core::monotonic_us();
  for (const std::uint8_t family : {std::uint8_t{4}, std::uint8_t{6}}) {
    try {
      Half(site, before, after, interfaces, family, out).compare();
    } catch (const TooLarge&) {
      out.gaps.push_back(fmt::format("the diagrams of IPv{} grew beyond their budget", family));
    }
  }
  std::stable_sort(out.shifts.begin(), out.shifts.end(),
                   [](const Shift& a, const Shift& b) { return a.kind < b.kind; });
  out.seconds = static_cast<double>(core::monotonic_us() - start) / 1e6;
  return out;
}

}  // namespace gatehouse::fwctl::prove
