#include "fwctl/prove/reach.h"

#include <fmt/format.h>

#include <algorithm>
#include <set>

#include "fwctl/prove/policy_facts.h"

namespace gatehouse::fwctl::prove {
namespace {

using Kind = ByteKey::Kind;

constexpr std::size_t kMostBoxes = 256;  // of one kind

// A policy that grants nothing: what packets there are does not depend on it.
site::Site site_of(const std::vector<std::string>& interfaces) {
  site::Site out;
  for (const std::string& name : interfaces) {
    site::Zone zone;
    zone.name = zone.interface = name;
    out.zones.push_back(std::move(zone));
  }
  return out;
}

class Half {
 public:
  Half(const site::Site& site, const LiveRuleset& ruleset, const Interfaces& indexes, std::uint8_t family,
       Reach& out)
      : site_(site),
        fields_(family),
        policy_(d_, fields_, site, large_),
        symbolic_(d_, fields_, ruleset, large_),
        search_(d_, fields_, policy_, {&ruleset}, indexes),
        out_(out),
        group_levels_(writes_of(ruleset).group_levels),
        source_(fields_.address(Kind::source)),
        destination_(fields_.address(Kind::destination)),
        protocol_(fields_.word(Kind::protocol, 1)) {
    fields_.append(port_, {Kind::transport, 0, kDestinationPort});
    fields_.append(port_, {Kind::transport, 0, kDestinationPort + 1});
    fields_.append(type_, {Kind::transport, 0, 0});
  }

  void read() {
    for (const Path path : {Path::through, Path::to_gatehouse, Path::from_gatehouse}) read(path);
  }

 private:
  void read(Path path) {
    const Node decided = symbolic_.path(path);
    const Node possible = d_.both(search_.possible(path), symbolic_.link());
    const Node begins = d_.both(possible, begins_connection());
    std::set<std::vector<Reason>> terms;  // of all leaves that accept
    (void)d_.relabel(decided, [&](const Leaf& l) {
      if ((l.outcomes & kAccept) != 0) terms.insert(l.reasons);
      return l;
    });
    const Node passes = where(decided, [](const Leaf& l) { return (l.outcomes & kAccept) != 0; });
    if (path == Path::through) passing(d_.both(possible, passes));
    for (const std::vector<Reason>& reasons : terms) {
      const Node these =
          where(decided, [&](const Leaf& l) { return (l.outcomes & kAccept) != 0 && l.reasons == reasons; });
      split(path, d_.both(begins, these), reasons);
    }
    if (path != Path::to_gatehouse && fields_.family() == 4) hidden(path, d_.both(begins, passes));
  }

  Node where(Node f, const std::function<bool(const Leaf&)>& holds) {
    return d_.relabel(f, [&](const Leaf& l) { return Leaf{holds(l) ? kYes : kNo, {}}; });
  }
  Node begins_connection() {
    Word flags;
    fields_.append(flags, {Kind::transport, 0, kTcpFlags});
    const Node tcp = in_range(d_, protocol_, kTcp, kTcp);
    const Node state = in_range(d_, fields_.word(Kind::ct_state, 1), kStateNew, kStateNew);
    return d_.both(state, d_.either(d_.negate(tcp), in_range(d_, flags, 2, 2)));
  }
  Node seen(Node f, const std::vector<const Word*>& words) {
    return d_.some(f, [&](Variable v) {
      return std::any_of(words.begin(), words.end(), [&](const Word* w) {
        return v >= w->front().variable() && v <= w->back().variable();
      });
    });
  }

  void passing(Node passes) {
    for (const site::Zone& z : site_.zones) {
      const Node here = d_.both(passes, policy_.interface_is(Kind::iifname, z.interface));
      out_.sources[{z.interface, fields_.family()}] = ranges_of(d_, seen(here, {&source_}), source_);
    }
  }

  struct Side {
    std::string name;
    Node here = 0;
  };
  std::vector<Side> sides(Kind kind, bool there) {
    if (!there) return {{std::string(), d_.yes()}};
    std::vector<Side> out;
    for (const site::Zone& z : site_.zones)
      out.push_back({z.interface, policy_.interface_is(kind, z.interface)});
    return out;
  }
  // Over every pair of interfaces where there are such packets.
  void each_pair(Path path, Node which, const std::function<void(const Side&, const Side&, Node)>& visit) {
    for (const Side& from : sides(Kind::iifname, path != Path::from_gatehouse)) {
      const Node incoming = d_.both(which, from.here);
      if (incoming == d_.no()) continue;
      for (const Side& to : sides(Kind::oifname, path != Path::to_gatehouse)) {
        const Node pair = d_.both(incoming, to.here);
        if (pair != d_.no()) visit(from, to, pair);
      }
    }
  }

  void split(Path path, Node which, const std::vector<Reason>& reasons) {
    std::vector<std::string> limits;
    bool unknown = false;
    for (const Reason r : reasons) {
      unknown |= d_.reason_kind(r) == ReasonKind::unknown;
      limits.push_back(d_.reason_text(r));
    }
    each_pair(path, which, [&](const Side& from, const Side& to, Node all) {
      const Node pair = path == Path::from_gatehouse ? of_any_program(all) : all;
      if (pair != all && !unknown) {
        out_.gaps.push_back("what passes " + way(from.name, to.name) +
                            " depends on the user or the control group of the program that sends it");
      }
      if (unknown) {
        out_.gaps.push_back(fmt::format("what passes {} depends on what cannot be decided: {}",
                                        way(from.name, to.name), fmt::join(limits, "; ")));
        return;
      }
      const std::uint8_t icmp = fields_.family() == 4 ? kIcmp : kIcmpv6;
      for (const std::uint8_t protocol : {kTcp, kUdp, icmp}) {
        const Node these = d_.both(pair, in_range(d_, protocol_, protocol, protocol));
        if (these == d_.no()) continue;
        Box box;
        box.in = from.name;
        box.out = to.name;
        box.family = fields_.family();
        box.protocol = protocol;
        box.limits = limits;
        cover(these, protocol == icmp ? type_ : port_, box);
      }
      Ranges others = ranges_of(d_, seen(pair, {&protocol_}), protocol_);
      for (const std::uint8_t known : {kTcp, kUdp, kIcmp, kIcmpv6}) others.remove(known);
      if (!others.all.empty())
        out_.gaps.push_back(
            fmt::format("protocols {} {}", fmt::join(others.texts(), ", "), way(from.name, to.name)));
    });
  }
  // What passes whoever sends it.
  Node of_any_program(Node f) {
    std::set<Variable> sender;
    const auto add = [&](const ByteKey& key) {
      for (Variable i = 0; i < 8; ++i) sender.insert(static_cast<Variable>(fields_.variable(key) + i));
    };
    for (std::uint32_t b = 0; b <= has_user().b; ++b) add({Kind::meta, has_user().a, b});
    for (const std::uint32_t level : group_levels_) {
      for (std::uint32_t b = 0; b <= has_group(level).b; ++b) add({Kind::group, level, b});
    }
    const auto others = [&](Variable v) { return sender.count(v) == 0; };
    return d_.negate(d_.some(d_.negate(f), others));
  }
  std::string way(const std::string& in, const std::string& out) const {
    return fmt::format("from {} to {} over IPv{}", in.empty() ? "this machine" : in,
                       out.empty() ? "this machine" : out, fields_.family());
  }

  // Takes away boxes, each as wide as it can be around one packet, until nothing is left.
  void cover(Node these, const Word& port, const Box& kind) {
    Node left = seen(these, {&source_, &destination_, &port});
    const Node all = left;
    for (std::size_t i = 0; left != d_.no(); ++i) {
      if (i == kMostBoxes) {
        out_.gaps.push_back("more kinds of traffic than are listed " + way(kind.in, kind.out));
        return;
      }
      std::vector<std::int8_t> decisions;
      const auto is = [](const Leaf& l, const Leaf&) { return (l.outcomes & kYes) != 0; };
      if (!d_.find(left, left, d_.yes(), d_.yes(), is, decisions)) return;
      const Node at_port = d_.both(all, exactly(port, decisions));
      const Node sources = seen(d_.both(at_port, exactly(destination_, decisions)), {&source_});
      const Node refused =
          seen(d_.both(sources, d_.negate(seen(at_port, {&source_, &destination_}))), {&destination_});
      const Node destinations = d_.negate(refused);
      const Node pairs = d_.both(sources, destinations);
      const Node ports = d_.negate(seen(d_.both(pairs, d_.negate(all)), {&port}));
      Box box = kind;
      box.sources = ranges_of(d_, sources, source_);
      box.destinations = ranges_of(d_, destinations, destination_);
      box.ports = ranges_of(d_, ports, port);
      out_.boxes.push_back(std::move(box));
      left = d_.both(left, d_.negate(d_.both(pairs, ports)));
    }
  }
  Node exactly(const Word& word, const std::vector<std::int8_t>& decisions) {
    Wide value = 0;
    for (const Bit& b : word)
      value = value << 1U | (b.variable() < decisions.size() && decisions[b.variable()] == 1 ? 1U : 0U);
    return in_range(d_, word, value, value);
  }

  void hidden(Path path, Node begins) {
    const Node which = d_.both(
        begins, where(symbolic_.hidden(path), [](const Leaf& l) { return (l.outcomes & kYes) != 0; }));
    each_pair(path, which,
              [&](const Side& from, const Side& to, Node) { out_.hidden.emplace_back(from.name, to.name); });
  }

  const site::Site& site_;
  Diagrams d_;
  Fields fields_;
  LargeSets large_;
  Policy policy_;
  Symbolic symbolic_;
  Search search_;
  Reach& out_;
  const std::set<std::uint32_t> group_levels_;
  Word source_, destination_, protocol_, port_, type_;
};

}  // namespace

std::string Box::to_string() const {
  constexpr std::size_t kNamed = 4;
  const auto places = [&](const Ranges& r) {
    const Wide most = family == 4 ? Wide{0xffff'ffff} : ~Wide{0};
    if (r.is_everything(most)) return std::string("any");
    if (r.all.size() > kNamed) return fmt::format("{} ranges", r.all.size());
    std::vector<std::string> texts;
    for (const auto& [first, last] : r.all) texts.push_back(address_text(first, last, family));
    return fmt::format("{}", fmt::join(texts, ", "));
  };
  const std::string what = protocol == kTcp   ? "tcp"
                           : protocol == kUdp ? "udp"
                           : family == 4      ? "icmp type"
                                              : "icmpv6 type";
  return fmt::format("{} {} from {} ({}) to {} ({})", what, fmt::join(ports.texts(), ", "),
                     in.empty() ? "this machine" : in, places(sources), out.empty() ? "this machine" : out,
                     places(destinations));
}

Reach reach_of(const LiveRuleset& ruleset, const std::vector<std::string>& interfaces,
               const Interfaces& indexes) {
  Reach out;
  const site::Site site = site_of(interfaces);
  for (const std::uint8_t family : {std::uint8_t{4}, std::uint8_t{6}}) {
    try {
      Half(site, ruleset, indexes, family, out).read();
    } catch (const TooLarge&) {
      out.gaps.push_back(fmt::format("the diagrams of IPv{} grew beyond their budget", family));
    }
  }
  return out;
}

}  // namespace gatehouse::fwctl::prove
