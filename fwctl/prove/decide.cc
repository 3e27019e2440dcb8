#include "fwctl/prove/decide.h"

#include <fmt/format.h>
#include <linux/netfilter.h>
#include <linux/netfilter/nf_tables.h>

#include <algorithm>
#include <map>

#include "core/os.h"
#include "fwctl/model/field.h"
#include "fwctl/prove/policy_facts.h"
#include "fwctl/prove/search.h"

namespace gatehouse::fwctl::prove {
namespace {

using Kind = ByteKey::Kind;

enum class Sort : std::uint8_t { same, opened, closed, limited, refused_otherwise, unknown };

bool has_unknown(const Diagrams& d, const Leaf& leaf) {
  return std::any_of(leaf.reasons.begin(), leaf.reasons.end(),
                     [&](Reason r) { return d.reason_kind(r) == ReasonKind::unknown; });
}

std::string_view sentence(Sort sort) {
  switch (sort) {
    case Sort::opened:
      return "the policy drops it, the ruleset accepts it";
    case Sort::closed:
      return "the policy accepts it, the ruleset drops it";
    case Sort::limited:
      return "both accept it, but the rates that limit it differ";
    case Sort::refused_otherwise:
      return "the policy drops it silently, the ruleset rejects it and tells the sender";
    case Sort::unknown:
      return "what the ruleset does with it cannot be decided";
    case Sort::same:
      break;
  }
  return "both do the same";
}

// Everything about the packets of one family.
class Half {
 public:
  Half(const site::Site& site, const LiveRuleset& ruleset, const Interfaces& interfaces, std::uint8_t family,
       Diagrams& diagrams, Proof& proof)
      : site_(site),
        ruleset_(ruleset),
        d_(diagrams),
        fields_(family),
        policy_(d_, fields_, site, large_),
        symbolic_(d_, fields_, ruleset, large_),
        search_(d_, fields_, policy_, {&ruleset}, interfaces),
        proof_(proof) {}

  void compare() {
    for (const Path path : {Path::through, Path::to_gatehouse, Path::from_gatehouse}) {
      const Node live = symbolic_.path(path);
      const Node wanted = policy_.path(path);
      if (live == wanted) continue;
      const Node care = search_.possible(path);
      for (const Sort sort :
           {Sort::opened, Sort::closed, Sort::limited, Sort::refused_otherwise, Sort::unknown})
        look_for(sort, path, wanted, live, care);
    }
    for (const Path path : {Path::through, Path::from_gatehouse}) compare_sources(path);
    for (const Path path : {Path::through, Path::to_gatehouse}) compare_answers(path);
  }

  void check(const site::Assertion& assertion, AssertionResult& out) {
    for (const Path path : paths_of(assertion)) {
      const Node live = symbolic_.path(path);
      const Node asked = d_.both(search_.possible(path), meant_by(assertion, path));
      const bool can = assertion.can;
      const auto broken = [&](const Leaf&, const Leaf& l) {
        const bool passes = (l.outcomes & kAccept) != 0;
        return can ? !passes : passes && !has_unknown(d_, l);
      };
      const auto open = [&](const Leaf&, const Leaf& l) {
        return has_unknown(d_, l) && (l.outcomes & kAccept) != 0;
      };
      if (example(path, live, live, asked, broken, out.example)) {
        out.example->what = can ? "it should pass, and does not" : "it should not pass, and does";
        if (confirmed(*out.example, !can)) {
          out.answer = Answer::differs;
          return;
        }
        out.answer = Answer::cannot_decide;
        out.why = "the two evaluations of the ruleset disagree";
        continue;
      }
      if (out.answer == Answer::holds && example(path, live, live, asked, open, out.example)) {
        out.answer = Answer::cannot_decide;
        out.example->what = sentence(Sort::unknown);
        out.why = out.example->live.doubts.empty() ? "" : out.example->live.doubts.front();
      }
    }
  }

 private:
  using Wanted = Search::Wanted;

  // Whose source is hidden, of what may leave. The packets are those behind the translation of destinations.
  void compare_sources(Path path) {
    const Node live = symbolic_.hidden(path);
    const Node wanted = policy_.hidden(path);
    if (live == wanted) return;
    const Node leaves = d_.relabel(policy_.behind_translation(path), [](const Leaf& leaf) {
      return Leaf{(leaf.outcomes & kAccept) != 0 ? kYes : kNo, {}};
    });
    Node care = d_.both(search_.possible_behind(path), leaves);
    if (path == Path::through) care = d_.both(care, policy_.admitted());
    for (const Outcomes seen : {Outcomes{kYes}, Outcomes{kNo}, Outcomes{kYes | kNo}}) {
      const auto is = [&](const Leaf& p, const Leaf& l) { return !(p == l) && l.outcomes == seen; };
      std::optional<Example> found;
      if (!example(path, wanted, live, care, is, found)) continue;
      found->what = seen == kYes  ? "the policy leaves its source as it is, the ruleset hides it"
                    : seen == kNo ? "the policy hides its source, the ruleset does not"
                                  : "what the ruleset makes of its source cannot be decided";
      if (seen == (kYes | kNo)) {
        reason("the translation of sources");
        proof_.undecided.push_back(std::move(*found));
      } else {
        proof_.differences.push_back(std::move(*found));
      }
    }
  }

  // What the SYN proxy takes, and what it says.
  void compare_answers(Path path) {
    const Node live = symbolic_.answered(path);
    const Node wanted = policy_.answered(path);
    if (live == wanted) return;
    const Node care = search_.possible(path);
    for (const Outcomes seen : {Outcomes{kTranslate}, Outcomes{kNo}, Outcomes{kYes | kNo}}) {
      const auto is = [&](const Leaf& p, const Leaf& l) { return !(p == l) && l.outcomes == seen; };
      std::optional<Example> found;
      if (!example(path, wanted, live, care, is, found)) continue;
      if (seen == (kYes | kNo)) {
        found->what = "whether the SYN proxy takes it cannot be decided";
        reason("a SYN proxy that takes some packets only");
        proof_.undecided.push_back(std::move(*found));
        continue;
      }
      found->what = seen == kNo
                        ? "the policy has the SYN proxy take it, the ruleset does not"
                        : "the SYN proxy takes it, which the policy does not say, or not with these words";
      proof_.differences.push_back(std::move(*found));
    }
  }

  Sort sort_of(const Leaf& p, const Leaf& l) {
    if (p == l) return Sort::same;
    if (has_unknown(d_, l)) return Sort::unknown;
    const bool wanted = (p.outcomes & kAccept) != 0;
    const bool passes = (l.outcomes & kAccept) != 0;
    if (wanted != passes) return wanted ? Sort::closed : Sort::opened;
    if (!wanted) return Sort::refused_otherwise;
    const auto limits = policy_.alternatives(p);
    const bool silent = (l.outcomes & kReject) == 0;
    return silent && std::find(limits.begin(), limits.end(), l.reasons) != limits.end() ? Sort::same
                                                                                        : Sort::limited;
  }

  void look_for(Sort sort, Path path, Node wanted, Node live, Node care) {
    std::optional<Example> found;
    const auto is = [&](const Leaf& p, const Leaf& l) { return sort_of(p, l) == sort; };
    if (!example(path, wanted, live, care, is, found)) return;
    found->what = sentence(sort);
    if (sort == Sort::unknown) {
      for (const std::string& r : found->live.doubts) reason(r);
      proof_.undecided.push_back(std::move(*found));
    } else if (sort == Sort::limited || sort == Sort::refused_otherwise ||
               confirmed(*found, sort == Sort::opened)) {
      proof_.differences.push_back(std::move(*found));
    } else {
      reason("the two evaluations of the ruleset, or of the policy, disagree about: " +
             found->packet.to_string());
      proof_.undecided.push_back(std::move(*found));
    }
  }
  void reason(const std::string& text) {
    auto& all = proof_.reasons;
    if (std::find(all.begin(), all.end(), text) == all.end()) all.push_back(text);
  }

  // The second opinion: the interpreter agrees that the packet can pass, or that it cannot.
  bool confirmed(const Example& e, bool passes) const {
    bool whole = false;
    const Outcomes outcomes = possible_verdicts(ruleset_, e.packet, whole);
    return ((outcomes & kAccept) != 0) == passes;
  }

  // A packet where `is` holds, as ordinary as there is one.
  bool example(Path path, Node wanted, Node live, Node care, const Wanted& is, std::optional<Example>& out) {
    // What large sets hold matters only where there is something to find.
    std::vector<std::int8_t> decisions;
    if (!d_.find(wanted, live, care, d_.yes(), is, decisions)) return false;
    const std::optional<Packet> packet =
        search_.ordinary(path, wanted, live, care, symbolic_.link(), is, std::move(decisions));
    if (!packet) return false;
    Example e;
    e.packet = *packet;
    e.policy = opinion_on(site_, e.packet);
    e.live = interpret(ruleset_, e.packet);
    out = std::move(e);
    return true;
  }

  // --- assertions ---
  static std::vector<Path> paths_of(const site::Assertion& a) {
    if (a.from.is_gatehouse()) return {Path::from_gatehouse};
    if (a.to.is_gatehouse()) return {Path::to_gatehouse};
    return {Path::through};
  }
  Node end(const site::Endpoint& e, bool source) {
    const site::Zone* zone = site_.find_zone(e.zone);
    if (zone == nullptr) return d_.yes();
    const Node interface = policy_.interface_is(source ? Kind::iifname : Kind::oifname, zone->interface);
    if (e.host.empty()) return interface;
    return d_.both(interface,
                   policy_.address_in(source ? Kind::source : Kind::destination, site_.networks_of(e)));
  }
  Node among(const std::vector<site::PortRange>& ports) {
    Word port;
    fields_.append(port, {Kind::transport, 0, kDestinationPort});
    fields_.append(port, {Kind::transport, 0, kDestinationPort + 1});
    Node out = d_.no();
    for (const site::PortRange& p : ports) {
      const std::uint8_t protocol = p.transport == site::Transport::tcp ? kProtocolTcp : kProtocolUdp;
      out =
          d_.either(out, d_.both(byte_is(Kind::protocol, 0, protocol), in_range(d_, port, p.first, p.last)));
    }
    return out;
  }
  Node byte_is(Kind kind, std::uint32_t offset, std::uint8_t value) {
    Word word;
    fields_.append(word, {kind, 0, offset});
    return in_range(d_, word, value, value);
  }
  // The packets an assertion speaks of: those that could begin a conversation.
  Node meant_by(const site::Assertion& a, Path path) {
    // Where it may not come is asked behind the translation, the ports are those its sender names.
    const Node to = a.can ? end(a.to, false) : symbolic_.before_translation(path, end(a.to, false));
    Node out = d_.both(end(a.from, true), to);
    out = d_.both(out, byte_is(Kind::ct_state, 0, kStateNew));
    const std::uint8_t icmp = fields_.family() == 4 ? kProtocolIcmp : kProtocolIcmpv6;
    const Node echo = d_.both(byte_is(Kind::protocol, 0, icmp),
                              byte_is(Kind::transport, 0, fields_.family() == 4 ? 8 : 128));
    Node named = among(a.ports);
    if (a.ping) named = d_.either(named, echo);
    if (!a.can) return d_.both(out, d_.negate(named));
    out = d_.both(out, named);
    // A packet that should pass is one a host would send: SYN alone, from where it belongs.
    const Node tcp = byte_is(Kind::protocol, 0, kProtocolTcp);
    out = d_.both(out, d_.choose(tcp, byte_is(Kind::transport, kTcpFlags, 2), d_.yes()));
    if (path == Path::from_gatehouse) return out;
    Word answer;
    fields_.append(answer, {Kind::fib, route_back_question(), 0});
    out = d_.both(out, in_range(d_, {answer.back()}, 1, 1));
    out = d_.both(out, d_.negate(policy_.banned()));
    if (const site::Zone* from = site_.find_zone(a.from.zone); from != nullptr && from->untrusted)
      out = d_.both(out, d_.negate(policy_.listed()));
    const site::Zone* zone = site_.find_zone(a.from.zone);
    if (zone == nullptr) return out;
    const Node belongs = zone->untrusted ? policy_.address_in(Kind::source, outside_examples(site_))
                                         : policy_.address_in(Kind::source, zone->networks);
    out = d_.both(out, belongs);
    const site::Zone* target = site_.find_zone(a.to.zone);
    if (target == nullptr || !a.to.host.empty()) return out;
    return d_.both(out, policy_.address_in(Kind::destination,
                                           target->untrusted ? outside_examples(site_) : target->networks));
  }

  const site::Site& site_;
  const LiveRuleset& ruleset_;
  Diagrams& d_;
  Fields fields_;
  LargeSets large_;
  Policy policy_;
  Symbolic symbolic_;
  Search search_;
  Proof& proof_;
};

void count(const LiveRuleset& ruleset, Proof& proof) {
  for (const LiveTable& t : ruleset.tables) {
    const bool judged = t.family != NFPROTO_ARP && t.family != NFPROTO_BRIDGE;
    if (!judged) proof.not_judged.push_back(t.name());
    for (const KernelChain& c : t.table.chains) proof.rules += c.rules.size();
    for (const KernelSet& s : t.table.sets) proof.elements += s.elements.size();
  }
}

}  // namespace

std::string_view to_string(Answer answer) {
  switch (answer) {
    case Answer::holds:
      return "holds";
    case Answer::differs:
      return "differs";
    case Answer::cannot_decide:
      break;
  }
  return "cannot decide";
}

Answer Proof::overall() const {
  Answer out = answer;
  for (const AssertionResult& a : assertions) {
    if (a.answer == Answer::differs || out == Answer::differs) {
      out = Answer::differs;
    } else if (a.answer == Answer::cannot_decide) {
      out = Answer::cannot_decide;
    }
  }
  return out;
}

Proof decide(const site::Site& site, const LiveRuleset& ruleset, const Interfaces& interfaces) {
  Proof out;
  const std::int64_t start = core::monotonic_us();
  count(ruleset, out);
  for (const site::Assertion& a : site.assertions) {
    out.assertions.emplace_back();
    out.assertions.back().assertion = &a;
  }
  // What grows too large is not decided; what was found before that stays found.
  for (const std::uint8_t family : {std::uint8_t{4}, std::uint8_t{6}}) {
    try {
      Diagrams diagrams;
      Half half(site, ruleset, interfaces, family, diagrams, out);
      half.compare();
      for (AssertionResult& a : out.assertions) {
        if (a.answer != Answer::differs) half.check(*a.assertion, a);
      }
      out.nodes += diagrams.size();
    } catch (const TooLarge&) {
      out.reasons.emplace_back("the diagrams of IPv" + std::to_string(family) + " grew beyond their budget");
      for (AssertionResult& a : out.assertions) {
        if (a.answer != Answer::holds) continue;
        a.answer = Answer::cannot_decide;
        a.why = out.reasons.back();
      }
    }
  }
  if (!out.differences.empty()) {
    out.answer = Answer::differs;
  } else if (!out.reasons.empty() || !out.undecided.empty()) {
    out.answer = Answer::cannot_decide;
  }
  out.seconds = static_cast<double>(core::monotonic_us() - start) / 1e6;
  return out;
}

}  // namespace gatehouse::fwctl::prove
