// Translated addresses: what lies behind a translation is asked of the packet as it is then.
#include <fmt/format.h>
#include <linux/netfilter.h>
#include <linux/netfilter/nf_tables.h>

#include <algorithm>
#include <functional>

#include "fwctl/prove/rule_reader.h"

namespace gatehouse::fwctl::prove {

using Kind = ByteKey::Kind;

// The variables that a new destination decides, and their values.
std::map<Variable, bool> rewritten_bits(Fields& f, const Bytes& address, const Bytes& port) {
  std::map<Variable, bool> out;
  const auto put = [&](const ByteKey& key, std::uint8_t value) {
    Word word;
    f.append(word, key);
    for (std::size_t i = 0; i < 8; ++i) out[word[i].variable()] = (value >> (7 - i) & 1) != 0;
  };
  for (std::uint32_t i = 0; i < address.size(); ++i) put({Kind::destination, 0, i}, address[i]);
  for (std::uint32_t i = 0; i < port.size(); ++i) put({Kind::transport, 0, kDestinationPort + i}, port[i]);
  out[destination_translated(f).variable()] = true;
  return out;
}

Bit destination_translated(Fields& f) {
  Word status;
  f.append(status, {Kind::ct, NFT_CT_STATUS, 0});
  return status[2];  // IPS_DST_NAT, bit 5
}

std::optional<Bytes> Symbolic::RuleReader::constant_in(Slot slot, std::size_t bytes) {
  const Word word = fetch(slot, bytes);
  Bytes out(bytes, 0);
  for (std::size_t i = 0; i < word.size(); ++i) {
    if (!word[i].is_constant()) return std::nullopt;
    if (word[i].is_set()) out[i / 8] = static_cast<std::uint8_t>(out[i / 8] | 0x80U >> i % 8);
  }
  return out;
}

void Symbolic::RuleReader::step(const Translate& e) {
  const std::uint8_t family = e.family == NFPROTO_IPV4 ? 4 : e.family == NFPROTO_IPV6 ? 6 : 0;
  if (family != 0 && family != place_.family) return;
  Rewrite rewrite;
  rewrite.destination = e.type == NFT_NAT_DNAT;
  const auto take = [&](std::optional<Slot> slot, std::size_t bytes, Bytes& to) {
    if (!slot) return true;
    const auto value = constant_in(*slot, bytes);
    if (value) to = *value;
    return value.has_value();
  };
  if (!take(e.address, place_.family == 4 ? 4 : 16, rewrite.address) || !take(e.port, 2, rewrite.port))
    return done_ ? void() : give_up("a translation to an address that the packet decides");
  std::string text = rewrite.destination ? "dnat" : "snat";
  for (const Bytes* part : {&rewrite.address, &rewrite.port}) {
    text += " ";
    for (const std::uint8_t b : *part) text += fmt::format("{:02x}", b);
  }
  translate(std::move(rewrite), text);
}

void Symbolic::RuleReader::step(const MasqueradeSource& e) {
  translate({}, e.flags == 0 ? std::string(kMasquerade) : fmt::format("masquerade flags {:#x}", e.flags));
}

void Symbolic::RuleReader::translate(Rewrite rewrite, const std::string& text) {
  const Reason which = d_.reason(ReasonKind::translation, text);
  s_.rewrites_[which] = std::move(rewrite);
  finish(d_.leaf(Leaf{kTranslate, {which}}));
}

std::vector<Reason> Symbolic::translations_in(Node f) {
  std::vector<Reason> out;
  for (const auto& [reason, rewrite] : rewrites_) {
    bool there = false;
    (void)d_.relabel(f, [&, r = reason](const Leaf& leaf) {
      there |= (leaf.outcomes & kTranslate) != 0 && leaf.reasons == std::vector<Reason>{r};
      return leaf;
    });
    if (there) out.push_back(reason);
  }
  return out;
}

// Is a packet in a large set when these bits of its key are fixed?
Node Symbolic::inside_after(const LargeSet& large, const std::map<Variable, bool>& fixed) {
  std::vector<Word> key = large.key;
  for (Word& word : key) {
    for (Bit& bit : word) {
      if (bit.is_constant()) continue;
      const auto at = fixed.find(bit.variable());
      if (at != fixed.end()) bit = Bit::constant(at->second != bit.turned());
    }
  }
  const Table rows = rows_of(*large.set, large.cuts, [&](const KernelElement&) { return d_.yes(); });
  return lookup(d_, key, rows, d_.no());
}

// The packets of a chain that are certainly translated so.
Node Symbolic::only(Node here, Reason which) {
  return d_.relabel(here, [&](const Leaf& leaf) {
    const bool yes = leaf.outcomes == kTranslate && leaf.reasons == std::vector<Reason>{which};
    return Leaf{yes ? kYes : kNo, {}};
  });
}

// `rest` asked of a packet behind the translation. A new source is no field that anything before the wire
// should look at; where something does, this version cannot say what it sees.
Node Symbolic::rewritten(const Rewrite& rewrite, Node rest) {
  const auto unknown = [&](const char* why) {
    return Diagrams::is_leaf(rest) ? rest
                                   : d_.leaf(Leaf{kAccept | kDrop, {d_.reason(ReasonKind::unknown, why)}});
  };
  if (!rewrite.destination) return unknown("rules that come after the translation of the source");
  if (writes_.asks_route_to_destination) return unknown("fib daddr after the translation of the destination");
  return substituted(rewritten_bits(f_, rewrite.address, rewrite.port), rest);
}

Node Symbolic::substituted(const std::map<Variable, bool>& fixed, Node rest) {
  for (const LargeSet& l : large_) {
    const bool concerned = std::any_of(l.key.begin(), l.key.end(), [&](const Word& w) {
      return std::any_of(w.begin(), w.end(),
                         [&](Bit b) { return !b.is_constant() && fixed.count(b.variable()) != 0; });
    });
    if (concerned)
      rest = d_.choose(inside_after(l, fixed), d_.fix(rest, l.member, true), d_.fix(rest, l.member, false));
  }
  for (const auto& [variable, value] : fixed) rest = d_.fix(rest, variable, value);
  return rest;
}

// `here` is what a nat chain says, `bound` the same with what comes after an accept; `rest` is what comes
// behind all translation at this hook.
Node Symbolic::resolve(Node here, Node bound, Node rest) {
  for (const Reason which : translations_in(here)) {
    bound = d_.choose(only(here, which), rewritten(rewrites_.at(which), rest), bound);
  }
  // What is left may be translated or not.
  const Node open = d_.leaf(Leaf{
      kAccept | kDrop, {d_.reason(ReasonKind::unknown, "a translation that happens to some packets only")}});
  const Node undecided = d_.relabel(bound, [&](const Leaf& leaf) {
    return Leaf{(leaf.outcomes & kTranslate) != 0 ? kYes : kNo, {}};
  });
  return d_.choose(undecided, open, bound);
}

Node Symbolic::before_translation(Path path, Node after) {
  Node out = after;
  Node translated = after;
  const std::vector<BaseStep> steps = steps_of(ruleset_, path, f_.family());
  for (std::size_t i = steps.size(); i-- > 0;) {
    const BaseStep& step = steps[i];
    if (!step.translates) continue;
    const bool last = i + 1 == steps.size() || steps[i + 1].stage != step.stage || !steps[i + 1].translates;
    if (last) translated = out;
    const Node here = base_flow(step).tracked;
    for (const Reason which : translations_in(here)) {
      const Rewrite& rewrite = rewrites_.at(which);
      if (!rewrite.destination) continue;
      const auto fixed = rewritten_bits(f_, rewrite.address, rewrite.port);
      out = d_.choose(only(here, which), substituted(fixed, translated), out);
    }
  }
  return out;
}

Node Symbolic::hidden(Path path) {
  Node out = d_.no();
  const std::vector<BaseStep> steps = steps_of(ruleset_, path, f_.family());
  const Reason masquerade = d_.reason(ReasonKind::translation, std::string(kMasquerade));
  for (std::size_t i = steps.size(); i-- > 0;) {
    if (!steps[i].translates || !steps[i].leaving) continue;
    const Node here = base_flow(steps[i]).tracked;
    const Node some = d_.relabel(here, [&](const Leaf& leaf) {
      if (leaf.outcomes == kTranslate)
        return leaf.reasons == std::vector<Reason>{masquerade}
                   ? Leaf{kYes, {}}
                   : Leaf{kNo | kYes, {d_.reason(ReasonKind::unknown, d_.reason_text(leaf.reasons.at(0)))}};
      if ((leaf.outcomes & kTranslate) != 0)
        return Leaf{kNo | kYes,
                    {d_.reason(ReasonKind::unknown, "a translation that happens to some packets only")}};
      return Leaf{kNo, {}};
    });
    out = d_.either(some, out);
  }
  return out;
}

}  // namespace gatehouse::fwctl::prove
