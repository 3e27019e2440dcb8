#include "fwctl/prove/interpret.h"

#include <fmt/format.h>
#include <linux/netfilter.h>
#include <linux/netfilter/nf_tables.h>

#include <algorithm>

#include "fwctl/compile/describe.h"
#include "fwctl/model/field.h"
#include "fwctl/prove/interpreter.h"

namespace gatehouse::fwctl::prove {
namespace {

using Kind = ByteKey::Kind;
constexpr std::size_t kMostSteps = 100'000;  // a loop cannot be; the kernel checks

}  // namespace

Trace Interpreter::run() {
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

Flow Interpreter::pass() {
  std::optional<std::uint8_t> translated_at;
  Flow flow = Flow::accepted;
  for (const BaseStep& step : steps_of(ruleset_, packet_.path, packet_.family)) {
    if (!on_device(step) || !asked(step)) continue;
    if (step.translates && translated_at == step.stage) continue;
    place_ = step.place;
    place_.later = place_.pieces != Place::Pieces::whole && packet_.fragment() == kLaterPiece;
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

void Interpreter::become_handshake() {
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

void Interpreter::put(const Rewrite& rewrite) {
  if (!rewrite.destination) return;
  for (std::uint32_t i = 0; i < rewrite.address.size(); ++i)
    packet_.set({Kind::destination, 0, i}, rewrite.address[i]);
  for (std::uint32_t i = 0; i < rewrite.port.size(); ++i)
    packet_.set({Kind::transport, 0, kDestinationPort + i}, rewrite.port[i]);
  constexpr std::uint8_t kTranslated = 0x20;  // IPS_DST_NAT
  const ByteKey status{Kind::ct, NFT_CT_STATUS, 0};
  packet_.set(status, static_cast<std::uint8_t>(packet_.byte(status) | kTranslated));
}

bool Interpreter::on_device(const BaseStep& step) const {
  if (!step.inbound_device && !step.outbound_device) return true;
  const std::string here = packet_.interface(step.inbound_device ? Kind::iifname : Kind::oifname);
  const auto& devices = step.chain->base->devices;
  return std::find(devices.begin(), devices.end(), here) != devices.end();
}

bool Interpreter::asked(const BaseStep& step) const {
  if (step.chain->base->type != "nat") return true;
  const std::uint8_t state = packet_.byte({Kind::ct_state});
  const bool icmp = packet_.protocol() == (packet_.family == 4 ? kProtocolIcmp : kProtocolIcmpv6);
  return !taken_out_ && (state == kStateNew || (state == kStateRelated && !icmp));
}

Flow Interpreter::base_chain(const BaseStep& step) {
  const Flow flow = chain(*step.table, *step.chain);
  if (flow != Flow::returned) return flow;
  const bool drop = step.chain->base->policy == NF_DROP;
  out_.steps.push_back({step.table, step.chain, nullptr, 0, drop ? "policy drop" : "policy accept"});
  return drop ? Flow::dropped : Flow::accepted;
}

Flow Interpreter::chain(const LiveTable& table, const KernelChain& c) {
  for (std::size_t i = 0; i < c.rules.size(); ++i) {
    const Flow flow = rule(table, c, i);
    if (flow != Flow::go_on) return flow;
  }
  return Flow::returned;
}

bool Interpreter::can_decide(const KernelRule& rule) {
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

Flow Interpreter::rule(const LiveTable& table, const KernelChain& c, std::size_t index) {
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

Flow Interpreter::follow(const LiveTable& table, const KernelVerdict& verdict) {
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
