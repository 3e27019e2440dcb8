#include "fwctl/prove/diagram/diagram.h"

#include <algorithm>
#include <unordered_map>
#include <unordered_set>

namespace gatehouse::fwctl::prove {
namespace {

constexpr Node kFree = ~0U;
constexpr std::size_t kFirstTable = 1U << 16U;
constexpr std::size_t kFirstCache = 1U << 15U;
constexpr std::size_t kMostCache = 1U << 22U;

std::uint64_t mix(std::uint64_t a, std::uint64_t b, std::uint64_t c) {
  std::uint64_t h =
      a * 0x9e37'79b9'7f4a'7c15ULL ^ b * 0xc2b2'ae3d'27d4'eb4fULL ^ c * 0x1656'67b1'9e37'79f9ULL;
  h ^= h >> 29U;
  h *= 0xbf58'476d'1ce4'e5b9ULL;
  return h ^ h >> 32U;
}

bool single(Outcomes o) {
  return (o & (o - 1)) == 0;
}

}  // namespace

Diagrams::Diagrams(std::size_t most_nodes)
    : most_nodes_(most_nodes), table_(kFirstTable, kFree), cache_(kFirstCache) {
  no_ = leaf(kNo);
  yes_ = leaf(kYes);
}

Node Diagrams::leaf(Leaf leaf) {
  if (leaf.outcomes == kTranslate || leaf.outcomes == kAnswer) {
    std::erase_if(leaf.reasons, [&](Reason r) { return reason_kind(r) != ReasonKind::translation; });
  } else if (single(leaf.outcomes)) {
    leaf.reasons.clear();
  }
  const auto at = std::find(leaves_.begin(), leaves_.end(), leaf);
  if (at != leaves_.end()) return static_cast<Node>(at - leaves_.begin()) | kLeafBit;
  if (leaves_.size() > 4096) throw TooLarge{};  // reasons multiply; nothing real comes near
  leaves_.push_back(std::move(leaf));
  return static_cast<Node>(leaves_.size() - 1) | kLeafBit;
}

Reason Diagrams::reason(ReasonKind kind, const std::string& text) {
  const std::pair<ReasonKind, std::string> wanted{kind, text};
  const auto at = std::find(reasons_.begin(), reasons_.end(), wanted);
  if (at != reasons_.end()) return static_cast<Reason>(at - reasons_.begin());
  if (reasons_.size() > 60'000) throw TooLarge{};
  reasons_.push_back(wanted);
  return static_cast<Reason>(reasons_.size() - 1);
}

Node Diagrams::maybe(ReasonKind kind, const std::string& text) {
  return leaf(Leaf{kNo | kYes, {reason(kind, text)}});
}

void Diagrams::grow() {
  std::vector<Node> table(table_.size() * 2, kFree);
  const std::size_t mask = table.size() - 1;
  for (Node n = 0; n < nodes_.size(); ++n) {
    std::size_t at = mix(nodes_[n].low, nodes_[n].high, nodes_[n].variable) & mask;
    while (table[at] != kFree) at = (at + 1) & mask;
    table[at] = n;
  }
  table_ = std::move(table);
  // What is forgotten here is only computed again.
  if (cache_.size() < kMostCache && cache_.size() < table_.size() / 2)
    cache_.assign(cache_.size() * 2, CacheEntry{});
}

Node Diagrams::make(Variable v, Node low, Node high) {
  if (low == high) return low;
  const std::size_t mask = table_.size() - 1;
  std::size_t at = mix(low, high, v) & mask;
  while (table_[at] != kFree) {
    const Inner& n = nodes_[table_[at]];
    if (n.low == low && n.high == high && n.variable == v) return table_[at];
    at = (at + 1) & mask;
  }
  if (nodes_.size() >= most_nodes_) throw TooLarge{};
  const Node out = static_cast<Node>(nodes_.size());
  nodes_.push_back({low, high, v});
  table_[at] = out;
  if (nodes_.size() * 3 > table_.size() * 2) grow();
  return out;
}

Node Diagrams::select(Variable v, Node if_clear, Node if_set) {
  if (v < variable(if_clear) && v < variable(if_set)) return make(v, if_clear, if_set);
  return choose(make(v, no_, yes_), if_set, if_clear);
}

Diagrams::CacheEntry& Diagrams::cached(std::uint32_t operation, Node a, Node b, Node c) {
  const std::uint64_t h = mix(a, b, (std::uint64_t{c} << 16U) ^ operation);
  return cache_[h & (cache_.size() - 1)];
}

namespace {

std::vector<Reason> merged(const std::vector<Reason>& a, const std::vector<Reason>& b) {
  std::vector<Reason> out;
  std::set_union(a.begin(), a.end(), b.begin(), b.end(), std::back_inserter(out));
  return out;
}

}  // namespace

Node Diagrams::choose(Node condition, Node if_yes, Node if_no) {
  if (is_leaf(condition)) {
    if (condition == yes_) return if_yes;
    if (condition == no_) return if_no;
    const std::vector<Reason> why = leaf_of(condition).reasons;
    return join(if_yes, if_no, why);
  }
  if (if_yes == if_no) return if_yes;
  if (if_yes == yes_ && if_no == no_) return condition;
  {
    const CacheEntry& e = cached(kChoose, condition, if_yes, if_no);
    if (e.operation == kChoose && e.a == condition && e.b == if_yes && e.c == if_no) return e.result;
  }
  const Variable v = std::min({variable(condition), variable(if_yes), variable(if_no)});
  const Node low = choose(low_if(condition, v), low_if(if_yes, v), low_if(if_no, v));
  const Node high = choose(high_if(condition, v), high_if(if_yes, v), high_if(if_no, v));
  const Node out = make(v, low, high);
  cached(kChoose, condition, if_yes, if_no) = {condition, if_yes, if_no, kChoose, out};
  return out;
}

Node Diagrams::join(Node a, Node b, const std::vector<Reason>& more) {
  if (is_leaf(a) && is_leaf(b)) {
    Leaf out;
    out.outcomes = static_cast<Outcomes>(leaf_of(a).outcomes | leaf_of(b).outcomes);
    out.reasons = merged(merged(leaf_of(a).reasons, leaf_of(b).reasons), more);
    return leaf(std::move(out));
  }
  if (a == b && more.empty()) return a;
  // The reasons are part of the operation: as a leaf they have a number.
  const Node why = leaf(Leaf{kNo | kYes, more});
  {
    const CacheEntry& e = cached(kJoin, a, b, why);
    if (e.operation == kJoin && e.a == a && e.b == b && e.c == why) return e.result;
  }
  const Variable v = std::min(variable(a), variable(b));
  const Node low = join(low_if(a, v), low_if(b, v), more);
  const Node high = join(high_if(a, v), high_if(b, v), more);
  const Node out = make(v, low, high);
  cached(kJoin, a, b, why) = {a, b, why, kJoin, out};
  return out;
}

Node Diagrams::bind_leaf(const Leaf& f, Outcomes which, Node next, Node next_untracked) {
  const Outcomes marked = untracked(which);
  const bool plain = (f.outcomes & which) != 0;
  const bool other = (f.outcomes & marked) != 0;
  const auto rest = static_cast<Outcomes>(f.outcomes & ~(which | marked));
  if (rest == 0 && !other) return next;
  if (rest == 0 && !plain) return next_untracked;
  Node out = plain ? next : next_untracked;
  if (plain && other) out = join(out, next_untracked, f.reasons);
  if (rest != 0) out = join(out, leaf(Leaf{rest, f.reasons}), f.reasons);
  return out;
}

Node Diagrams::bind(Node f, Outcomes which, Node next, Node next_untracked) {
  if (is_leaf(f)) {
    const Leaf of = leaf_of(f);
    if ((of.outcomes & (which | untracked(which))) == 0) return f;
    return bind_leaf(of, which, next, next_untracked);
  }
  const std::uint32_t operation = kBind | static_cast<std::uint32_t>(which) << 4U;
  {
    const CacheEntry& e = cached(operation, f, next, next_untracked);
    if (e.operation == operation && e.a == f && e.b == next && e.c == next_untracked) return e.result;
  }
  const Variable v = std::min({variable(f), variable(next), variable(next_untracked)});
  const Node low = bind(low_if(f, v), which, low_if(next, v), low_if(next_untracked, v));
  const Node high = bind(high_if(f, v), which, high_if(next, v), high_if(next_untracked, v));
  const Node out = make(v, low, high);
  cached(operation, f, next, next_untracked) = {f, next, next_untracked, operation, out};
  return out;
}

Node Diagrams::relabel(Node f, const std::function<Leaf(const Leaf&)>& change) {
  std::unordered_map<Node, Node> done;
  const std::function<Node(Node)> walk = [&](Node n) -> Node {
    if (is_leaf(n)) return leaf(change(Leaf(leaf_of(n))));
    if (const auto at = done.find(n); at != done.end()) return at->second;
    const Inner inner = nodes_[n];
    const Node low = walk(inner.low);
    const Node out = make(inner.variable, low, walk(inner.high));
    done.emplace(n, out);
    return out;
  };
  return walk(f);
}

Node Diagrams::fix(Node f, Variable v, bool set) {
  if (variable(f) > v) return f;
  const Inner inner = nodes_[f];
  if (inner.variable == v) return set ? inner.high : inner.low;
  const std::uint32_t operation = kFix | (static_cast<std::uint32_t>(v) << 5U) | (set ? 16U : 0U);
  {
    const CacheEntry& e = cached(operation, f, f, f);
    if (e.operation == operation && e.a == f && e.b == f && e.c == f) return e.result;
  }
  const Node low = fix(inner.low, v, set);
  const Node out = make(inner.variable, low, fix(inner.high, v, set));
  cached(operation, f, f, f) = {f, f, f, operation, out};
  return out;
}

Node Diagrams::differ(Node a, Node b) {
  std::unordered_map<std::uint64_t, Node> done;
  const std::function<Node(Node, Node)> walk = [&](Node x, Node y) -> Node {
    if (x == y) return no_;
    if (is_leaf(x) && is_leaf(y)) return yes_;
    const std::uint64_t key = std::uint64_t{x} << 32U | y;
    if (const auto at = done.find(key); at != done.end()) return at->second;
    const Variable v = std::min(variable(x), variable(y));
    const Node low = walk(low_if(x, v), low_if(y, v));
    const Node out = make(v, low, walk(high_if(x, v), high_if(y, v)));
    done.emplace(key, out);
    return out;
  };
  return walk(a, b);
}

Node Diagrams::some(Node f, const std::function<bool(Variable)>& kept) {
  std::unordered_map<Node, Node> done;
  const std::function<Node(Node)> walk = [&](Node n) -> Node {
    if (is_leaf(n)) return (leaf_of(n).outcomes & kYes) != 0 ? yes_ : no_;
    if (const auto at = done.find(n); at != done.end()) return at->second;
    const Inner inner = nodes_[n];
    const Node low = walk(inner.low);
    Node out = low;
    if (kept(inner.variable)) {
      out = make(inner.variable, low, walk(inner.high));
    } else if (low != yes_) {
      out = either(low, walk(inner.high));
    }
    done.emplace(n, out);
    return out;
  };
  return walk(f);
}

namespace {

struct Four {
  Node a, b, c, d;
  friend bool operator==(const Four&, const Four&) = default;
};
struct FourHash {
  std::size_t operator()(const Four& t) const { return mix(t.a, t.b, mix(t.c, t.d, 0)); }
};

}  // namespace

bool Diagrams::find(Node a, Node b, Node care, Node link,
                    const std::function<bool(const Leaf&, const Leaf&)>& wanted,
                    std::vector<std::int8_t>& path) {
  std::unordered_set<Four, FourHash> barren;
  path.clear();
  const std::function<bool(Node, Node, Node, Node)> walk = [&](Node x, Node y, Node z, Node w) -> bool {
    if (z == no_ || w == no_ || (x == y && a != b)) return false;
    if (is_leaf(x) && is_leaf(y)) {
      if (!wanted(leaf_of(x), leaf_of(y))) return false;
      if (is_leaf(z) && is_leaf(w)) return true;
    }
    if (!barren.insert({x, y, z, w}).second) return false;
    const Variable v = std::min({variable(x), variable(y), variable(z), variable(w)});
    if (path.size() <= v) path.resize(v + 1U, -1);
    path[v] = 0;
    if (walk(low_if(x, v), low_if(y, v), low_if(z, v), low_if(w, v))) return true;
    path[v] = 1;
    if (walk(high_if(x, v), high_if(y, v), high_if(z, v), high_if(w, v))) return true;
    path[v] = -1;
    return false;
  };
  return walk(a, b, care, link);
}

const Leaf& Diagrams::evaluate(Node f, const std::function<bool(Variable)>& bit) const {
  while (!is_leaf(f)) f = bit(nodes_[f].variable) ? nodes_[f].high : nodes_[f].low;
  return leaf_of(f);
}

std::size_t Diagrams::size_of(Node f) const {
  std::unordered_set<Node> seen;
  std::vector<Node> open = {f};
  while (!open.empty()) {
    const Node n = open.back();
    open.pop_back();
    if (is_leaf(n) || !seen.insert(n).second) continue;
    open.push_back(nodes_[n].low);
    open.push_back(nodes_[n].high);
  }
  return seen.size();
}

}  // namespace gatehouse::fwctl::prove
