// A ruleset as diagrams: for each path of a family, what becomes of every packet.
#pragma once

#include <map>
#include <optional>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "fwctl/compile/kernel_table.h"
#include "fwctl/prove/fields.h"

namespace gatehouse::fwctl::prove {

// Where a chain runs, as far as its expressions can tell.
struct Place {
  std::uint8_t family = 4;
  bool in = false;           // there is an input interface
  bool out = false;          // there is an output interface
  bool tracked = true;       // connection tracking has looked at the packet
  bool at_tracking = false;  // the chain has connection tracking's own priority
  bool ingress = false;      // before everything else, on an interface
  // Packets that travel in fragments: put together again, still in fragments, or one of the two.
  enum class Pieces : std::uint8_t { whole, fragments, unsure };
  Pieces pieces = Pieces::whole;
  bool later = false;  // what is looked at is a piece that does not begin its packet
  friend auto operator<=>(const Place&, const Place&) = default;
};

// A base chain in the order in which a path meets it.
struct BaseStep {
  const LiveTable* table = nullptr;
  const KernelChain* chain = nullptr;
  Place place;
  bool translates = false;      // a nat chain
  bool leaving = false;         // behind routing
  std::uint8_t stage = 0;       // steps at one hook have one number
  bool inbound_device = false;  // an ingress hook: only for packets from `devices`
  bool outbound_device = false;
};
std::vector<BaseStep> steps_of(const LiveRuleset& ruleset, Path path, std::uint8_t family);

// The words of a rate, the same for a rule of the kernel and for the policy.
std::string rate_text(std::uint64_t rate, std::uint64_t unit_s, std::uint32_t burst, std::uint32_t type);
// The words of a limit: of all packets that come to it, or of each source of so many bits.
std::string meter_text(const Limit& limit, int source_bits = -1);
std::string meter_text(const ConnectionCount& count, int source_bits = -1);
std::string_view hook_name(std::uint32_t table_family, std::uint32_t hook);

// What rules change that rules also look at, over a whole ruleset.
struct Writes {
  std::set<std::uint32_t> meta, ct;
  std::set<std::pair<std::uint32_t, std::uint32_t>> payload;  // base, offset of each byte
  std::set<std::uint32_t> group_levels;                       // at which control groups are asked for
  std::set<std::uint32_t> extensions;                         // extension headers and options asked for
  bool untracks = false;
  bool answers = false;                    // a SYN proxy
  bool asks_route_to_destination = false;  // `fib daddr`
};
Writes writes_of(const LiveRuleset& ruleset);

// The words of a translation that the policy asks for.
inline constexpr std::string_view kMasquerade = "masquerade";

// What the SYN proxy says in the host's place, and why it may say nothing.
std::string answer_text(const SynProxying& e);
inline constexpr std::string_view kHandshake = "it completes a handshake that the SYN proxy began";
// What the SYN that the proxy sends for a client has of its own; the rest is the client's.
std::map<Variable, bool> handshake_bits(Fields& fields, const Writes& writes);

// Whether the destination of the packet's connection was translated, and the variables that a new destination
// decides, with their values.
Bit destination_translated(Fields& fields);
std::map<Variable, bool> rewritten_bits(Fields& fields, const Bytes& address, const Bytes& port);

// What a rule makes of the addresses of a connection.
struct Rewrite {
  bool destination = false;
  Bytes address;  // empty: the same
  Bytes port;     // empty: the same
};

// Sets that are one variable in the diagrams. Rulesets that are compared share them: sets that hold the same
// are one variable in both.
struct LargeSet {
  const KernelSet* set = nullptr;
  std::vector<Word> key;
  std::vector<std::pair<std::size_t, std::size_t>> cuts;
  Variable member = 0;
};
using LargeSets = std::vector<LargeSet>;
inline constexpr std::size_t kLargeSet = 256;  // elements
// The packets whose `key` is in a set of one field; the set must outlive `large`.
Node membership_of(Diagrams& diagrams, Fields& fields, LargeSets& large, const KernelSet& set,
                   const Word& key);

class Symbolic {
 public:
  // What is given must outlive this.
  Symbolic(Diagrams& diagrams, Fields& fields, const LiveRuleset& ruleset, LargeSets& large);

  // Leaves: accept, drop, reject and mixtures. What becomes of a packet that the SYN proxy takes is what
  // becomes of the SYN that it sends for it.
  Node path(Path path);
  // Which packets it takes, and what it says.
  Node answered(Path path);
  // What `after` says about packets behind the translation of destinations, said about packets as they come.
  Node before_translation(Path path, Node after);
  // New connections whose source is hidden by masquerading, of the packets as they leave.
  Node hidden(Path path);
  // A chain as its packets see it: accept, drop, reject, return and mixtures.
  Node chain(const LiveTable& table, const std::string& name, const Place& place);
  // One rule: what it decides, and continue.
  Node rule(const LiveTable& table, const KernelRule& rule, const Place& place);
  Node interface_is(ByteKey::Kind kind, std::string_view name);

  // Whether a packet is in a large set is one variable in the diagrams, decided near the root: two rulesets
  // that are equal whatever the set holds are equal, and need not know. This is what the set holds: where
  // diagrams differ, only packets for which it is yes exist.
  Node link();

 private:
  // For packets as they come, and for those a rule has taken out of connection tracking: the outcomes of
  // the second are all marked, so that what follows is asked for such packets too.
  struct Flow {
    Node tracked = 0;
    Node untracked = 0;
  };
  struct Condition;
  struct Step;
  class RuleReader;

  Flow chain_flow(const LiveTable& table, const std::string& name, const Place& place);
  Flow rule_flow(const LiveTable& table, const KernelRule& rule, const Place& place);
  Flow sequence(const std::vector<Flow>& rules, std::size_t from, std::size_t to);
  Flow base_flow(const BaseStep& step);
  std::vector<Reason> translations_in(Node f);
  Node resolve(Node here, Node bound, Node rest);
  Node only(Node here, Reason which);
  Node rewritten(const Rewrite& rewrite, Node rest);
  Node substituted(const std::map<Variable, bool>& fixed, Node rest);
  Node on_the_way(Path path);
  Node handshake(Path path);
  Node inside_after(const LargeSet& large, const std::map<Variable, bool>& fixed);
  Node verdict_node(const LiveTable& table, const KernelVerdict& verdict, const Place& place, bool untracked);

  Diagrams& d_;
  Fields& f_;
  const LiveRuleset& ruleset_;
  Writes writes_;
  std::map<std::pair<const KernelChain*, Place>, Flow> chains_;
  std::map<std::pair<const LiveTable*, std::string>, const KernelChain*> by_name_;
  std::map<std::pair<const LiveTable*, std::string>, const KernelSet*> sets_;
  std::map<Reason, Rewrite> rewrites_;
  LargeSets& large_;
  std::size_t linked_ = 0;  // how many of them are in link_
  Node link_;
  int depth_ = 0;
};

}  // namespace gatehouse::fwctl::prove
