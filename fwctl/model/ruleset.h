// The normal form: the site policy as one typed, ordered nftables table. Everything else (kernel
// objects, nft text, JSON, later the proof) is made from this. Plain data; every part names the
// policy line behind it.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <variant>
#include <vector>

#include "core/result.h"
#include "fwctl/model/field.h"
#include "site/model/site.h"

namespace gatehouse::fwctl {

inline constexpr std::string_view kTableName = "gatehouse";
// Sources that are refused for a time. What they hold is the guard's, not the policy's.
inline constexpr std::string_view kBanned4 = "banned-v4", kBanned6 = "banned-v6";

// Why a rule or element is there. `text` is what the kernel object carries as its comment, for
// example `web-mail.yaml:27 service web`; at most kMaxCommentBytes.
struct Origin {
  core::SourcePos where;
  std::string text;
};
inline constexpr std::size_t kMaxCommentBytes = 120;  // nft's own cap is 128 with its terminator

// --- verdicts -----------------------------------------------------------------------------------

enum class VerdictKind : std::uint8_t { accept, drop, jump, go_to, give_back };

struct Verdict {
  VerdictKind kind = VerdictKind::drop;
  std::string chain;  // jump and go_to

  std::string to_string() const;
  friend bool operator==(const Verdict&, const Verdict&) = default;
};

// --- matches: all of a rule's matches must hold ----------------------------------------------------

struct FieldIs {
  Field field;
  Value value;
};
// The concatenated fields are (or are not) an element of a named set.
struct InSet {
  std::vector<Field> key;
  std::string set;
  bool negated = false;
};
// Connection tracking state; bits as in the kernel's NF_CT_STATE_BIT.
enum class CtState : std::uint8_t { invalid = 1, established = 2, related = 4, fresh = 8, untracked = 64 };
struct StateIs {
  CtState state;
};
// Which of FIN, SYN, RST and ACK a TCP segment has.
enum class TcpFlags : std::uint8_t { syn = 2, ack = 16, syn_ack = 18 };
struct FlagsAre {
  TcpFlags flags;
  bool negated = false;
};
// A socket of a program stands behind the packet.
struct HasUser {};
// The route back to the source does not leave through the interface the packet came in by
// (RFC 3704 strict reverse path forwarding; also true for the gatehouse's own addresses).
struct NoRouteBack {};

// The destination of its connection was translated.
struct IsForwarded {};

using Match = std::variant<FieldIs, InSet, StateIs, FlagsAre, HasUser, NoRouteBack, IsForwarded>;

// --- statements -------------------------------------------------------------------------------------

// Matches while packets come no faster (or, `over`, only when they come faster).
struct RateLimit {
  std::uint32_t count = 0;
  std::uint32_t burst = 0;
  bool over = false;
  std::uint32_t unit_s = 1;
};
// Matches while more connections than that are open. What is counted are those that asked here.
struct ConnectionsOver {
  std::uint32_t most = 0;
};
// A rate or a count of its own for each source; `set` remembers the sources. Where it is full, new sources
// are not limited.
struct ForEachSource {
  std::string set;
  Field source = Field::ip_saddr;
  std::uint8_t prefix = 32;    // that many bits make a source
  std::uint32_t forget_s = 0;  // after that time without a packet; 0: with its last connection
  std::variant<RateLimit, ConnectionsOver> what;
};
struct LogTo {
  std::uint16_t group = 0;
  std::string prefix;
};
// The verdict that the map gives for the concatenated fields; no entry: the next rule.
struct VerdictMap {
  std::vector<Field> key;
  std::string map;
  std::uint32_t level = 0;  // of Field::control_group: how far below the root, from 1 on
};

// Another destination for the connection; port 0: the same.
struct ForwardTo {
  core::IpAddress address;
  std::uint16_t port = 0;
};
// The source becomes an address of the interface the packet leaves by.
struct HideSource {};
// The kernel answers in the host's place, and connects to it for who completes the handshake.
struct AnswerFor {
  std::uint16_t mss = 0;
  std::uint8_t window_scale = 0;
  bool timestamps = false;
  bool sack = false;
};

// Evaluated in the order of the members.
struct Rule {
  std::vector<Match> matches;
  std::optional<ForEachSource> for_each_source;
  std::optional<RateLimit> limit;
  std::optional<ConnectionsOver> connections;
  std::optional<LogTo> log;
  bool counter = false;
  bool leave_untracked = false;  // connection tracking does not see the packet
  std::variant<std::monostate, Verdict, VerdictMap, ForwardTo, HideSource, AnswerFor> outcome;
  Origin origin;
};

// --- containers ---------------------------------------------------------------------------------------

struct Element {
  Box key;
  std::optional<Verdict> verdict;  // set exactly when the set is a verdict map
  Origin origin;
};

// Elements are disjoint and sorted by key; without `intervals` every key is a single value.
struct Set {
  std::string name;
  std::vector<ValueType> key;
  bool intervals = false;
  bool verdict_map = false;
  bool timeouts = false;   // elements come and go while the policy is in force
  std::uint32_t most = 0;  // packets fill it, up to so many elements; 0: they do not
  std::vector<Element> elements;
  std::vector<site::AddressRange> listed;  // instead of elements: what lists name, which is much
  std::string about;                       // one line for people, in text forms only
  std::map<Value, std::string> groups;     // control groups among the keys: their paths, in text forms only

  std::size_t size() const { return elements.size() + listed.size(); }
  // `listed` as elements as well.
  std::vector<Element> all_elements() const;
  // Room that the kernel makes at once for a large hash set; 0: it grows. One that grows is rebuilt in the
  // background, and reading it meanwhile shows elements twice and others not at all. A quarter more than is
  // needed at least, so that a list that changes a little keeps its set.
  std::uint32_t room() const;
};

enum class Hook : std::uint8_t { prerouting, input, forward, output, postrouting };
std::string_view to_string(Hook hook);

struct Chain {
  std::string name;
  std::optional<Hook> hook;  // base chains: type filter, policy drop
  bool translates = false;   // instead type nat, policy accept
  std::int32_t priority = 0;
  std::vector<Rule> rules;
  std::string about;
};

// A table of family inet. Chains come after every chain that they lead to.
struct Ruleset {
  std::string table{kTableName};
  std::vector<Set> sets;
  std::vector<Chain> chains;
  // Interfaces the policy speaks of, with the zone's line.
  std::vector<std::pair<std::string, core::SourcePos>> interfaces;

  const Set* find_set(std::string_view name) const;
  const Chain* find_chain(std::string_view name) const;
};

}  // namespace gatehouse::fwctl
