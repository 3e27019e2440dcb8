// One rule as a diagram.
#include <fmt/format.h>
#include <linux/netfilter.h>
#include <linux/netfilter/nf_tables.h>

#include <algorithm>
#include <array>

#include "fwctl/prove/load.h"
#include "fwctl/prove/relation_rows.h"
#include "fwctl/prove/symbolic.h"

namespace gatehouse::fwctl::prove {
namespace {

constexpr std::size_t kWideBytes = 16;
constexpr std::size_t kRegisterBits = kSlots * 32;

std::optional<Reason> unknown_in(const Word& word) {
  for (const Bit b : word) {
    if (b.is_unknown()) return b.why();
  }
  return std::nullopt;
}

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

// A condition of a rule: a diagram, or a set not yet looked up, so that what follows becomes its leaves.
struct Symbolic::Condition {
  Node known = 0;
  const KernelSet* set = nullptr;
  std::vector<Word> key;
  std::vector<std::pair<std::size_t, std::size_t>> cuts;
  bool negated = false;
};

// Reads the expressions of one rule from first to last, then builds its diagram from last to first.
class Symbolic::RuleReader {
 public:
  RuleReader(Symbolic& s, const LiveTable& table, const Place& place, bool untracked)
      : s_(s), d_(s.d_), table_(table), place_(place), was_untracked_(untracked), untracked_(untracked) {}

  Node read(const KernelRule& rule) {
    otherwise_ = d_.leaf(was_untracked_ ? kContinueUntracked : kContinue);
    action_ = otherwise_;
    for (const Expression& e : rule.expressions) {
      std::visit([this](const auto& x) { step(x); }, e);
      if (done_) break;
    }
    if (untracked_) action_ = marked(action_);
    Node out = action_;
    for (std::size_t i = conditions_.size(); i-- > 0;) out = put_before(conditions_[i], out);
    return out;
  }

 private:
  // --- registers ---
  void store(Slot to, Word bits) {
    bits.resize((bits.size() + 31) / 32 * 32, Bit::constant(false));
    if (to * 32U + bits.size() > kRegisterBits) return give_up("a register that does not exist");
    std::copy(bits.begin(), bits.end(), registers_.begin() + to * 32);
  }
  Word fetch(Slot from, std::size_t bytes) {
    if (from * 32U + bytes * 8 > kRegisterBits) {
      give_up("a register that does not exist");
      return Word(bytes * 8, Bit::constant(false));
    }
    const auto begin = registers_.begin() + from * 32;
    return {begin, begin + static_cast<std::ptrdiff_t>(bytes * 8)};
  }
  void store_unknown(Slot to, std::size_t bytes, const std::string& why) {
    const std::size_t most = to < kSlots ? (kSlots - to) * 4U : 0;
    const Bit bit = Bit::unknown(d_.reason(ReasonKind::unknown, why));
    store(to, Word(std::min(bytes, most) * 8, bit));
  }

  void add(Node condition) {
    push({condition, nullptr, {}, {}, false});
    done_ = done_ || condition == d_.no();
  }
  void push(Condition condition) {
    // A packet that fails here would go on taken out of tracking: nobody writes such a rule.
    if (untracked_ && !was_untracked_) return give_up("a match after notrack in one rule");
    conditions_.push_back(std::move(condition));
  }
  void finish(Node action) {
    action_ = action;
    done_ = true;
  }
  void give_up(const std::string& what) {
    finish(d_.leaf(Leaf{kAccept | kDrop | kContinue, {d_.reason(ReasonKind::unknown, what)}}));
  }

  // --- loads ---
  void put(const Loaded& loaded, Slot to) {
    if (loaded.kind == Loaded::Kind::no_match) return add(d_.no());
    if (loaded.kind == Loaded::Kind::unknown) return store_unknown(to, kWideBytes, loaded.why);
    if (loaded.needs_connection) {
      const Word state = s_.f_.word(ByteKey::Kind::ct_state, 1);
      for (const std::uint8_t without : {kStateInvalid, kStateUntracked})
        add(d_.negate(in_range(d_, state, without, without)));
    }
    if (loaded.needs_user) {
      Word there;
      s_.f_.append(there, has_user());
      add(in_range(d_, {there.back()}, 1, 1));
    }
    Word word;
    for (const LoadedByte& b : loaded.bytes) append(word, b);
    store(to, std::move(word));
  }
  void append(Word& word, const LoadedByte& b) {
    const std::size_t begin = word.size();
    for (unsigned i = 0; i < 8; ++i) word.push_back(Bit::constant((b.constant >> (7 - i) & 1) != 0));
    if (!b.key) return;
    Word packet;
    s_.f_.append(packet, *b.key);
    for (std::size_t i = b.lowest_bit_only ? 7 : b.is_protocol_version ? 4 : 0; i < 8; ++i)
      word[begin + i] = packet[i];
  }
  void step(const LoadMeta& e) { put(load(e, place_, s_.writes_), e.to); }
  void step(const LoadCt& e) { put(load(e, place_, s_.writes_, untracked_), e.to); }
  void step(const LoadFib& e) { put(load(e, place_), e.to); }
  void step(const LoadPayload& e) { put(load(e, place_, s_.writes_), e.to); }

  void step(const Mask& e) {
    Word word = fetch(e.from, e.mask.size());
    if (done_) return;
    for (std::size_t i = 0; i < word.size(); ++i) {
      const unsigned shift = 7 - i % 8;
      if ((e.mask[i / 8] >> shift & 1) == 0) word[i] = Bit::constant(false);
      if (i / 8 < e.flip.size() && (e.flip[i / 8] >> shift & 1) != 0) word[i] = !word[i];
    }
    store(e.to, std::move(word));
  }

  // --- comparisons ---
  Node equals(const Word& word, const Bytes& data) {
    Node out = d_.yes();
    for (std::size_t at = (data.size() - 1) / kWideBytes * kWideBytes;; at -= kWideBytes) {
      const std::size_t count = std::min(kWideBytes, data.size() - at);
      const auto begin = word.begin() + static_cast<std::ptrdiff_t>(at * 8);
      const Word part(begin, begin + static_cast<std::ptrdiff_t>(count * 8));
      const Wide value = number(data, at, count);
      out = d_.both(in_range(d_, part, value, value), out);
      if (at == 0) return out;
    }
  }
  // A known bit that differs settles an equality, whatever the unknown ones are.
  static bool cannot_equal(const Word& word, const Bytes& data) {
    for (std::size_t i = 0; i < word.size(); ++i) {
      if (word[i].is_constant() && word[i].is_set() != ((data[i / 8] >> (7 - i % 8) & 1) != 0)) return true;
    }
    return false;
  }
  void step(const Compare& e) {
    if (e.data.empty()) return give_up("a comparison with nothing");
    const Word word = fetch(e.from, e.data.size());
    if (done_) return;
    const bool equality = e.op == NFT_CMP_EQ || e.op == NFT_CMP_NEQ;
    if (const auto why = unknown_in(word); why && !(equality && cannot_equal(word, e.data)))
      return add(d_.leaf(Leaf{kNo | kYes, {*why}}));
    if (equality) {
      const Node equal = cannot_equal(word, e.data) ? d_.no() : equals(word, e.data);
      return add(e.op == NFT_CMP_EQ ? equal : d_.negate(equal));
    }
    if (e.data.size() > kWideBytes) return give_up("an order comparison of more than 16 bytes");
    const Wide value = number(e.data, 0, e.data.size());
    const Node below = value == 0 ? d_.no() : in_range(d_, word, 0, value - 1);
    const Node up_to = in_range(d_, word, 0, value);
    switch (e.op) {
      case NFT_CMP_LT:
        return add(below);
      case NFT_CMP_LTE:
        return add(up_to);
      case NFT_CMP_GT:
        return add(d_.negate(up_to));
      case NFT_CMP_GTE:
        return add(d_.negate(below));
      default:
        return give_up("an unknown comparison");
    }
  }
  void range(const Foreign& e) {
    if (e.low.empty() || e.low.size() != e.high.size() || e.low.size() > kWideBytes) return give_up(e.text);
    const Word word = fetch(e.from, e.low.size());
    if (done_) return;
    if (const auto why = unknown_in(word)) return add(d_.leaf(Leaf{kNo | kYes, {*why}}));
    const Node inside = in_range(d_, word, number(e.low, 0, e.low.size()), number(e.high, 0, e.high.size()));
    add(e.negated ? d_.negate(inside) : inside);
  }

  // --- sets ---
  struct Key {
    const KernelSet* set = nullptr;
    std::vector<Word> words;
    std::vector<std::pair<std::size_t, std::size_t>> cuts;
    std::optional<Reason> unknown;
  };
  std::optional<Key> key_for(Slot from, const std::string& name) {
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
  bool filled_by_packets(const KernelSet& set) const { return (set.flags & NFT_SET_EVAL) != 0; }
  Node uncertain(const KernelSet& set) {
    return d_.maybe(ReasonKind::unknown,
                    "set " + set.name + " changes by itself: packets or time fill and empty it");
  }

  // `value` makes an element's leaf, given whether its presence is certain.
  template <class Value>
  Table table_of(const Key& key, Value value) {
    return rows_of(*key.set, key.cuts, value);
  }
  static const KernelElement* catch_all(const KernelSet& set) {
    for (const KernelElement& e : set.elements) {
      if (e.catch_all) return &e;
    }
    return nullptr;
  }
  // Every variable of the key stands above every variable of the node.
  bool above(const std::vector<Word>& words, Node n) const {
    for (const Word& w : words) {
      for (const Bit b : w) {
        if (!b.is_constant() && b.variable() >= d_.variable(n)) return false;
      }
    }
    return true;
  }

  void step(const Lookup& e) {
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
  Variable member_of(const Key& key) {
    for (const LargeSet& l : s_.large_) {
      if (l.key == key.words && l.cuts == key.cuts && hold_the_same(*l.set, *key.set)) return l.member;
    }
    const auto number = static_cast<std::uint32_t>(s_.large_.size());
    const Variable v = s_.f_.variable({ByteKey::Kind::member, number});
    s_.large_.push_back({key.set, key.words, key.cuts, v});
    return v;
  }
  Node membership(const Key& key, bool negated) {
    const Node there = filled_by_packets(*key.set) ? uncertain(*key.set) : d_.yes();
    const Table table =
        table_of(key, [&](const KernelElement& e) { return e.uncertain ? uncertain(*key.set) : there; });
    Node otherwise = filled_by_packets(*key.set) ? uncertain(*key.set) : d_.no();
    if (const KernelElement* e = catch_all(*key.set); e != nullptr)
      otherwise = e->uncertain ? uncertain(*key.set) : there;
    const Node in = lookup(d_, key.words, table, otherwise);
    return negated ? d_.negate(in) : in;
  }

  Node action_of(const KernelElement& e, const KernelSet& set) {
    Node out = e.verdict ? s_.verdict_node(table_, *e.verdict, place_, untracked_)
                         : d_.leaf(Leaf{kAccept | kDrop | kContinue,
                                        {d_.reason(ReasonKind::unknown, "an element without a verdict")}});
    if (e.uncertain || filled_by_packets(set)) out = d_.choose(uncertain(set), out, otherwise_);
    return out;
  }
  void verdict_map(const Key& key) {
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
    const bool direct =
        above(key.words, otherwise) &&
        std::all_of(table.value.begin(), table.value.end(), [&](Node n) { return above(key.words, n); });
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

  Node put_before(const Condition& c, Node then) {
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

  // --- the rest ---
  void step(const Limit& e) { add(d_.maybe(ReasonKind::rate, meter_text(e))); }
  void step(const ConnectionCount& e) { add(d_.maybe(ReasonKind::rate, meter_text(e))); }
  // A meter of each source is a rate like another one; of anything else this version cannot say whose.
  void step(const Remember& e) {
    const auto at = s_.sets_.find({&table_, e.set});
    if (at == s_.sets_.end()) return give_up("the set " + e.set + " that is not there");
    const Word key = fetch(e.from, at->second->key_length);
    if (done_) return;
    const int bits = source_bits(key);
    if (bits < 0) return add(d_.maybe(ReasonKind::unknown, "a limit of each element of set " + e.set));
    add(d_.maybe(ReasonKind::rate, std::visit([&](const auto& m) { return meter_text(m, bits); }, e.meter)));
  }
  // How many leading bits of the source the key holds, when it holds nothing else; else -1.
  int source_bits(const Word& key) {
    const Word source = s_.f_.address(ByteKey::Kind::source);
    if (key.size() != source.size()) return -1;
    std::size_t same = 0;
    while (same < key.size() && key[same] == source[same]) ++same;
    const bool clear = std::all_of(key.begin() + static_cast<std::ptrdiff_t>(same), key.end(),
                                   [](Bit b) { return b == Bit::constant(false); });
    return clear && same != 0 ? static_cast<int>(same) : -1;
  }
  void step(const Log&) {}
  void step(const Counter&) {}
  void step(const SetVerdict& e) {
    if (e.verdict.code == NFT_CONTINUE) return;
    finish(s_.verdict_node(table_, e.verdict, place_, untracked_));
  }
  void step(const Constant& e) { store(e.to, bits_of(e.data)); }
  static Word bits_of(const Bytes& data) {
    Word out;
    for (const std::uint8_t b : data) {
      for (int i = 7; i >= 0; --i) out.push_back(Bit::constant((b >> i & 1) != 0));
    }
    return out;
  }
  // The bytes of a register, when they are the same for every packet.
  std::optional<Bytes> constant_in(Slot slot, std::size_t bytes) {
    const Word word = fetch(slot, bytes);
    Bytes out(bytes, 0);
    for (std::size_t i = 0; i < word.size(); ++i) {
      if (!word[i].is_constant()) return std::nullopt;
      if (word[i].is_set()) out[i / 8] = static_cast<std::uint8_t>(out[i / 8] | 0x80U >> i % 8);
    }
    return out;
  }
  void step(const Translate& e) {
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
  void step(const MasqueradeSource& e) {
    translate({}, e.flags == 0 ? std::string(kMasquerade) : fmt::format("masquerade flags {:#x}", e.flags));
  }
  void translate(Rewrite rewrite, const std::string& text) {
    const Reason which = d_.reason(ReasonKind::translation, text);
    s_.rewrites_[which] = std::move(rewrite);
    finish(d_.leaf(Leaf{kTranslate, {which}}));
  }
  void step(const Foreign& e) {
    switch (e.meaning) {
      case Meaning::neutral:
      case Meaning::write:
        return;
      case Meaning::chance:
        return add(d_.maybe(ReasonKind::unknown, e.text));
      case Meaning::in_range:
        return range(e);
      case Meaning::byte_order:
        return swap_bytes(e);
      case Meaning::unknown_value:
        // The load may fail as well, and then the rule does not match.
        add(d_.maybe(ReasonKind::unknown, e.text));
        return store_unknown(e.to, e.length, e.text);
      case Meaning::map_value: {
        if (const std::optional<Key> key = key_for(e.from, e.set))
          add(key->unknown ? d_.leaf(Leaf{kNo | kYes, {*key->unknown}}) : membership(*key, false));
        return store_unknown(e.to, e.length, e.text);
      }
      case Meaning::not_tracked:
        untracked_ = true;
        return;
      case Meaning::reject:
        return finish(d_.leaf(kReject));
      case Meaning::nothing_known:
        break;
    }
    give_up(e.text);
  }
  void swap_bytes(const Foreign& e) {
    if (e.size != 2 && e.size != 4 && e.size != 8) return give_up(e.text);
    // The kernel swaps whole numbers: of fewer bytes than one it swaps none (nft 1.0.6 writes such).
    if (e.length < e.size) return;
    if (e.length % e.size != 0) return give_up(e.text);
    const Word word = fetch(e.from, e.length);
    if (done_) return;
    Word out(word.size());
    for (std::size_t i = 0; i < word.size(); ++i) {
      const std::size_t byte = i / 8;
      const std::size_t mirrored = byte / e.size * e.size + (e.size - 1 - byte % e.size);
      out[mirrored * 8 + i % 8] = word[i];
    }
    store(e.to, std::move(out));
  }
  Node marked(Node action) {
    return d_.relabel(action, [](const Leaf& leaf) {
      Leaf out = leaf;
      for (const Outcome o : {kAccept, kContinue, kReturn}) {
        if ((leaf.outcomes & o) != 0)
          out.outcomes = static_cast<Outcomes>((out.outcomes & ~o) | untracked(o));
      }
      return out;
    });
  }

  Symbolic& s_;
  Diagrams& d_;
  const LiveTable& table_;
  const Place& place_;
  const bool was_untracked_;
  bool untracked_;
  bool done_ = false;
  Node otherwise_ = 0;
  Node action_ = 0;
  std::array<Bit, kRegisterBits> registers_{};
  std::vector<Condition> conditions_;
};

Symbolic::Flow Symbolic::rule_flow(const LiveTable& table, const KernelRule& rule, const Place& place) {
  Flow out;
  out.tracked = RuleReader(*this, table, place, false).read(rule);
  out.untracked = writes_.untracks ? RuleReader(*this, table, place, true).read(rule) : out.tracked;
  return out;
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
