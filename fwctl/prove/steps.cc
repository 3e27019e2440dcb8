// The order in which a packet meets base chains.
#include <fmt/format.h>
#include <linux/netfilter.h>
#include <linux/netfilter/nf_synproxy.h>
#include <linux/netfilter/nf_tables.h>

#include <algorithm>
#include <tuple>

#include "fwctl/prove/symbolic.h"

namespace gatehouse::fwctl::prove {
namespace {

constexpr std::int32_t kDefragmentation = -400;
constexpr std::int32_t kConnectionTracking = -200;
constexpr std::int32_t kDestinationNat = -100, kSourceNat = 100;

enum class Stage : std::uint8_t { ingress, prerouting, input, forward, output, postrouting, egress };

std::vector<Stage> stages_of(Path path) {
  switch (path) {
    case Path::through:
      return {Stage::ingress, Stage::prerouting, Stage::forward, Stage::postrouting, Stage::egress};
    case Path::to_gatehouse:
      return {Stage::ingress, Stage::prerouting, Stage::input};
    case Path::from_gatehouse:
      break;
  }
  return {Stage::output, Stage::postrouting, Stage::egress};
}

std::optional<Stage> stage_of(std::uint32_t table_family, std::uint32_t hook) {
  if (table_family == NFPROTO_NETDEV) {
    if (hook == NF_NETDEV_INGRESS) return Stage::ingress;
    if (hook == NF_NETDEV_EGRESS) return Stage::egress;
    return std::nullopt;
  }
  switch (hook) {
    case NF_INET_PRE_ROUTING:
      return Stage::prerouting;
    case NF_INET_LOCAL_IN:
      return Stage::input;
    case NF_INET_FORWARD:
      return Stage::forward;
    case NF_INET_LOCAL_OUT:
      return Stage::output;
    case NF_INET_POST_ROUTING:
      return Stage::postrouting;
    case NF_INET_INGRESS:
      return Stage::ingress;
    default:
      return std::nullopt;
  }
}

std::int32_t translation_priority(std::uint8_t stage) {
  const bool arriving = stage == static_cast<std::uint8_t>(Stage::prerouting) ||
                        stage == static_cast<std::uint8_t>(Stage::output);
  return arriving ? kDestinationNat : kSourceNat;
}

// Connection tracking puts fragments together, for the families of those who use it
// (nf_conntrack_proto.c: nf_ct_netns_do_get).
bool uses_tracking(const Expression& e) {
  if (const auto* x = std::get_if<Foreign>(&e))
    return x->meaning == Meaning::nothing_known ||
           (x->meaning == Meaning::write && x->target == WriteTarget::ct);
  if (const auto* x = std::get_if<Remember>(&e)) return std::holds_alternative<ConnectionCount>(x->meter);
  return std::holds_alternative<LoadCt>(e) || std::holds_alternative<ConnectionCount>(e) ||
         std::holds_alternative<Translate>(e) || std::holds_alternative<MasqueradeSource>(e) ||
         std::holds_alternative<SynProxying>(e);
}

enum class Reassembly : std::uint8_t { none, always, unsure };

// Whether fragments are put together at priority -400. Not those that a rule has taken out of tracking
// before.
Reassembly reassembly(const LiveRuleset& ruleset, Path path, std::uint8_t family) {
  const Stage begins = path == Path::from_gatehouse ? Stage::output : Stage::prerouting;
  bool used = false, early = false, untracks = false;
  for (const LiveTable& t : ruleset.tables) {
    const bool both = t.family == NFPROTO_INET || t.family == NFPROTO_NETDEV;
    const bool here =
        both || t.family == (family == 4 ? std::uint32_t{NFPROTO_IPV4} : std::uint32_t{NFPROTO_IPV6});
    for (const KernelChain& c : t.table.chains) {
      if (c.base && here) used = used || c.base->type == "nat";
      if (c.base && here)
        early = early || (c.base->priority <= kDefragmentation && stage_of(t.family, c.base->hook) == begins);
      for (const KernelRule& r : c.rules) {
        for (const Expression& e : r.expressions) {
          used = used || (here && uses_tracking(e));
          untracks = untracks || (here && std::holds_alternative<NoTrack>(e));
        }
      }
    }
  }
  if (!used) return Reassembly::none;
  return early && untracks ? Reassembly::unsure : Reassembly::always;
}

Place::Pieces pieces_at(Stage stage, std::uint8_t family, std::int32_t priority, Reassembly reassembly) {
  using Pieces = Place::Pieces;
  // What leaves is cut again where it came in pieces, or is too long.
  if (stage == Stage::egress) return Pieces::unsure;
  const bool early = stage == Stage::prerouting || stage == Stage::output;
  if (stage == Stage::ingress || (early && priority < kDefragmentation)) return Pieces::fragments;
  // IPv4 puts together what is for this machine before the input hook, IPv6 behind it.
  if (stage == Stage::input && family == 4) return Pieces::whole;
  if (early && priority == kDefragmentation && reassembly != Reassembly::none) return Pieces::unsure;
  return reassembly == Reassembly::none     ? Pieces::fragments
         : reassembly == Reassembly::always ? Pieces::whole
                                            : Pieces::unsure;
}

Place place_of(Path path, Stage stage, std::uint8_t family, std::int32_t priority, Reassembly reassembly) {
  Place out;
  out.family = family;
  out.in = path != Path::from_gatehouse && stage != Stage::egress;
  out.out = stage == Stage::forward || stage == Stage::output || stage == Stage::postrouting ||
            stage == Stage::egress;
  const bool early = stage == Stage::prerouting || stage == Stage::output;
  out.tracked = stage != Stage::ingress && !(early && priority < kConnectionTracking);
  out.at_tracking = early && priority == kConnectionTracking;
  out.ingress = stage == Stage::ingress;
  out.pieces = pieces_at(stage, family, priority, reassembly);
  return out;
}

bool covers(std::uint32_t table_family, std::uint8_t family) {
  if (table_family == NFPROTO_INET || table_family == NFPROTO_NETDEV) return true;
  return table_family == (family == 4 ? std::uint32_t{NFPROTO_IPV4} : std::uint32_t{NFPROTO_IPV6});
}

}  // namespace

std::string_view hook_name(std::uint32_t table_family, std::uint32_t hook) {
  static constexpr std::array<std::string_view, 7> kNames = {"ingress", "prerouting",  "input", "forward",
                                                             "output",  "postrouting", "egress"};
  const auto stage = stage_of(table_family, hook);
  return stage ? kNames.at(static_cast<std::size_t>(*stage)) : "another hook";
}

std::vector<BaseStep> steps_of(const LiveRuleset& ruleset, Path path, std::uint8_t family) {
  std::vector<BaseStep> out;
  const Reassembly together = reassembly(ruleset, path, family);
  for (const Stage stage : stages_of(path)) {
    std::vector<BaseStep> here;
    for (const LiveTable& t : ruleset.tables) {
      if ((t.table.flags & NFT_TABLE_F_DORMANT) != 0 || !covers(t.family, family)) continue;
      for (const KernelChain& c : t.table.chains) {
        if (!c.base || stage_of(t.family, c.base->hook) != stage) continue;
        BaseStep step;
        step.table = &t;
        step.chain = &c;
        step.place = place_of(path, stage, family, c.base->priority, together);
        step.inbound_device = stage == Stage::ingress;
        step.outbound_device = stage == Stage::egress;
        step.stage = static_cast<std::uint8_t>(stage);
        step.leaving = stage == Stage::postrouting;
        step.translates = c.base->type == "nat";
        here.push_back(step);
      }
    }
    // Of chains with one priority the kernel runs the newest first.
    std::reverse(here.begin(), here.end());
    // All translation of a hook happens at one place, there in the order of the chains' own priorities.
    const auto order = [](const BaseStep& s) {
      const std::int32_t own = s.chain->base->priority;
      return s.translates ? std::tuple(translation_priority(s.stage), 1, own) : std::tuple(own, 0, own);
    };
    std::stable_sort(here.begin(), here.end(),
                     [&](const BaseStep& a, const BaseStep& b) { return order(a) < order(b); });
    out.insert(out.end(), here.begin(), here.end());
  }
  return out;
}

std::string rate_text(std::uint64_t rate, std::uint64_t unit_s, std::uint32_t burst, std::uint32_t type) {
  return fmt::format("{} {} per {} s, burst {}", rate, type == NFT_LIMIT_PKTS ? "packets" : "bytes", unit_s,
                     burst);
}

namespace {

std::string of_source(int bits) {
  return bits < 0 ? "" : fmt::format(" of each /{} source", bits);
}
// What matches within a limit is another thing than what matches beyond it.
std::string_view side(std::uint32_t flags) {
  static_assert(std::uint32_t{NFT_LIMIT_F_INV} == std::uint32_t{NFT_CONNLIMIT_F_INV});
  return (flags & NFT_LIMIT_F_INV) != 0 ? "" : "within ";
}

}  // namespace

std::string meter_text(const Limit& limit, int source_bits) {
  return fmt::format("{}rate{} {}", side(limit.flags), of_source(source_bits),
                     rate_text(limit.rate, limit.unit_s, limit.burst, limit.type));
}
std::string meter_text(const ConnectionCount& count, int source_bits) {
  return fmt::format("{}more than {} open connections{}", side(count.flags), count.most,
                     of_source(source_bits));
}

std::string answer_text(const SynProxying& e) {
  const auto has = [&](std::uint32_t flag) { return (e.flags & flag) != 0; };
  return fmt::format(
      "answers of the SYN proxy:{}{}{}{}{}", has(NF_SYNPROXY_OPT_MSS) ? fmt::format(" mss {}", e.mss) : "",
      has(NF_SYNPROXY_OPT_WSCALE) ? fmt::format(" wscale {}", e.window_scale) : "",
      has(NF_SYNPROXY_OPT_TIMESTAMP) ? " timestamp" : "", has(NF_SYNPROXY_OPT_SACK_PERM) ? " sack-perm" : "",
      has(NF_SYNPROXY_OPT_ECN) ? " ecn" : "");
}

Writes writes_of(const LiveRuleset& ruleset) {
  Writes out;
  for (const LiveTable& t : ruleset.tables) {
    for (const KernelChain& c : t.table.chains) {
      for (const KernelRule& r : c.rules) {
        for (const Expression& e : r.expressions) {
          if (const auto* fib = std::get_if<LoadFib>(&e))
            out.asks_route_to_destination |= (fib->flags & NFTA_FIB_F_DADDR) != 0;
          if (const auto* socket = std::get_if<LoadSocket>(&e)) out.group_levels.insert(socket->level);
          out.untracks |= std::holds_alternative<NoTrack>(e);
          out.answers |= std::holds_alternative<SynProxying>(e);
          const auto* x = std::get_if<Foreign>(&e);
          if (x == nullptr) continue;
          if (x->meaning == Meaning::extension) out.extensions.insert(x->key);
          if (x->meaning != Meaning::write) continue;
          if (x->target == WriteTarget::meta) out.meta.insert(x->key);
          if (x->target == WriteTarget::ct) out.ct.insert(x->key);
          for (std::uint32_t i = 0; x->target == WriteTarget::payload && i < x->length; ++i)
            out.payload.emplace(x->key, x->offset + i);
        }
      }
    }
  }
  return out;
}

}  // namespace gatehouse::fwctl::prove
