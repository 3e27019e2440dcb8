// What the expressions of one rule do.
#include <linux/netfilter.h>
#include <linux/netfilter/nf_tables.h>

#include <algorithm>
#include <cstring>

#include "fwctl/model/field.h"
#include "fwctl/prove/interpreter.h"

namespace gatehouse::fwctl::prove {

using Kind = ByteKey::Kind;

Interpreter::Step Interpreter::decide(KernelVerdict verdict) {
  verdict_ = std::move(verdict);
  return Step::verdict;
}

bool Interpreter::doubt(const std::string& what, bool usually) {
  out_.doubts.push_back(what);
  const std::size_t number = out_.doubts.size() - 1;
  out_.taken.push_back(number < choices_.size() ? choices_[number] : usually);
  return out_.taken.back();
}

Interpreter::Step Interpreter::anything(const std::string& what) {
  if (!doubt(what)) return Step::no_match;
  return decide({doubt(what) ? NF_ACCEPT : NF_DROP, {}});
}

void Interpreter::store(Slot to, const Bytes& bytes) {
  const std::size_t padded = (bytes.size() + 3) / 4 * 4;
  for (std::size_t i = 0; i < padded; ++i) {
    registers_.bytes[to * 4U + i] = i < bytes.size() ? bytes[i] : 0;
    registers_.unknown[to * 4U + i] = false;
  }
}

Interpreter::Step Interpreter::store_unknown(Slot to, std::size_t bytes, const std::string& why) {
  for (std::size_t i = to * 4U; i < std::min(to * 4U + bytes, kRegisterBytes); ++i)
    registers_.unknown[i] = true;
  registers_.why = why;
  return Step::match;
}

bool Interpreter::unknown(Slot from, std::size_t bytes) const {
  for (std::size_t i = from * 4U; i < from * 4U + bytes; ++i) {
    if (registers_.unknown[i]) return true;
  }
  return false;
}

Bytes Interpreter::fetch(Slot from, std::size_t bytes) const {
  const auto begin = registers_.bytes.begin() + from * 4;
  return {begin, begin + static_cast<std::ptrdiff_t>(bytes)};
}

Interpreter::Step Interpreter::put(const Loaded& loaded, Slot to) {
  if (loaded.kind == Loaded::Kind::no_match) return Step::no_match;
  if (loaded.kind == Loaded::Kind::unknown) return store_unknown(to, 16, loaded.why);
  const std::uint8_t state = packet_.byte({Kind::ct_state});
  if (loaded.needs_connection && (state == kStateInvalid || state == kStateUntracked)) return Step::no_match;
  if (loaded.needs && (packet_.byte(*loaded.needs) & 1) == 0) return Step::no_match;
  if (loaded.unless && (packet_.byte(*loaded.unless) & 1) != 0) return Step::no_match;
  // A piece usually has what is asked of it.
  if (loaded.unsure_of_pieces && packet_.fragment() != 0 && !doubt(loaded.why, true)) return Step::no_match;
  if (!fits(to, (loaded.bytes.size() + 3) / 4 * 4)) return anything("a register that does not exist");
  Bytes bytes;
  for (const LoadedByte& b : loaded.bytes) {
    const int found = b.key ? packet_.byte(*b.key) & b.mask : 0;
    bytes.push_back(static_cast<std::uint8_t>((b.constant & (b.key ? ~b.mask : 0xff)) | found));
  }
  store(to, bytes);
  return Step::match;
}

Interpreter::Step Interpreter::eval(const Mask& e) {
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

Interpreter::Step Interpreter::eval(const Compare& e) {
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

bool Interpreter::covers(const KernelSet& set, const KernelElement& e, const Bytes& key) {
  if (e.catch_all) return false;
  if (!set.concatenated_intervals()) {
    if (e.first.size() < set.key_length || e.last.size() < set.key_length) return false;
    return std::memcmp(e.first.data(), key.data(), set.key_length) <= 0 &&
           std::memcmp(key.data(), e.last.data(), set.key_length) <= 0;
  }
  std::size_t at = 0;
  for (const std::uint8_t length : set.field_lengths) {
    if (at + length > key.size() || at + length > e.first.size() || at + length > e.last.size()) return false;
    if (std::memcmp(&e.first[at], &key[at], length) > 0 || std::memcmp(&key[at], &e.last[at], length) > 0)
      return false;
    at += (length + 3U) / 4U * 4U;
  }
  return true;
}

const KernelElement* Interpreter::find(const KernelSet& set, const Bytes& key) const {
  const KernelElement* rest = nullptr;
  for (const KernelElement& e : set.elements) {
    if (covers(set, e, key)) return &e;
    if (e.catch_all) rest = &e;
  }
  return rest;
}

bool Interpreter::is_source(const Bytes& key) const {
  const core::IpAddress source = packet_.address(Kind::source);
  return std::equal(key.begin(), key.end(), source.view().begin(), source.view().end());
}

Interpreter::Step Interpreter::eval(const Lookup& e) {
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

Interpreter::Step Interpreter::eval(const Limit& e) {
  const bool over = (e.flags & NFT_LIMIT_F_INV) != 0;
  return matches(doubt(meter_text(e), !over));
}

Interpreter::Step Interpreter::eval(const ConnectionCount& e) {
  return matches(doubt(meter_text(e), (e.flags & NFT_CONNLIMIT_F_INV) == 0));
}

Interpreter::Step Interpreter::eval(const Remember& e) {
  return std::visit(
      [&](const auto& meter) {
        return matches(doubt(meter_text(meter) + " of an element of set " + e.set,
                             (meter.flags & NFT_LIMIT_F_INV) == 0));
      },
      e.meter);
}

Interpreter::Step Interpreter::eval(const NoTrack&) {
  taken_out_ = true;
  return Step::match;
}

Interpreter::Step Interpreter::eval(const SynProxying&) {
  constexpr std::uint8_t kSyn = 2, kAck = 16;
  const std::uint8_t flags = packet_.byte({Kind::transport, 0, kTcpFlags});
  if (packet_.protocol() != kProtocolTcp) return Step::no_match;
  if ((flags & kSyn) != 0) return decide({NF_STOLEN, {}});
  if ((flags & kAck) == 0) return Step::match;
  return decide({doubt(std::string(kHandshake)) ? NF_STOLEN : NF_DROP, {}});
}

Interpreter::Step Interpreter::eval(const Constant& e) {
  if (!fits(e.to, (e.data.size() + 3) / 4 * 4)) return anything("a register that does not exist");
  store(e.to, e.data);
  return Step::match;
}

Interpreter::Step Interpreter::eval(const Translate& e) {
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

Interpreter::Step Interpreter::eval(const MasqueradeSource&) {
  rewrite_ = Rewrite{};
  return decide({NF_ACCEPT, {}});
}

Interpreter::Step Interpreter::eval(const Foreign& e) {
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

Interpreter::Step Interpreter::swap_bytes(const Foreign& e) {
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

}  // namespace gatehouse::fwctl::prove
