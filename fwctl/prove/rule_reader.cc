#include "fwctl/prove/rule_reader.h"

#include <fmt/format.h>
#include <linux/netfilter.h>
#include <linux/netfilter/nf_tables.h>

#include <algorithm>

#include "fwctl/model/field.h"

namespace gatehouse::fwctl::prove {

std::optional<Reason> unknown_in(const Word& word) {
  for (const Bit b : word) {
    if (b.is_unknown()) return b.why();
  }
  return std::nullopt;
}

Node Symbolic::RuleReader::read(const KernelRule& rule) {
  otherwise_ = d_.leaf(was_untracked_ ? kContinueUntracked : kContinue);
  action_ = otherwise_;
  for (const Expression& e : rule.expressions) {
    last_ = &e == &rule.expressions.back();
    std::visit([this](const auto& x) { step(x); }, e);
    if (done_) break;
  }
  if (untracked_) action_ = marked(action_);
  Node out = action_;
  for (std::size_t i = conditions_.size(); i-- > 0;) out = put_before(conditions_[i], out);
  return out;
}

void Symbolic::RuleReader::store(Slot to, Word bits) {
  bits.resize((bits.size() + 31) / 32 * 32, Bit::constant(false));
  if (to * 32U + bits.size() > kRegisterBits) return give_up("a register that does not exist");
  std::copy(bits.begin(), bits.end(), registers_.begin() + to * 32);
}

Word Symbolic::RuleReader::fetch(Slot from, std::size_t bytes) {
  if (from * 32U + bytes * 8 > kRegisterBits) {
    give_up("a register that does not exist");
    return Word(bytes * 8, Bit::constant(false));
  }
  const auto begin = registers_.begin() + from * 32;
  return {begin, begin + static_cast<std::ptrdiff_t>(bytes * 8)};
}

void Symbolic::RuleReader::store_unknown(Slot to, std::size_t bytes, const std::string& why) {
  const std::size_t most = to < kSlots ? (kSlots - to) * 4U : 0;
  const Bit bit = Bit::unknown(d_.reason(ReasonKind::unknown, why));
  store(to, Word(std::min(bytes, most) * 8, bit));
}

void Symbolic::RuleReader::add(Node condition) {
  push({condition, nullptr, {}, {}, false});
  done_ = done_ || condition == d_.no();
}

void Symbolic::RuleReader::push(Condition condition) {
  // A packet that fails here would go on taken out of tracking: nobody writes such a rule.
  if (untracked_ && !was_untracked_) return give_up("a match after notrack in one rule");
  conditions_.push_back(std::move(condition));
}

void Symbolic::RuleReader::finish(Node action) {
  action_ = action;
  done_ = true;
}

void Symbolic::RuleReader::give_up(const std::string& what) {
  finish(d_.leaf(Leaf{kAccept | kDrop | kContinue, {d_.reason(ReasonKind::unknown, what)}}));
}

void Symbolic::RuleReader::put(const Loaded& loaded, Slot to) {
  if (loaded.kind == Loaded::Kind::no_match) return add(d_.no());
  if (loaded.kind == Loaded::Kind::unknown) return store_unknown(to, kWideBytes, loaded.why);
  if (loaded.needs_connection) {
    const Word state = s_.f_.word(ByteKey::Kind::ct_state, 1);
    for (const std::uint8_t without : {kStateInvalid, kStateUntracked})
      add(d_.negate(in_range(d_, state, without, without)));
  }
  if (loaded.needs) {
    Word there;
    s_.f_.append(there, *loaded.needs);
    add(in_range(d_, {there.back()}, 1, 1));
  }
  if (loaded.unless) {
    Word set;
    s_.f_.append(set, *loaded.unless);
    add(in_range(d_, {set.back()}, 0, 0));
  }
  if (loaded.unsure_of_pieces) {
    const Node whole = in_range(d_, s_.f_.word(ByteKey::Kind::fragment, 1), 0, 0);
    add(d_.choose(whole, d_.yes(), d_.maybe(ReasonKind::unknown, loaded.why)));
  }
  Word word;
  for (const LoadedByte& b : loaded.bytes) append(word, b);
  store(to, std::move(word));
}

void Symbolic::RuleReader::append(Word& word, const LoadedByte& b) {
  const std::size_t begin = word.size();
  for (unsigned i = 0; i < 8; ++i) word.push_back(Bit::constant((b.constant >> (7 - i) & 1) != 0));
  if (!b.key) return;
  Word packet;
  s_.f_.append(packet, *b.key);
  for (std::size_t i = 0; i < 8; ++i) {
    if ((b.mask >> (7 - i) & 1) != 0) word[begin + i] = packet[i];
  }
}

void Symbolic::RuleReader::step(const LoadMeta& e) {
  put(load(e, place_, s_.writes_), e.to);
}

void Symbolic::RuleReader::step(const LoadCt& e) {
  put(load(e, place_, s_.writes_, untracked_), e.to);
}

void Symbolic::RuleReader::step(const LoadFib& e) {
  put(load(e, place_), e.to);
}

void Symbolic::RuleReader::step(const LoadSocket& e) {
  put(load(e, place_), e.to);
}

void Symbolic::RuleReader::step(const LoadPayload& e) {
  put(load(e, place_, s_.writes_), e.to);
}

void Symbolic::RuleReader::step(const Mask& e) {
  Word word = fetch(e.from, e.mask.size());
  if (done_) return;
  for (std::size_t i = 0; i < word.size(); ++i) {
    const unsigned shift = 7 - i % 8;
    if ((e.mask[i / 8] >> shift & 1) == 0) word[i] = Bit::constant(false);
    if (i / 8 < e.flip.size() && (e.flip[i / 8] >> shift & 1) != 0) word[i] = !word[i];
  }
  store(e.to, std::move(word));
}

Node Symbolic::RuleReader::equals(const Word& word, const Bytes& data) {
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

bool Symbolic::RuleReader::cannot_equal(const Word& word, const Bytes& data) {
  for (std::size_t i = 0; i < word.size(); ++i) {
    if (word[i].is_constant() && word[i].is_set() != ((data[i / 8] >> (7 - i % 8) & 1) != 0)) return true;
  }
  return false;
}

void Symbolic::RuleReader::step(const Compare& e) {
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

void Symbolic::RuleReader::range(const Foreign& e) {
  if (e.low.empty() || e.low.size() != e.high.size() || e.low.size() > kWideBytes) return give_up(e.text);
  const Word word = fetch(e.from, e.low.size());
  if (done_) return;
  if (const auto why = unknown_in(word)) return add(d_.leaf(Leaf{kNo | kYes, {*why}}));
  const Node inside = in_range(d_, word, number(e.low, 0, e.low.size()), number(e.high, 0, e.high.size()));
  add(e.negated ? d_.negate(inside) : inside);
}

void Symbolic::RuleReader::step(const Limit& e) {
  add(d_.maybe(ReasonKind::rate, meter_text(e)));
}

void Symbolic::RuleReader::step(const ConnectionCount& e) {
  add(d_.maybe(ReasonKind::rate, meter_text(e)));
}

void Symbolic::RuleReader::step(const Remember& e) {
  const auto at = s_.sets_.find({&table_, e.set});
  if (at == s_.sets_.end()) return give_up("the set " + e.set + " that is not there");
  const Word key = fetch(e.from, at->second->key_length);
  if (done_) return;
  const int bits = source_bits(key);
  if (bits < 0) return add(d_.maybe(ReasonKind::unknown, "a limit of each element of set " + e.set));
  add(d_.maybe(ReasonKind::rate, std::visit([&](const auto& m) { return meter_text(m, bits); }, e.meter)));
}

int Symbolic::RuleReader::source_bits(const Word& key) {
  const Word source = s_.f_.address(ByteKey::Kind::source);
  if (key.size() != source.size()) return -1;
  std::size_t same = 0;
  while (same < key.size() && key[same] == source[same]) ++same;
  const bool clear = std::all_of(key.begin() + static_cast<std::ptrdiff_t>(same), key.end(),
                                 [](Bit b) { return b == Bit::constant(false); });
  return clear && same != 0 ? static_cast<int>(same) : -1;
}

void Symbolic::RuleReader::step(const NoTrack&) {
  untracked_ = true;
}

void Symbolic::RuleReader::step(const SynProxying& e) {
  if (!last_) return give_up("something behind synproxy in one rule");
  const Word protocol = s_.f_.word(ByteKey::Kind::protocol, 1);
  add(in_range(d_, protocol, kProtocolTcp, kProtocolTcp));
  if (done_) return;
  Word flags;
  s_.f_.append(flags, {ByteKey::Kind::transport, 0, kTcpFlags});
  const Node syn = in_range(d_, {flags[6]}, 1, 1);
  const Node ack = in_range(d_, {flags[3]}, 1, 1);
  const Reason says = d_.reason(ReasonKind::translation, answer_text(e));
  std::vector<Reason> both = {says, d_.reason(ReasonKind::rate, std::string(kHandshake))};
  std::sort(both.begin(), both.end());
  const Node ends = d_.leaf(Leaf{kAnswer | kDrop, std::move(both)});
  finish(d_.choose(syn, d_.leaf(Leaf{kAnswer, {says}}), d_.choose(ack, ends, otherwise_)));
}

void Symbolic::RuleReader::step(const Log&) {}

void Symbolic::RuleReader::step(const Counter&) {}

void Symbolic::RuleReader::step(const SetVerdict& e) {
  if (e.verdict.code == NFT_CONTINUE) return;
  finish(s_.verdict_node(table_, e.verdict, place_, untracked_));
}

void Symbolic::RuleReader::step(const Constant& e) {
  store(e.to, bits_of(e.data));
}

Word Symbolic::RuleReader::bits_of(const Bytes& data) {
  Word out;
  for (const std::uint8_t b : data) {
    for (int i = 7; i >= 0; --i) out.push_back(Bit::constant((b >> i & 1) != 0));
  }
  return out;
}

void Symbolic::RuleReader::step(const Foreign& e) {
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
    case Meaning::extension:
      return put(load_extension(e, place_), e.to);
    case Meaning::reject:
      return finish(d_.leaf(kReject));
    case Meaning::nothing_known:
      break;
  }
  give_up(e.text);
}

void Symbolic::RuleReader::swap_bytes(const Foreign& e) {
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

Node Symbolic::RuleReader::marked(Node action) {
  return d_.relabel(action, [](const Leaf& leaf) {
    Leaf out = leaf;
    for (const Outcome o : {kAccept, kContinue, kReturn}) {
      if ((leaf.outcomes & o) != 0) out.outcomes = static_cast<Outcomes>((out.outcomes & ~o) | untracked(o));
    }
    return out;
  });
}

Symbolic::Flow Symbolic::rule_flow(const LiveTable& table, const KernelRule& rule, const Place& place) {
  Flow out;
  out.tracked = RuleReader(*this, table, place, false).read(rule);
  out.untracked = writes_.untracks ? RuleReader(*this, table, place, true).read(rule) : out.tracked;
  if (place.pieces == Place::Pieces::whole || place.later) return out;
  // A piece that does not begin its packet has other bytes where the rule looks.
  Place behind = place;
  behind.later = true;
  const Flow of_later = rule_flow(table, rule, behind);
  const Node later = in_range(d_, f_.word(ByteKey::Kind::fragment, 1), kLaterPiece, kLaterPiece);
  return {d_.choose(later, of_later.tracked, out.tracked),
          d_.choose(later, of_later.untracked, out.untracked)};
}

}  // namespace gatehouse::fwctl::prove
