// The SYN proxy: what becomes of a packet that it takes is what becomes of the SYN that it sends to the host.
#include <linux/netfilter/nf_tables.h>

#include <algorithm>

#include "fwctl/prove/symbolic.h"

namespace gatehouse::fwctl::prove {

using Kind = ByteKey::Kind;

namespace {

bool is_taken(const Leaf& leaf) {
  return (leaf.outcomes & kAnswer) != 0;
}

}  // namespace

// No program sends it; it begins a connection, which has no status (nf_synproxy_core.c:
// synproxy_send_server_syn).
std::map<Variable, bool> handshake_bits(Fields& f, const Writes& writes) {
  std::map<Variable, bool> out;
  const auto put = [&](const ByteKey& key, std::uint8_t value) {
    Word word;
    f.append(word, key);
    for (std::size_t i = 0; i < 8; ++i) out[word[i].variable()] = (value >> (7 - i) & 1) != 0;
  };
  constexpr std::uint8_t kSyn = 2;
  put({Kind::ct_state}, kStateNew);
  put({Kind::transport, 0, kTcpFlags}, kSyn);
  put(has_user(), 0);
  for (const std::uint32_t level : writes.group_levels) put(has_group(level), 0);
  // It is whole and has nothing but its header.
  constexpr std::uint8_t kDontFragment = 0x40;
  put({Kind::fragment}, 0);
  put({Kind::network, 0, kFragmentFlags}, kDontFragment);
  put({Kind::network, 0, kFragmentOffset}, 0);
  for (const std::uint32_t key : writes.extensions) {
    for (const std::uint32_t b : {0U, 1U}) put({Kind::extension, key, b}, 0);
  }
  for (std::uint32_t i = 0; i < 4; ++i) put({Kind::ct, NFT_CT_STATUS, i}, 0);
  return out;
}

Node Symbolic::handshake(Path path) {
  if (path == Path::through)
    return substituted(handshake_bits(f_, writes_), on_the_way(Path::from_gatehouse));
  return d_.leaf(Leaf{kAccept | kDrop,
                      {d_.reason(ReasonKind::unknown, "a SYN proxy before the gatehouse's own ports")}});
}

Node Symbolic::path(Path path) {
  const Node all = on_the_way(path);
  if (!writes_.answers || path == Path::from_gatehouse) return all;
  const auto without_words = [&](Leaf leaf) {
    std::erase_if(leaf.reasons, [&](Reason r) { return d_.reason_kind(r) == ReasonKind::translation; });
    return leaf;
  };
  const Node taken = d_.relabel(all, [&](const Leaf& leaf) {
    if (!is_taken(leaf)) return Leaf{kNo, {}};
    const Outcomes both = kNo | kYes;
    return Leaf{leaf.outcomes == kAnswer ? Outcomes{kYes} : both, without_words(leaf).reasons};
  });
  const Node left = d_.relabel(all, [&](const Leaf& leaf) {
    if (!is_taken(leaf)) return leaf;
    const auto others = static_cast<Outcomes>(leaf.outcomes & ~kAnswer);
    return Leaf{others == 0 ? Outcomes{kDrop} : others, without_words(leaf).reasons};
  });
  return d_.choose(taken, handshake(path), left);
}

Node Symbolic::answered(Path path) {
  if (!writes_.answers) return d_.no();
  const Reason ends = d_.reason(ReasonKind::rate, std::string(kHandshake));
  return d_.relabel(on_the_way(path), [&](const Leaf& leaf) {
    if (!is_taken(leaf)) return Leaf{kNo, {}};
    std::vector<Reason> says;
    bool certain = (leaf.outcomes & ~(kAnswer | kDrop)) == 0;
    for (const Reason r : leaf.reasons) {
      if (d_.reason_kind(r) == ReasonKind::translation) {
        says.push_back(r);
      } else {
        certain = certain && r == ends;
      }
    }
    if (certain && says.size() == 1) return Leaf{kTranslate, says};
    return Leaf{kNo | kYes, {d_.reason(ReasonKind::unknown, "a SYN proxy that takes some packets only")}};
  });
}

}  // namespace gatehouse::fwctl::prove
