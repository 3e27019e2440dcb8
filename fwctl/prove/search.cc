#include "fwctl/prove/search.h"

#include <linux/netfilter/nf_tables.h>

namespace gatehouse::fwctl::prove {
namespace {

using Kind = ByteKey::Kind;

void complete_index(Packet& packet, const std::string& name, std::uint32_t number) {
  const auto put = [&](Kind kind, std::uint32_t key) {
    if (packet.interface(kind) != name || packet.bytes.count({Kind::meta, key, 0}) == 0) return;
    for (std::uint32_t b = 0; b < 4; ++b)
      packet.set({Kind::meta, key, b}, static_cast<std::uint8_t>(number >> (8 * b)));
  };
  put(Kind::iifname, NFT_META_IIF);
  put(Kind::oifname, NFT_META_OIF);
}

}  // namespace

Node Search::possible(Path path) {
  return with_indexes(path, policy_.possible(path));
}
Node Search::possible_behind(Path path) {
  return with_indexes(path, policy_.possible_behind(path));
}

Node Search::with_indexes(Path path, Node out) {
  for (const std::uint32_t key : {std::uint32_t{NFT_META_IIF}, std::uint32_t{NFT_META_OIF}}) {
    const bool in = key == NFT_META_IIF;
    if (path == (in ? Path::from_gatehouse : Path::to_gatehouse) || !asks_for_meta(key)) continue;
    const Word index = index_word(key);
    for (const auto& [name, number] : interfaces_) {
      const Node named = policy_.interface_is(in ? Kind::iifname : Kind::oifname, name);
      const Node numbered = in_range(d_, index, number, number);
      out = d_.both(out, d_.choose(named, numbered, d_.negate(numbered)));
    }
    out = d_.both(out, d_.negate(in_range(d_, index, 0, 0)));
  }
  return out;
}

bool Search::asks_for_meta(std::uint32_t key) const {
  for (const LiveRuleset* ruleset : rulesets_) {
    for (const LiveTable& t : ruleset->tables) {
      for (const KernelChain& c : t.table.chains) {
        for (const KernelRule& r : c.rules) {
          for (const Expression& e : r.expressions) {
            const auto* load = std::get_if<LoadMeta>(&e);
            if (load != nullptr && load->key == key) return true;
          }
        }
      }
    }
  }
  return false;
}

// Host order: the least significant byte comes first in the register.
Word Search::index_word(std::uint32_t key) {
  Word out;
  for (std::uint32_t b = 4; b-- > 0;) fields_.append(out, {Kind::meta, key, b});
  return out;
}

std::optional<Packet> Search::ordinary(Path path, Node a, Node b, Node care, Node link, const Wanted& is,
                                       std::vector<std::int8_t> first) {
  std::vector<std::int8_t> decisions = std::move(first);
  if (link != d_.yes() && !d_.find(a, b, care, link, is, decisions)) return std::nullopt;
  for (const Node wish : policy_.wishes(path)) {
    const Node narrower = d_.both(care, wish);
    if (narrower == care) continue;
    std::vector<std::int8_t> better;
    if (!d_.find(a, b, narrower, link, is, better)) continue;
    care = narrower;
    decisions = std::move(better);
  }
  Packet out = fields_.packet(path, decisions);
  for (const auto& [name, number] : interfaces_) complete_index(out, name, number);
  return out;
}

}  // namespace gatehouse::fwctl::prove
