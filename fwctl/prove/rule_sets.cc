// Sets and maps of a rule as diagrams.
#include <fmt/format.h>
#include <linux/netfilter/nf_tables.h>

#include <algorithm>

#include "fwctl/prove/rule_reader.h"

namespace gatehouse::fwctl::prove {
namespace {

// Where a key of `set` is cut into numbers: offset and length in bytes of each.
std::vector<std::pair<std::size_t, std::size_t>> cuts_of(const KernelSet& set, const Word& key) {
  std::vector<std::pair<std::size_t, std::size_t>> out;
  if (set.concatenated_intervals()) {
    std::size_t at = 0;
    for (const std::uint8_t length : set.field_lengths) {
      out.emplace_back(at, length);
      at += (length + 3U) / 4U * 4U;
    }
    return out;
  }
  if ((set.flags & NFT_SET_INTERVAL) != 0) return {{0, set.key_length}};
  // Single values may be cut anywhere: where the variables stop running on, at 4-byte bounds.
  std::size_t begin = 0;
  for (std::size_t at = 4; at < set.key_length; at += 4) {
    const Bit last = key[at * 8 - 1];
    const Bit next = key[at * 8];
    const bool runs_on = !last.is_constant() && !next.is_constant() && next.variable() == last.variable() + 1;
    if (runs_on && at - begin < kWideBytes) continue;
    out.emplace_back(begin, at - begin);
    begin = at;
  }
  out.emplace_back(begin, set.key_length - begin);
  return out;
}

bool hold_the_same(const KernelSet& a, const KernelSet& b) {
  if (&a == &b) return true;
  return a.key_length == b.key_length && a.elements.same_effect(b.elements);
}

}  // namespace

std::optional<Symbolic::RuleReader::Key> Symbolic::RuleReader::key_for(Slot from, const std::string& name) {
  Key out;
  const auto at = s_.sets_.find({&table_, name});
  if (at == s_.sets_.end() || at->second->key_length == 0) {
    give_up("the set " + name + " that is not there");
    return std::nullopt;
  }
  out.set = at->second;
  const Word all = fetch(from, out.set->key_length);
  if (done_) return std::nullopt;
  out.unknown = unknown_in(all);
  if (out.unknown) return out;
  out.cuts = cuts_of(*out.set, all);
  for (const auto& [offset, length] : out.cuts) {
    if (length > kWideBytes || length == 0 || offset + length > out.set->key_length) {
      give_up(fmt::format("the set {} with a field of {} bytes", name, length));
      return std::nullopt;
    }
    const auto begin = all.begin() + static_cast<std::ptrdiff_t>(offset * 8);
    out.words.emplace_back(begin, begin + static_cast<std::ptrdiff_t>(length * 8));
  }
  return out;
}

bool Symbolic::RuleReader::filled_by_packets(const KernelSet& set) const {
  return (set.flags & NFT_SET_EVAL) != 0;
}

Node Symbolic::RuleReader::uncertain(const KernelSet& set) {
  return d_.maybe(ReasonKind::unknown,
                  "set " + set.name + " changes by itself: packets or time fill and empty it");
}

const KernelElement* Symbolic::RuleReader::catch_all(const KernelSet& set) {
  for (const KernelElement& e : set.elements) {
    if (e.catch_all) return &e;
  }
  return nullptr;
}

bool Symbolic::RuleReader::above(const std::vector<Word>& words, Node n) const {
  for (const Word& w : words) {
    for (const Bit b : w) {
      if (!b.is_constant() && b.variable() >= d_.variable(n)) return false;
    }
  }
  return true;
}

void Symbolic::RuleReader::step(const Lookup& e) {
  const std::optional<Key> key = key_for(e.from, e.set);
  if (!key) return;
  if (e.verdict) return verdict_map(*key);
  if (key->unknown) return add(d_.leaf(Leaf{kNo | kYes, {*key->unknown}}));
  // Which sources are banned is an input, as the connection state is: the policy does not say.
  if (table_.is_ban_set(*key->set) && key->words.size() == 1 &&
      key->words[0] == s_.f_.address(ByteKey::Kind::source)) {
    const Node banned = in_range(d_, s_.f_.banned(), 1, 1);
    return add(e.negated ? d_.negate(banned) : banned);
  }
  const bool plain = !filled_by_packets(*key->set) && catch_all(*key->set) == nullptr &&
                     std::none_of(key->set->elements.begin(), key->set->elements.end(),
                                  [](const KernelElement& x) { return x.uncertain; });
  if (plain && key->set->elements.size() >= kLargeSet && s_.f_.has_early_place()) {
    const Node in = d_.select(member_of(*key), d_.no(), d_.yes());
    return add(e.negated ? d_.negate(in) : in);
  }
  if (plain) {
    push({0, key->set, key->words, key->cuts, e.negated});
    return;
  }
  add(membership(*key, e.negated));
}

Variable Symbolic::RuleReader::member_of(const Key& key) {
  for (const LargeSet& l : s_.large_) {
    if (l.key == key.words && l.cuts == key.cuts && hold_the_same(*l.set, *key.set)) return l.member;
  }
  const auto number = static_cast<std::uint32_t>(s_.large_.size());
  const Variable v = s_.f_.variable({ByteKey::Kind::member, number});
  s_.large_.push_back({key.set, key.words, key.cuts, v});
  return v;
}

Node Symbolic::RuleReader::membership(const Key& key, bool negated) {
  const Node there = filled_by_packets(*key.set) ? uncertain(*key.set) : d_.yes();
  const Table table =
      table_of(key, [&](const KernelElement& e) { return e.uncertain ? uncertain(*key.set) : there; });
  Node otherwise = filled_by_packets(*key.set) ? uncertain(*key.set) : d_.no();
  if (const KernelElement* e = catch_all(*key.set); e != nullptr)
    otherwise = e->uncertain ? uncertain(*key.set) : there;
  const Node in = lookup(d_, key.words, table, otherwise);
  return negated ? d_.negate(in) : in;
}

Node Symbolic::RuleReader::action_of(const KernelElement& e, const KernelSet& set) {
  Node out = e.verdict ? s_.verdict_node(table_, *e.verdict, place_, untracked_)
                       : d_.leaf(Leaf{kAccept | kDrop | kContinue,
                                      {d_.reason(ReasonKind::unknown, "an element without a verdict")}});
  if (e.uncertain || filled_by_packets(set)) out = d_.choose(uncertain(set), out, otherwise_);
  return out;
}

void Symbolic::RuleReader::verdict_map(const Key& key) {
  if (key.unknown) {
    const Node doubt = d_.leaf(Leaf{kNo | kYes, {*key.unknown}});
    Node out = otherwise_;
    for (const KernelElement& e : key.set->elements) out = d_.choose(doubt, action_of(e, *key.set), out);
    return finish(out);
  }
  const KernelElement* rest = catch_all(*key.set);
  const Node otherwise = rest != nullptr ? action_of(*rest, *key.set) : otherwise_;
  // Thousands of elements share a few verdicts.
  std::map<std::pair<std::int32_t, std::string>, Node> actions;
  const Table table = table_of(key, [&](const KernelElement& e) {
    if (!e.verdict || e.uncertain) return action_of(e, *key.set);
    const auto [at, fresh] = actions.try_emplace({e.verdict->code, e.verdict->chain}, 0);
    if (fresh) at->second = action_of(e, *key.set);
    return at->second;
  });
  const bool direct = above(key.words, otherwise) && std::all_of(table.value.begin(), table.value.end(),
                                                                 [&](Node n) { return above(key.words, n); });
  if (direct) return finish(lookup(d_, key.words, table, otherwise));
  // Else first which element, then what it says.
  std::map<Node, Table> by_value;
  for (std::size_t r = 0; r < table.value.size(); ++r) {
    Table& part = by_value.try_emplace(table.value[r], Table(table.columns)).first->second;
    const std::span<const Wide> low(table.first.data() + r * table.columns, table.columns);
    const std::span<const Wide> high(table.last.data() + r * table.columns, table.columns);
    part.add(low, high, d_.yes());
  }
  Node out = otherwise;
  for (const auto& [value, part] : by_value)
    out = d_.choose(lookup(d_, key.words, part, d_.no()), value, out);
  finish(out);
}

Node Symbolic::RuleReader::put_before(const Condition& c, Node then) {
  if (c.set == nullptr) return d_.choose(c.known, then, otherwise_);
  Key key;
  key.set = c.set;
  key.words = c.key;
  key.cuts = c.cuts;
  const bool direct = above(c.key, then) && above(c.key, otherwise_);
  const Node in = direct ? then : d_.yes();
  const Node out = direct ? otherwise_ : d_.no();
  const Table table = table_of(key, [&](const KernelElement&) { return c.negated ? out : in; });
  const Node looked_up = lookup(d_, key.words, table, c.negated ? in : out);
  return direct ? looked_up : d_.choose(looked_up, then, otherwise_);
}

Node membership_of(Diagrams& d, Fields& f, LargeSets& large, const KernelSet& set, const Word& key) {
  const std::vector<std::pair<std::size_t, std::size_t>> cuts = {{0, set.key_length}};
  if (set.elements.size() < kLargeSet || !f.has_early_place())
    return lookup(d, {key}, rows_of(set, cuts, [&](const KernelElement&) { return d.yes(); }), d.no());
  for (const LargeSet& l : large) {
    if (l.key == std::vector<Word>{key} && l.cuts == cuts && hold_the_same(*l.set, set))
      return d.select(l.member, d.no(), d.yes());
  }
  const Variable v = f.variable({ByteKey::Kind::member, static_cast<std::uint32_t>(large.size())});
  large.push_back({&set, {key}, cuts, v});
  return d.select(v, d.no(), d.yes());
}

Node Symbolic::link() {
  for (; linked_ < large_.size(); ++linked_) {
    const LargeSet& l = large_[linked_];
    // The variable stands above the key: both of its sides are built in one go each.
    const Node in =
        lookup(d_, l.key, rows_of(*l.set, l.cuts, [&](const KernelElement&) { return d_.yes(); }), d_.no());
    link_ = d_.both(link_, d_.select(l.member, d_.negate(in), in));
  }
  return link_;
}

}  // namespace gatehouse::fwctl::prove
