#include "fwctl/compile/kernel_table.h"

#include <linux/netfilter.h>
#include <linux/netfilter/nf_tables.h>

#include <algorithm>
#include <cstring>

namespace gatehouse::fwctl {
namespace {

template <class T>
const T* named(const std::vector<T>& all, std::string_view name) {
  const auto at = std::find_if(all.begin(), all.end(), [&](const T& x) { return x.name == name; });
  return at == all.end() ? nullptr : &*at;
}

}  // namespace

std::string KernelVerdict::to_string() const {
  switch (code) {
    case NF_DROP:
      return "drop";
    case NF_ACCEPT:
      return "accept";
    case NFT_JUMP:
      return "jump " + chain;
    case NFT_GOTO:
      return "goto " + chain;
    case NFT_RETURN:
      return "return";
    case NFT_CONTINUE:
      return "continue";
    case NF_STOLEN:
      return "stolen";
    default:
      return "verdict " + std::to_string(code);
  }
}

const KernelSet* KernelTable::find_set(std::string_view set_name) const {
  return named(sets, set_name);
}
const KernelChain* KernelTable::find_chain(std::string_view chain_name) const {
  return named(chains, chain_name);
}

bool KernelSet::holds_state() const {
  return (flags & (NFT_SET_TIMEOUT | NFT_SET_EVAL)) != 0 && (flags & NFT_SET_INTERVAL) == 0;
}
KernelSet KernelSet::definition() const {
  KernelSet out;
  out.name = name;
  out.flags = flags;
  out.key_type = key_type;
  out.key_length = key_length;
  out.data_type = data_type;
  out.room = room;
  out.field_lengths = field_lengths;
  return out;
}
bool KernelSet::holds_ranges() const {
  return (flags & NFT_SET_INTERVAL) != 0 && !concatenated_intervals();
}
std::uint32_t KernelSet::count() const {
  if (!holds_ranges()) return static_cast<std::uint32_t>(elements.size());
  // The kernel halves the number of its starts and ends, and a range to the top has no end.
  const bool to_the_top = !elements.empty() && elements.back_is_highest();
  return static_cast<std::uint32_t>((2 * elements.size() - (to_the_top ? 1 : 0)) / 2);
}
bool LiveTable::is_ban_set(const KernelSet& set) const {
  if (family != NFPROTO_INET || table.name != kTableName || set.flags != NFT_SET_TIMEOUT) return false;
  return (set.name == kBanned4 && set.key_length == 4) || (set.name == kBanned6 && set.key_length == 16);
}

std::string_view family_name(std::uint32_t family) {
  switch (family) {
    case NFPROTO_INET:
      return "inet";
    case NFPROTO_IPV4:
      return "ip";
    case NFPROTO_IPV6:
      return "ip6";
    case NFPROTO_ARP:
      return "arp";
    case NFPROTO_BRIDGE:
      return "bridge";
    case NFPROTO_NETDEV:
      return "netdev";
    default:
      return "other";
  }
}
std::string LiveTable::name() const {
  return std::string(family_name(family)) + " " + table.name;
}

Bytes host_order(std::uint32_t value) {
  Bytes out(sizeof value);
  std::memcpy(out.data(), &value, sizeof value);
  return out;
}

}  // namespace gatehouse::fwctl
