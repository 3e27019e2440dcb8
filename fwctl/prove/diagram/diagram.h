// Decision diagrams over bits, reduced and hash-consed (Bryant 1986): two functions are equal exactly
// when their nodes are the same number. Leaves are sets of outcomes rather than 0 and 1.
#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <vector>

namespace gatehouse::fwctl::prove {

using Node = std::uint32_t;
using Variable = std::uint16_t;  // smaller is nearer to the root
inline constexpr Variable kLeafVariable = 0xffff;

// What can become of a packet. `no` and `yes` are the leaves of conditions. The marked ones are the
// same for a packet that a rule has taken out of connection tracking.
enum Outcome : std::uint16_t {
  kNo = 1,
  kYes = 2,
  kAccept = 4,
  kDrop = 8,
  kReject = 16,
  kContinue = 32,  // the next rule
  kReturn = 64,    // back to the chain that jumped here
  kAcceptUntracked = 128,
  kContinueUntracked = 256,
  kReturnUntracked = 512,
  kTranslate = 1024,  // accepted, with another address; the leaf's one reason says which
  kAnswer = 2048,     // given to the SYN proxy; a reason says what that says
};
using Outcomes = std::uint16_t;
// The marked outcome that belongs to a plain one.
constexpr Outcomes untracked(Outcomes plain) {
  return static_cast<Outcomes>(plain == kAccept     ? kAcceptUntracked
                               : plain == kContinue ? kContinueUntracked
                                                    : kReturnUntracked);
}

// Why a leaf has more than one outcome; numbers into Diagrams::reason_text.
using Reason = std::uint16_t;
enum class ReasonKind : std::uint8_t { rate, unknown, translation };

struct Leaf {
  Outcomes outcomes = 0;
  std::vector<Reason> reasons;  // sorted; empty when there is one outcome, unless that has a reason
  friend bool operator==(const Leaf&, const Leaf&) = default;
};

// Thrown when a diagram outgrows its budget; caught where a decision begins. Passing an error
// through every recursive step would cost the steps that are the whole work.
struct TooLarge {};

class Diagrams {
 public:
  explicit Diagrams(std::size_t most_nodes = 48'000'000);

  // --- leaves ---
  Node leaf(Outcomes outcomes) { return leaf(Leaf{outcomes, {}}); }
  Node leaf(Leaf leaf);
  static bool is_leaf(Node n) { return (n & kLeafBit) != 0; }
  const Leaf& leaf_of(Node n) const { return leaves_[n & ~kLeafBit]; }
  Node no() const { return no_; }
  Node yes() const { return yes_; }
  // A condition that may hold or not, and why.
  Node maybe(ReasonKind kind, const std::string& text);
  Reason reason(ReasonKind kind, const std::string& text);
  ReasonKind reason_kind(Reason r) const { return reasons_[r].first; }
  const std::string& reason_text(Reason r) const { return reasons_[r].second; }

  // --- nodes ---
  Variable variable(Node n) const { return is_leaf(n) ? kLeafVariable : nodes_[n].variable; }
  Node low(Node n) const { return nodes_[n].low; }
  Node high(Node n) const { return nodes_[n].high; }
  // The variable decides; any order of `v` against the children.
  Node select(Variable v, Node if_clear, Node if_set);

  // --- operations ---
  // `condition` decides; where it may hold or not, both outcomes.
  Node choose(Node condition, Node if_yes, Node if_no);
  Node both(Node a, Node b) { return choose(a, b, no_); }
  Node either(Node a, Node b) { return choose(a, yes_, b); }
  Node negate(Node a) { return choose(a, no_, yes_); }
  // The outcomes of both.
  Node join(Node a, Node b) { return join(a, b, {}); }
  // Replaces the outcome `which` of `f` by what `next` says, and its marked form by `next_untracked`.
  Node bind(Node f, Outcomes which, Node next, Node next_untracked);
  // Outcomes replaced one by one (a table over single outcomes).
  Node relabel(Node f, const std::function<Leaf(const Leaf&)>& change);
  // `f` with the variable fixed.
  Node fix(Node f, Variable v, bool set);

  // Yes where the two have different leaves.
  Node differ(Node a, Node b);
  // Of a condition: is there a way to decide the variables that are not kept so that it is yes?
  Node some(Node f, const std::function<bool(Variable)>& kept);

  // --- questions ---
  // A path to a pair of leaves that is wanted, where `care` and `link` can be yes (two, so that a large
  // one need not be multiplied with a changing one); `path` then holds the decision on each variable: 1, 0,
  // or -1 for either. Unless a and b are one node, places where they are the same are passed over.
  bool find(Node a, Node b, Node care, Node link, const std::function<bool(const Leaf&, const Leaf&)>& wanted,
            std::vector<std::int8_t>& path);
  const Leaf& evaluate(Node f, const std::function<bool(Variable)>& bit) const;
  std::size_t size() const { return nodes_.size(); }
  // Nodes reachable from `f`.
  std::size_t size_of(Node f) const;

 private:
  static constexpr Node kLeafBit = 0x8000'0000U;
  struct Inner {
    Node low, high;
    Variable variable;
  };
  struct CacheEntry {
    Node a = ~0U, b = 0, c = 0;
    std::uint32_t operation = 0;
    Node result = 0;
  };
  enum Operation : std::uint32_t { kChoose = 1, kJoin = 2, kBind = 3, kFix = 4 };  // + argument << 4

  Node make(Variable v, Node low, Node high);
  void grow();
  Node join(Node a, Node b, const std::vector<Reason>& more);
  CacheEntry& cached(std::uint32_t operation, Node a, Node b, Node c);
  Node low_if(Node n, Variable v) const { return variable(n) == v ? nodes_[n].low : n; }
  Node high_if(Node n, Variable v) const { return variable(n) == v ? nodes_[n].high : n; }
  Node bind_leaf(const Leaf& f, Outcomes which, Node next, Node next_untracked);

  std::size_t most_nodes_;
  std::vector<Inner> nodes_;
  std::vector<Node> table_;  // open addressing; ~0 is free
  std::vector<Leaf> leaves_;
  std::vector<std::pair<ReasonKind, std::string>> reasons_;
  std::vector<CacheEntry> cache_;
  Node no_ = 0, yes_ = 0;
};

}  // namespace gatehouse::fwctl::prove
