#include "fwctl/prove/symbolic.h"

#include <fmt/format.h>
#include <linux/netfilter.h>
#include <linux/netfilter/nf_tables.h>

#include "fwctl/model/field.h"

namespace gatehouse::fwctl::prove {
namespace {

constexpr std::size_t kWideBytes = 16;
constexpr int kMostDepth = 64;  // the kernel allows 16 jumps

}  // namespace

Symbolic::Symbolic(Diagrams& diagrams, Fields& fields, const LiveRuleset& ruleset, LargeSets& large)
    : d_(diagrams),
      f_(fields),
      ruleset_(ruleset),
      writes_(writes_of(ruleset)),
      large_(large),
      link_(diagrams.yes()) {
  for (const LiveTable& t : ruleset.tables) {
    for (const KernelChain& c : t.table.chains) by_name_[{&t, c.name}] = &c;
    for (const KernelSet& s : t.table.sets) sets_[{&t, s.name}] = &s;
  }
}

Node Symbolic::verdict_node(const LiveTable& table, const KernelVerdict& verdict, const Place& place,
                            bool taken_out) {
  switch (verdict.code) {
    case NF_ACCEPT:
      return d_.leaf(kAccept);
    case NF_DROP:
      return d_.leaf(kDrop);
    case NFT_CONTINUE:
    case NFT_BREAK:
      return d_.leaf(kContinue);
    case NFT_RETURN:
      return d_.leaf(kReturn);
    case NFT_JUMP:
    case NFT_GOTO: {
      const Flow flow = chain_flow(table, verdict.chain, place);
      const Node out = taken_out ? flow.untracked : flow.tracked;
      if (verdict.code == NFT_GOTO) return out;
      return d_.bind(out, kReturn, d_.leaf(kContinue), d_.leaf(kContinueUntracked));
    }
    default:
      return d_.leaf(Leaf{kAccept | kDrop,
                          {d_.reason(ReasonKind::unknown, fmt::format("the verdict {}", verdict.code))}});
  }
}

// Halves first: rules that speak of different packets then meet in small diagrams, and a rule that looks
// at few fields is not copied into every corner of those before it.
Symbolic::Flow Symbolic::sequence(const std::vector<Flow>& rules, std::size_t from, std::size_t to) {
  if (from == to) return {d_.leaf(kContinue), d_.leaf(kContinue)};
  if (to - from == 1) return rules[from];
  const std::size_t middle = from + (to - from) / 2;
  const Flow a = sequence(rules, from, middle);
  const Flow b = sequence(rules, middle, to);
  Flow out;
  out.tracked = d_.bind(a.tracked, kContinue, b.tracked, b.untracked);
  out.untracked = writes_.untracks ? d_.bind(a.untracked, kContinue, b.tracked, b.untracked) : out.tracked;
  return out;
}

Symbolic::Flow Symbolic::chain_flow(const LiveTable& table, const std::string& name, const Place& place) {
  const auto found = by_name_.find({&table, name});
  if (found == by_name_.end() || depth_ > kMostDepth) {
    const Node lost = d_.leaf(
        Leaf{kAccept | kDrop, {d_.reason(ReasonKind::unknown, "the chain " + name + " is not there")}});
    return {lost, lost};
  }
  const std::pair key{found->second, place};
  if (const auto at = chains_.find(key); at != chains_.end()) return at->second;
  ++depth_;
  std::vector<Flow> rules;
  for (const KernelRule& r : found->second->rules) {
    const Flow flow = rule_flow(table, r, place);
    const Node nothing = d_.leaf(kContinue);
    if (flow.tracked != nothing || flow.untracked != nothing) rules.push_back(flow);
  }
  --depth_;
  Flow out = sequence(rules, 0, rules.size());
  const auto ended = [&](Node n) {
    return d_.bind(n, kContinue, d_.leaf(kReturn), d_.leaf(kReturnUntracked));
  };
  out = {ended(out.tracked), ended(out.untracked)};
  chains_[key] = out;
  return out;
}

Symbolic::Flow Symbolic::base_flow(const BaseStep& step) {
  const BaseHook& base = *step.chain->base;
  Flow out = chain_flow(*step.table, step.chain->name, step.place);
  const bool drops = base.policy == NF_DROP;
  const Node policy = d_.leaf(drops ? kDrop : kAccept);
  const Node policy_untracked = d_.leaf(drops ? kDrop : kAcceptUntracked);
  out = {d_.bind(out.tracked, kReturn, policy, policy_untracked),
         d_.bind(out.untracked, kReturn, policy, policy_untracked)};
  if (base.type == "nat") {
    // Translation is asked for the first packet of a connection; an ICMP error about one follows it.
    const Word state = f_.word(ByteKey::Kind::ct_state, 1);
    const Word protocol = f_.word(ByteKey::Kind::protocol, 1);
    const std::uint8_t icmp = f_.family() == 4 ? kProtocolIcmp : kProtocolIcmpv6;
    const Node related = d_.both(in_range(d_, state, kStateRelated, kStateRelated),
                                 d_.negate(in_range(d_, protocol, icmp, icmp)));
    const Node asked = d_.either(in_range(d_, state, kStateNew, kStateNew), related);
    out = {d_.choose(asked, out.tracked, d_.leaf(kAccept)), d_.leaf(kAcceptUntracked)};
  }
  if (step.inbound_device || step.outbound_device) {
    Node here = d_.no();
    for (const std::string& device : base.devices) {
      const auto kind = step.inbound_device ? ByteKey::Kind::iifname : ByteKey::Kind::oifname;
      here = d_.either(here, interface_is(kind, device));
    }
    out = {d_.choose(here, out.tracked, d_.leaf(kAccept)),
           d_.choose(here, out.untracked, d_.leaf(kAcceptUntracked))};
  }
  return out;
}

Node Symbolic::on_the_way(Path path) {
  const std::vector<BaseStep> steps = steps_of(ruleset_, path, f_.family());
  Flow rest{d_.leaf(kAccept), d_.leaf(kAccept)};
  Node translated = rest.tracked;  // what comes behind all translation at this hook
  for (std::size_t i = steps.size(); i-- > 0;) {
    const bool last =
        i + 1 == steps.size() || steps[i + 1].stage != steps[i].stage || !steps[i + 1].translates;
    if (steps[i].translates && last) translated = rest.tracked;
    const Flow here = base_flow(steps[i]);
    Flow next;
    next.tracked = d_.bind(here.tracked, kAccept, rest.tracked, rest.untracked);
    if (steps[i].translates) next.tracked = resolve(here.tracked, next.tracked, translated);
    next.untracked =
        writes_.untracks ? d_.bind(here.untracked, kAccept, rest.tracked, rest.untracked) : next.tracked;
    rest = next;
  }
  return rest.tracked;
}

Node Symbolic::chain(const LiveTable& table, const std::string& name, const Place& place) {
  return chain_flow(table, name, place).tracked;
}
Node Symbolic::rule(const LiveTable& table, const KernelRule& rule, const Place& place) {
  return rule_flow(table, rule, place).tracked;
}

Node Symbolic::interface_is(ByteKey::Kind kind, std::string_view name) {
  Wide value = 0;
  for (std::size_t i = 0; i < kWideBytes; ++i)
    value = value << 8U | (i < name.size() ? static_cast<std::uint8_t>(name[i]) : 0U);
  return in_range(d_, f_.word(kind, kWideBytes), value, value);
}

}  // namespace gatehouse::fwctl::prove
