#include "fwctl/prove/interpret.h"

#include <fmt/format.h>
#include <linux/netfilter.h>
#include <linux/netfilter/nf_tables.h>

#include <algorithm>
#include <array>
#include <cstring>

#include "fwctl/compile/describe.h"
#include "fwctl/model/field.h"
#include "fwctl/prove/load.h"

namespace gatehouse::fwctl::prove {
namespace {

using Kind = ByteKey::Kind;
constexpr std::size_t kRegisterBytes = kSlots * 4;
constexpr std::size_t kMostSteps = 100'000;  // a loop cannot be; the kernel checks

enum class Flow : std::uint8_t { go_on, returned, accepted, dropped, rejected, answered };

class Interpreter {
 public:
  Interpreter(const LiveRuleset& ruleset, const Packet& packet, const std::vector<bool>& choices)
      : ruleset_(ruleset), packet_(packet), choices_(choices), writes_(writes_of(ruleset)) {}

  Trace run() {
    if (pass() == Flow::answered) {
      out_.answered = true;
      if (packet_.path == Path::through) {
        become_handshake();
        (void)pass();
      } else {
        // The SYN goes through here a second time, by loopback.
        out_.verdict = doubt("a SYN proxy before the gatehouse's own ports") ? kAccept : kDrop;
      }
    }
    out_.destination = packet_.address(Kind::destination);
    return std::move(out_);
  }

 private:
  // The packet's path, to its end or to the SYN proxy.
  Flow pass() {
    std::optional<std::uint8_t> translated_at;
    Flow flow = Flow::accepted;
    for (const BaseStep& step : steps_of(ruleset_, packet_.path, packet_.family)) {
      if (!on_device(step) || !asked(step)) continue;
      if (step.translates && translated_at == step.stage) continue;
      place_ = step.place;
      flow = base_chain(step);
      if (flow == Flow::dropped) out_.verdict = kDrop;
      if (flow == Flow::rejected) out_.verdict = kReject;
      if (flow != Flow::accepted) break;
      if (rewrite_) {
        translated_at = step.stage;
        put(*std::exchange(rewrite_, std::nullopt));
      }
    }
    return flow;
  }
  // The SYN that the proxy sends to the host for the client.
  void become_handshake() {
    constexpr std::uint8_t kSyn = 2;
    packet_.path = Path::from_gatehouse;
    packet_.set({Kind::ct_state}, kStateNew);
    packet_.set({Kind::transport, 0, kTcpFlags}, kSyn);
    packet_.set(has_user(), 0);
    for (const auto& [level, id] : packet_.groups()) packet_.set(has_group(level), 0);
    constexpr std::uint8_t kDontFragment = 0x40;
    packet_.set(ByteKey{Kind::fragment}, 0);
    std::erase_if(packet_.bytes, [](const auto& b) { return b.first.kind == Kind::extension; });
    packet_.complete_header();
    if (packet_.family == 4) packet_.set({Kind::network, 0, kFragmentFlags}, kDontFragment);
    for (std::uint32_t i = 0; i < 4; ++i) packet_.set({Kind::ct, NFT_CT_STATUS, i}, 0);
    taken_out_ = false;
  }
  // The packet behind a translation of its destination.
  void put(const Rewrite& rewrite) {
    if (!rewrite.destination) return;
    for (std::uint32_t i = 0; i < rewrite.address.size(); ++i)
      packet_.set({Kind::destination, 0, i}, rewrite.address[i]);
    for (std::uint32_t i = 0; i < rewrite.port.size(); ++i)
      packet_.set({Kind::transport, 0, kDestinationPort + i}, rewrite.port[i]);
    constexpr std::uint8_t kTranslated = 0x20;  // IPS_DST_NAT
    const ByteKey status{Kind::ct, NFT_CT_STATUS, 0};
    packet_.set(status, static_cast<std::uint8_t>(packet_.byte(status) | kTranslated));
  }
  bool on_device(const BaseStep& step) const {
    if (!step.inbound_device && !step.outbound_device) return true;
    const std::string here = packet_.interface(step.inbound_device ? Kind::iifname : Kind::oifname);
    const auto& devices = step.chain->base->devices;
    return std::find(devices.begin(), devices.end(), here) != devices.end();
  }
  bool asked(const BaseStep& step) const {
    if (step.chain->base->type != "nat") return true;
    const std::uint8_t state = packet_.byte({Kind::ct_state});
    const bool icmp = packet_.protocol() == (packet_.family == 4 ? kProtocolIcmp : kProtocolIcmpv6);
    return !taken_out_ && (state == kStateNew || (state == kStateRelated && !icmp));
  }

  Flow base_chain(const BaseStep& step) {
    const Flow flow = chain(*step.table, *step.chain);
    if (flow != Flow::returned) return flow;
    const bool drop = step.chain->base->policy == NF_DROP;
    out_.steps.push_back({step.table, step.chain, nullptr, 0, drop ? "policy drop" : "policy accept"});
    return drop ? Flow::dropped : Flow::accepted;
  }

  Flow chain(const LiveTable& table, const KernelChain& c) {
    for (std::size_t i = 0; i < c.rules.size(); ++i) {
      const Flow flow = rule(table, c, i);
      if (flow != Flow::go_on) return flow;
    }
    return Flow::returned;
  }

  // --- one rule ---
  struct Register {
    std::array<std::uint8_t, kRegisterBytes> bytes{};
    std::array<bool, kRegisterBytes> unknown{};
    std::string why;
  };
  enum class Step : std::uint8_t { match, no_match, verdict };

  // A rule that can only log or count decides nothing, whether it matches or not.
  static bool can_decide(const KernelRule& rule) {
    return std::any_of(rule.expressions.begin(), rule.expressions.end(), [](const Expression& e) {
      if (const auto* lookup = std::get_if<Lookup>(&e)) return lookup->verdict;
      if (const auto* other = std::get_if<Foreign>(&e)) {
        return other->meaning == Meaning::nothing_known || other->meaning == Meaning::reject;
      }
      return std::holds_alternative<NoTrack>(e) || std::holds_alternative<SynProxying>(e) ||
             std::holds_alternative<SetVerdict>(e) || std::holds_alternative<Translate>(e) ||
             std::holds_alternative<MasqueradeSource>(e);
    });
  }

  Flow rule(const LiveTable& table, const KernelChain& c, std::size_t index) {
    if (!can_decide(c.rules[index])) return Flow::go_on;
    registers_ = {};
    table_ = &table;
    for (const Expression& e : c.rules[index].expressions) {
      const Step step = std::visit([this](const auto& x) { return eval(x); }, e);
      if (step == Step::no_match) return Flow::go_on;
      if (step == Step::match) continue;
      const KernelVerdict verdict = verdict_;
      if (verdict.code == NFT_CONTINUE || verdict.code == NFT_BREAK) return Flow::go_on;
      if (out_.steps.size() < kMostSteps) {
        out_.steps.push_back(
            {&table, &c, &c.rules[index], index + 1, rejected_ ? "reject" : verdict.to_string()});
      }
      return follow(table, verdict);
    }
    return Flow::go_on;
  }
  Flow follow(const LiveTable& table, const KernelVerdict& verdict) {
    if (std::exchange(rejected_, false)) return Flow::rejected;
    switch (verdict.code) {
      case NF_ACCEPT:
        return Flow::accepted;
      case NF_STOLEN:
        return Flow::answered;
      case NFT_RETURN:
        return Flow::returned;
      case NFT_JUMP:
      case NFT_GOTO: {
        const KernelChain* target = table.table.find_chain(verdict.chain);
        if (target == nullptr || out_.steps.size() >= kMostSteps) return Flow::dropped;
        const Flow flow = chain(table, *target);
        return flow == Flow::returned && verdict.code == NFT_JUMP ? Flow::go_on : flow;
      }
      default:
        return Flow::dropped;
    }
  }
  Step decide(KernelVerdict verdict) {
    verdict_ = std::move(verdict);
    return Step::verdict;
  }

  // Something that may hold or not.
  bool doubt(const std::string& what, bool usually = false) {
    out_.doubts.push_back(what);
    const std::size_t number = out_.doubts.size() - 1;
    out_.taken.push_back(number < choices_.size() ? choices_[number] : usually);
    return out_.taken.back();
  }
  Step matches(bool yes) const { return yes ? Step::match : Step::no_match; }
  // An effect this version does not know: accepted, dropped or passed over.
  Step anything(const std::string& what) {
    if (!doubt(what)) return Step::no_match;
    return decide({doubt(what) ? NF_ACCEPT : NF_DROP, {}});
  }

  // --- registers ---
  bool fits(Slot slot, std::size_t bytes) const { return slot * 4U + bytes <= kRegisterBytes; }
  void store(Slot to, const Bytes& bytes) {
    const std::size_t padded = (bytes.size() + 3) / 4 * 4;
    for (std::size_t i = 0; i < padded; ++i) {
      registers_.bytes[to * 4U + i] = i < bytes.size() ? bytes[i] : 0;
      registers_.unknown[to * 4U + i] = false;
    }
  }
  Step store_unknown(Slot to, std::size_t bytes, const std::string& why) {
    for (std::size_t i = to * 4U; i < std::min(to * 4U + bytes, kRegisterBytes); ++i)
      registers_.unknown[i] = true;
    registers_.why = why;
    return Step::match;
  }
  bool unknown(Slot from, std::size_t bytes) const {
    for (std::size_t i = from * 4U; i < from * 4U + bytes; ++i) {
      if (registers_.unknown[i]) return true;
    }
    return false;
  }
  Bytes fetch(Slot from, std::size_t bytes) const {
    const auto begin = registers_.bytes.begin() + from * 4;
    return {begin, begin + static_cast<std::ptrdiff_t>(bytes)};
  }

  // --- loads ---
  Step put(const Loaded& loaded, Slot to) {
    if (loaded.kind == Loaded::Kind::no_match) return Step::no_match;
    if (loaded.kind == Loaded::Kind::unknown) return store_unknown(to, 16, loaded.why);
    const std::uint8_t state = packet_.byte({Kind::ct_state});
    if (loaded.needs_connection && (state == kStateInvalid || state == kStateUntracked))
      return Step::no_match;
    if (loaded.needs && (packet_.byte(*loaded.needs) & 1) == 0) return Step::no_match;
    if (!readable(loaded)) return Step::no_match;
    if (!fits(to, (loaded.bytes.size() + 3) / 4 * 4)) return anything("a register that does not exist");
    Bytes bytes;
    for (const LoadedByte& b : loaded.bytes) {
      const int found = b.key ? packet_.byte(*b.key) & b.mask : 0;
      bytes.push_back(static_cast<std::uint8_t>((b.constant & (b.key ? ~b.mask : 0xff)) | found));
    }
    store(to, bytes);
    return Step::match;
  }
  // Of the piece of the packet that this is.
  bool readable(const Loaded& loaded) {
    using FromPieces = Loaded::FromPieces;
    const std::uint8_t piece = packet_.fragment();
    const bool later = piece == kLaterPiece;
    switch (loaded.from_pieces) {
      case FromPieces::same:
        return true;
      case FromPieces::first_only:
        return !later;
      case FromPieces::unsure_of_later:
        return !later || doubt(loaded.why, true);
      case FromPieces::unsure:
        // Where it may be a piece still, one that begins a packet usually has all of the header.
        return piece == 0 || doubt(loaded.why, !later);
    }
    return true;
  }
  Step eval(const LoadMeta& e) { return put(load(e, place_, writes_), e.to); }
  Step eval(const LoadCt& e) { return put(load(e, place_, writes_, taken_out_), e.to); }
  Step eval(const LoadFib& e) { return put(load(e, place_), e.to); }
  Step eval(const LoadSocket& e) { return put(load(e, place_), e.to); }
  Step eval(const LoadPayload& e) { return put(load(e, place_, writes_), e.to); }

  Step eval(const Mask& e) {
    if (!fits(e.from, e.mask.size()) || !fits(e.to, (e.mask.size() + 3) / 4 * 4))
      return anything("a register that does not exist");
    const bool lost = unknown(e.from, e.mask.size());
    Bytes value = fetch(e.from, e.mask.size());
    for (std::size_t i = 0; i < value.size(); ++i) {
      value[i] = static_cast<std::uint8_t>((value[i] & e.mask[i]) ^ (i < e.flip.size() ? e.flip[i] : 0));
    }
    store(e.to, value);
    return lost ? store_unknown(e.to, value.size(), registers_.why) : Step::match;
  }

  // --- comparisons ---
  Step eval(const Compare& e) {
    if (e.data.empty() || !fits(e.from, e.data.size())) return anything("a comparison");
    if (unknown(e.from, e.data.size())) return matches(doubt(registers_.why));
    const int order = std::memcmp(&registers_.bytes[e.from * 4U], e.data.data(), e.data.size());
    switch (e.op) {
      case NFT_CMP_EQ:
        return matches(order == 0);
      case NFT_CMP_NEQ:
        return matches(order != 0);
      case NFT_CMP_LT:
        return matches(order < 0);
      case NFT_CMP_LTE:
        return matches(order <= 0);
      case NFT_CMP_GT:
        return matches(order > 0);
      case NFT_CMP_GTE:
        return matches(order >= 0);
      default:
        return anything("an unknown comparison");
    }
  }

  // --- sets ---
  static bool covers(const KernelSet& set, const KernelElement& e, const Bytes& key) {
    if (e.catch_all) return false;
    if (!set.concatenated_intervals()) {
      if (e.first.size() < set.key_length || e.last.size() < set.key_length) return false;
      return std::memcmp(e.first.data(), key.data(), set.key_length) <= 0 &&
             std::memcmp(key.data(), e.last.data(), set.key_length) <= 0;
    }
    std::size_t at = 0;
    for (const std::uint8_t length : set.field_lengths) {
      if (at + length > key.size() || at + length > e.first.size() || at + length > e.last.size())
        return false;
      if (std::memcmp(&e.first[at], &key[at], length) > 0 || std::memcmp(&key[at], &e.last[at], length) > 0)
        return false;
      at += (length + 3U) / 4U * 4U;
    }
    return true;
  }
  const KernelElement* find(const KernelSet& set, const Bytes& key) const {
    const KernelElement* rest = nullptr;
    for (const KernelElement& e : set.elements) {
      if (covers(set, e, key)) return &e;
      if (e.catch_all) rest = &e;
    }
    return rest;
  }
  bool is_source(const Bytes& key) const {
    const core::IpAddress source = packet_.address(Kind::source);
    return std::equal(key.begin(), key.end(), source.view().begin(), source.view().end());
  }
  Step eval(const Lookup& e) {
    const KernelSet* set = table_->table.find_set(e.set);
    if (set == nullptr || set->key_length == 0 || !fits(e.from, set->key_length))
      return anything("set " + e.set);
    const bool lost = unknown(e.from, set->key_length);
    if (!lost && !e.verdict && table_->is_ban_set(*set) && is_source(fetch(e.from, set->key_length)))
      return matches((packet_.byte({Kind::banned}) != 0) != e.negated);
    const bool moving = (set->flags & NFT_SET_EVAL) != 0;
    const KernelElement* found = lost ? nullptr : find(*set, fetch(e.from, set->key_length));
    if (e.verdict) {
      if (lost) return anything(registers_.why);
      if (found == nullptr) return Step::no_match;
      if ((moving || found->uncertain) && !doubt("set " + e.set)) return Step::no_match;
      return found->verdict ? decide(*found->verdict) : anything("an element without a verdict");
    }
    if (lost || moving || (found != nullptr && found->uncertain))
      return matches(doubt(lost ? registers_.why : "set " + e.set));
    return matches((found != nullptr) != e.negated);
  }

  // --- the rest ---
  Step eval(const Limit& e) {
    const bool over = (e.flags & NFT_LIMIT_F_INV) != 0;
    return matches(doubt(meter_text(e), !over));
  }
  Step eval(const ConnectionCount& e) {
    return matches(doubt(meter_text(e), (e.flags & NFT_CONNLIMIT_F_INV) == 0));
  }
  Step eval(const Remember& e) {
    return std::visit(
        [&](const auto& meter) {
          return matches(doubt(meter_text(meter) + " of an element of set " + e.set,
                               (meter.flags & NFT_LIMIT_F_INV) == 0));
        },
        e.meter);
  }
  Step eval(const NoTrack&) {
    taken_out_ = true;
    return Step::match;
  }
  Step eval(const SynProxying&) {
    constexpr std::uint8_t kSyn = 2, kAck = 16;
    const std::uint8_t flags = packet_.byte({Kind::transport, 0, kTcpFlags});
    if (packet_.protocol() != kProtocolTcp) return Step::no_match;
    if ((flags & kSyn) != 0) return decide({NF_STOLEN, {}});
    if ((flags & kAck) == 0) return Step::match;
    return decide({doubt(std::string(kHandshake)) ? NF_STOLEN : NF_DROP, {}});
  }
  Step eval(const Log&) { return Step::match; }
  Step eval(const Counter&) { return Step::match; }
  Step eval(const SetVerdict& e) { return decide(e.verdict); }
  Step eval(const Constant& e) {
    if (!fits(e.to, (e.data.size() + 3) / 4 * 4)) return anything("a register that does not exist");
    store(e.to, e.data);
    return Step::match;
  }
  Step eval(const Translate& e) {
    const std::uint8_t family = e.family == NFPROTO_IPV4 ? 4 : e.family == NFPROTO_IPV6 ? 6 : 0;
    if (family != 0 && family != place_.family) return Step::match;
    Rewrite rewrite;
    rewrite.destination = e.type == NFT_NAT_DNAT;
    const std::size_t address = place_.family == 4 ? 4 : 16;
    if ((e.address && (!fits(*e.address, address) || unknown(*e.address, address))) ||
        (e.port && (!fits(*e.port, 2) || unknown(*e.port, 2))))
      return anything("a translation to an address that is not known");
    if (e.address) rewrite.address = fetch(*e.address, address);
    if (e.port) rewrite.port = fetch(*e.port, 2);
    rewrite_ = std::move(rewrite);
    return decide({NF_ACCEPT, {}});
  }
  Step eval(const MasqueradeSource&) {
    rewrite_ = Rewrite{};
    return decide({NF_ACCEPT, {}});
  }
  Step eval(const Foreign& e) {
    switch (e.meaning) {
      case Meaning::neutral:
      case Meaning::write:
        return Step::match;
      case Meaning::chance:
        return matches(doubt(e.text));
      case Meaning::in_range: {
        if (e.low.empty() || e.low.size() != e.high.size() || !fits(e.from, e.low.size()))
          return anything(e.text);
        if (unknown(e.from, e.low.size())) return matches(doubt(registers_.why));
        const Bytes value = fetch(e.from, e.low.size());
        return matches((e.low <= value && value <= e.high) != e.negated);
      }
      case Meaning::byte_order:
        return swap_bytes(e);
      case Meaning::unknown_value:
        if (!doubt(e.text)) return Step::no_match;
        return store_unknown(e.to, e.length, e.text);
      case Meaning::map_value: {
        const KernelSet* set = table_->table.find_set(e.set);
        if (set == nullptr || !fits(e.from, set->key_length)) return anything(e.text);
        if (unknown(e.from, set->key_length) ? !doubt(e.text)
                                             : find(*set, fetch(e.from, set->key_length)) == nullptr)
          return Step::no_match;
        return store_unknown(e.to, e.length, e.text);
      }
      case Meaning::extension:
        return put(load_extension(e, place_), e.to);
      case Meaning::reject:
        rejected_ = true;
        return decide({NF_DROP, {}});
      case Meaning::nothing_known:
        break;
    }
    return anything(e.text);
  }
  Step swap_bytes(const Foreign& e) {
    if (e.length < e.size) return Step::match;
    const bool odd = (e.size != 2 && e.size != 4 && e.size != 8) || e.length % e.size != 0;
    if (odd || !fits(e.from, e.length) || !fits(e.to, e.length)) return anything(e.text);
    const bool lost = unknown(e.from, e.length);
    Bytes value = fetch(e.from, e.length);
    for (std::size_t at = 0; at < value.size(); at += e.size)
      std::reverse(value.begin() + static_cast<std::ptrdiff_t>(at),
                   value.begin() + static_cast<std::ptrdiff_t>(at + e.size));
    store(e.to, value);
    return lost ? store_unknown(e.to, value.size(), registers_.why) : Step::match;
  }

  const LiveRuleset& ruleset_;
  Packet packet_;
  const std::vector<bool>& choices_;
  const Writes writes_;
  Place place_;
  const LiveTable* table_ = nullptr;
  Register registers_;
  KernelVerdict verdict_;
  std::optional<Rewrite> rewrite_;
  bool rejected_ = false;
  bool taken_out_ = false;
  Trace out_;
};

}  // namespace

std::string TraceStep::to_string() const {
  std::string out = fmt::format("{} {}", table->name(), chain->name);
  if (rule == nullptr) return out + ": " + verdict;
  out += fmt::format(" rule {}: {}", number, describe(*rule, table->table));
  if (!out.ends_with(verdict)) out += " -> " + verdict;
  if (!rule->comment.empty()) out += "  # " + rule->comment;
  return out;
}

Trace interpret(const LiveRuleset& ruleset, const Packet& packet, const std::vector<bool>& choices) {
  return Interpreter(ruleset, packet, choices).run();
}

Outcomes possible_verdicts(const LiveRuleset& ruleset, const Packet& packet, bool& whole) {
  constexpr int kMostRuns = 512;
  Outcomes out = 0;
  std::vector<bool> choices;
  std::vector<bool> turned;  // both values of this choice have been tried, or the second is being tried
  whole = true;
  for (int run = 0; run < kMostRuns; ++run) {
    const Trace trace = interpret(ruleset, packet, choices);
    out = static_cast<Outcomes>(out | trace.verdict);
    choices = trace.taken;
    turned.resize(choices.size(), false);
    while (!choices.empty() && turned.back()) {
      choices.pop_back();
      turned.pop_back();
    }
    if (choices.empty()) return out;
    choices.back() = !choices.back();
    turned.back() = true;
  }
  whole = false;
  return out;
}

}  // namespace gatehouse::fwctl::prove
