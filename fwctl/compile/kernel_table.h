// A table as the kernel holds it: what we send and what we read back, in one form, so that the two
// can be compared expression by expression. Numbers are those of linux/netfilter/nf_tables.h.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <variant>
#include <vector>

#include "fwctl/compile/element_list.h"
#include "fwctl/model/ruleset.h"

namespace gatehouse::fwctl {

// A 4-byte register, 0..15. The kernel's 16-byte registers 1..4 are slots 0, 4, 8 and 12.
using Slot = std::uint8_t;
inline constexpr std::size_t kSlots = 16;

struct LoadMeta {
  std::uint32_t key = 0;
  Slot to = 0;
  friend bool operator==(const LoadMeta&, const LoadMeta&) = default;
};
struct LoadPayload {
  std::uint32_t base = 0;
  std::uint32_t offset = 0;
  std::uint32_t length = 0;
  Slot to = 0;
  friend bool operator==(const LoadPayload&, const LoadPayload&) = default;
};
struct LoadCt {
  std::uint32_t key = 0;
  Slot to = 0;
  friend bool operator==(const LoadCt&, const LoadCt&) = default;
};
struct LoadFib {
  std::uint32_t result = 0;
  std::uint32_t flags = 0;
  Slot to = 0;
  friend bool operator==(const LoadFib&, const LoadFib&) = default;
};
// nft's number for the type of control groups.
inline constexpr std::uint32_t kControlGroupType = 46;

// Something about the socket behind the packet; NFT_SOCKET_CGROUPV2 the number of the control group that its
// own lies in, `level` steps below the root.
struct LoadSocket {
  std::uint32_t key = 0;
  std::uint32_t level = 0;
  Slot to = 0;
  friend bool operator==(const LoadSocket&, const LoadSocket&) = default;
};
// to = (from & mask) ^ flip
struct Mask {
  Slot from = 0;
  Slot to = 0;
  Bytes mask;
  Bytes flip;
  friend bool operator==(const Mask&, const Mask&) = default;
};
struct Compare {
  Slot from = 0;
  std::uint32_t op = 0;  // NFT_CMP_EQ 0, NFT_CMP_NEQ 1, ...
  Bytes data;
  friend bool operator==(const Compare&, const Compare&) = default;
};
struct Lookup {
  Slot from = 0;
  std::string set;
  bool verdict = false;  // a verdict map: its verdict is the rule's
  bool negated = false;
  friend bool operator==(const Lookup&, const Lookup&) = default;
};
struct Limit {
  std::uint64_t rate = 0;
  std::uint64_t unit_s = 0;
  std::uint32_t burst = 0;
  std::uint32_t type = 0;   // NFT_LIMIT_PKTS 0
  std::uint32_t flags = 0;  // NFT_LIMIT_F_INV 1
  friend bool operator==(const Limit&, const Limit&) = default;
};
// Matches while so many connections that asked are open, or with NFT_CONNLIMIT_F_INV while more are.
struct ConnectionCount {
  std::uint32_t most = 0;
  std::uint32_t flags = 0;
  friend bool operator==(const ConnectionCount&, const ConnectionCount&) = default;
};
// Adds the key to a set, and matches as the meter of its element does.
struct Remember {
  std::string set;
  std::uint32_t operation = 0;  // NFT_DYNSET_OP_ADD 0, NFT_DYNSET_OP_UPDATE 1
  Slot from = 0;
  std::uint64_t timeout_ms = 0;
  std::variant<Limit, ConnectionCount> meter;
  friend bool operator==(const Remember&, const Remember&) = default;
};
struct Constant {
  Slot to = 0;
  Bytes data;
  friend bool operator==(const Constant&, const Constant&) = default;
};
// Another source or destination for the connection, from registers.
struct Translate {
  std::uint32_t type = 0;    // NFT_NAT_SNAT 0, NFT_NAT_DNAT 1
  std::uint32_t family = 0;  // NFPROTO_IPV4 or NFPROTO_IPV6; packets of the other pass
  std::optional<Slot> address;
  std::optional<Slot> port;
  std::uint32_t flags = 0;  // without those that say which registers there are
  friend bool operator==(const Translate&, const Translate&) = default;
};
// The address of the interface by which a packet leaves becomes its source.
struct MasqueradeSource {
  std::uint32_t flags = 0;
  friend bool operator==(const MasqueradeSource&, const MasqueradeSource&) = default;
};
// Answers TCP handshakes in the place of the destination.
struct SynProxying {
  std::uint16_t mss = 0;
  std::uint8_t window_scale = 0;
  std::uint32_t flags = 0;  // NF_SYNPROXY_OPT_*
  friend bool operator==(const SynProxying&, const SynProxying&) = default;
};
// The packet leaves connection tracking.
struct NoTrack {
  friend bool operator==(const NoTrack&, const NoTrack&) = default;
};
struct Log {
  std::uint16_t group = 0;
  std::string prefix;
  friend bool operator==(const Log&, const Log&) = default;
};
// What it has counted is state, not policy: two counters are always equal.
struct Counter {
  std::uint64_t packets = 0;
  std::uint64_t bytes = 0;
  friend bool operator==(const Counter&, const Counter&) { return true; }
};
struct SetVerdict {
  KernelVerdict verdict;
  friend bool operator==(const SetVerdict&, const SetVerdict&) = default;
};
// What the proof can make of an expression that we never send.
enum class Meaning : std::uint8_t {
  nothing_known,  // any effect: another verdict, another packet
  neutral,        // no effect on what becomes of the packet
  chance,         // matches or not, by state that the ruleset does not show (quota, full set)
  in_range,       // low <= register <= high; `negated`
  byte_order,     // to = from with the bytes of each `size` swapped
  unknown_value,  // to = something this version cannot know
  map_value,      // to = what the map `set` has for the register; no entry: no match
  extension,      // to = 1 where the packet has the extension header or option `key`, else 0
  write,          // changes a field of the packet or of its metadata, see `target`
  reject,         // dropped, and the sender is told
};
// What a Meaning::write changes.
enum class WriteTarget : std::uint8_t { meta, ct, payload };

// Of IPv6 a header by its protocol number, of IPv4 an option by its type; `op` is NFT_EXTHDR_OP_IPV6 or
// _IPV4.
constexpr std::uint32_t extension_key(std::uint32_t op, std::uint32_t type) {
  return op << 8U | type;
}

// An expression this version never sends. It makes a live rule differ from every rule of ours.
struct Foreign {
  std::string text;
  Meaning meaning = Meaning::nothing_known;
  Slot from = 0;
  Slot to = 0;
  std::uint32_t length = 0;  // bytes
  std::uint32_t size = 0;    // byte_order: 2, 4 or 8
  Bytes low{}, high{};
  bool negated = false;
  std::string set{};
  WriteTarget target = WriteTarget::meta;
  std::uint32_t key = 0;     // write: the meta or ct key, or the payload base; extension: see extension_key()
  std::uint32_t offset = 0;  // write to payload
  friend bool operator==(const Foreign&, const Foreign&) = default;
};
using Expression = std::variant<LoadMeta, LoadPayload, LoadCt, LoadFib, LoadSocket, Mask, Compare, Lookup,
                                Limit, ConnectionCount, Remember, Constant, Translate, MasqueradeSource,
                                SynProxying, NoTrack, Log, Counter, SetVerdict, Foreign>;

struct KernelRule {
  std::vector<Expression> expressions;
  std::string comment;
  core::SourcePos where;     // compiled rules only
  std::uint64_t handle = 0;  // live rules only

  bool same_effect(const KernelRule& other) const { return expressions == other.expressions; }
};

struct KernelSet {
  std::string name;
  std::uint32_t flags = 0;     // NFT_SET_*
  std::uint32_t key_type = 0;  // nft's number, for its listing only
  std::uint32_t key_length = 0;
  std::uint32_t data_type = 0;
  std::uint32_t room = 0;  // the most elements, for which there is room at once; 0: it grows
  Bytes field_lengths;     // of a concatenation with intervals, unpadded
  ElementList elements;    // sorted by `first`
  // Live sets only: a range begins without the one before having ended, or ends without having begun. Its
  // elements as decoded are what the set does, but cannot be deleted one by one.
  bool irregular = false;
  // Live sets only: how many elements there are, as the kernel says (Linux 6.16 and later).
  std::optional<std::uint32_t> counted{};

  KernelSet definition() const;  // the same without elements
  // What the kernel says of these elements.
  std::uint32_t count() const;
  // Elements come and go by themselves: they are state, no part of what a policy asks for.
  bool holds_state() const;
  bool concatenated_intervals() const { return field_lengths.size() > 1; }
  // Ranges of one field, which the kernel keeps as starts and ends.
  bool holds_ranges() const;
  bool same_definition(const KernelSet& o) const {
    return flags == o.flags && key_type == o.key_type && key_length == o.key_length &&
           data_type == o.data_type && room == o.room && field_lengths == o.field_lengths;
  }
};

struct BaseHook {
  std::string type = "filter";
  std::uint32_t hook = 0;  // NF_INET_*
  std::int32_t priority = 0;
  std::uint32_t policy = 0;            // NF_DROP or NF_ACCEPT
  std::vector<std::string> devices{};  // of the hooks that belong to an interface; ours have none

  friend bool operator==(const BaseHook&, const BaseHook&) = default;
};

struct KernelChain {
  std::string name;
  std::optional<BaseHook> base;
  std::vector<KernelRule> rules;
};

// Always of family inet.
struct KernelTable {
  std::string name;
  std::uint32_t flags = 0;  // NFT_TABLE_F_DORMANT switches the table off
  std::vector<KernelSet> sets;
  std::vector<KernelChain> chains;

  const KernelSet* find_set(std::string_view set_name) const;
  const KernelChain* find_chain(std::string_view chain_name) const;
};

// A table of any family.
struct LiveTable {
  std::uint32_t family = 0;  // NFPROTO_*
  KernelTable table;
  std::uint32_t raw_flags = 0;   // with those that say who may write
  std::uint32_t owner_port = 0;  // netlink port of the owner

  std::string name() const;  // "inet filter"
  // Our set of banned sources, exactly as we make it.
  bool is_ban_set(const KernelSet& set) const;
};
// Everything nf_tables holds in one network namespace.
struct LiveRuleset {
  std::uint32_t generation = 0;
  std::vector<LiveTable> tables;
};
std::string_view family_name(std::uint32_t family);

// The bytes of a number in the host's order, as the kernel keeps meta and ct values.
Bytes host_order(std::uint32_t value);

}  // namespace gatehouse::fwctl
