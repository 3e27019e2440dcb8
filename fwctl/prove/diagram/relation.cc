#include "fwctl/prove/diagram/relation.h"

#include <algorithm>
#include <map>
#include <numeric>

namespace gatehouse::fwctl::prove {
namespace {

struct Piece {
  Wide first, last;
  Node value;
};

Wide ones(std::size_t bits) {
  return bits >= 128 ? ~Wide{0} : (Wide{1} << bits) - 1;
}

// Sorted disjoint pieces of one word as a diagram: the trie of their common prefixes.
class WordBuilder {
 public:
  WordBuilder(Diagrams& d, const Word& word, const std::vector<Piece>& pieces, Node otherwise)
      : d_(d), word_(word), pieces_(pieces), otherwise_(otherwise) {}

  Node build() { return build(0, 0, 0, pieces_.size()); }

 private:
  // Values that begin with the `depth` bits of `prefix`; pieces [from, to) touch them.
  Node build(std::size_t depth, Wide prefix, std::size_t from, std::size_t to) {
    if (from == to) return otherwise_;
    const std::size_t left = word_.size() - depth;
    const Wide top = prefix | ones(left);
    if (to - from == 1 && pieces_[from].first <= prefix && pieces_[from].last >= top)
      return pieces_[from].value;
    const Wide middle = prefix | Wide{1} << (left - 1);  // the first value of the upper half
    const Bit bit = word_[depth];
    const auto lower = [&] { return build(depth + 1, prefix, from, first_from(middle, from, to)); };
    const auto upper = [&] { return build(depth + 1, middle, first_reaching(middle, from, to), to); };
    if (bit.is_constant()) return bit.is_set() ? upper() : lower();
    const Node clear = lower();
    const Node set = upper();
    return bit.turned() ? d_.select(bit.variable(), set, clear) : d_.select(bit.variable(), clear, set);
  }
  // The first piece that begins at `value` or later.
  std::size_t first_from(Wide value, std::size_t from, std::size_t to) const {
    return partition(from, to, [&](const Piece& p) { return p.first < value; });
  }
  // The first piece that reaches `value`.
  std::size_t first_reaching(Wide value, std::size_t from, std::size_t to) const {
    return partition(from, to, [&](const Piece& p) { return p.last < value; });
  }
  template <class Before>
  std::size_t partition(std::size_t from, std::size_t to, Before before) const {
    const auto begin = pieces_.begin();
    return static_cast<std::size_t>(std::partition_point(begin + static_cast<std::ptrdiff_t>(from),
                                                         begin + static_cast<std::ptrdiff_t>(to), before) -
                                    begin);
  }

  Diagrams& d_;
  const Word& word_;
  const std::vector<Piece>& pieces_;
  Node otherwise_;
};

using Rows = std::vector<std::uint32_t>;

class TableBuilder {
 public:
  TableBuilder(Diagrams& d, const std::vector<Word>& key, const Table& table, Node otherwise)
      : d_(d), key_(key), table_(table), otherwise_(otherwise), order_(key.size()) {
    // The diagram's order of variables, so that every select puts its variable on top.
    std::iota(order_.begin(), order_.end(), 0U);
    std::stable_sort(order_.begin(), order_.end(),
                     [&](std::size_t a, std::size_t b) { return top(key[a]) < top(key[b]); });
  }

  Node build() {
    Rows rows(table_.value.size());
    std::iota(rows.begin(), rows.end(), 0U);
    return build(0, rows);
  }

 private:
  static int top(const Word& word) {
    for (const Bit b : word) {
      if (!b.is_constant()) return b.variable();
    }
    return -1;
  }
  Wide first(std::uint32_t row, std::size_t column) const {
    return table_.first[row * table_.columns + column];
  }
  Wide last(std::uint32_t row, std::size_t column) const {
    return table_.last[row * table_.columns + column];
  }

  // `rows` in ascending order.
  Node build(std::size_t depth, std::span<std::uint32_t> rows) {
    if (rows.empty()) return otherwise_;
    if (depth == order_.size()) return table_.value[*std::min_element(rows.begin(), rows.end())];
    const std::size_t column = order_[depth];
    std::sort(rows.begin(), rows.end(), [&](std::uint32_t a, std::uint32_t b) {
      if (first(a, column) != first(b, column)) return first(a, column) < first(b, column);
      if (last(a, column) != last(b, column)) return last(a, column) < last(b, column);
      return a < b;
    });
    std::vector<Piece> pieces;
    if (disjoint_or_equal(rows, column)) {
      for (std::size_t i = 0; i < rows.size();) {
        std::size_t end = i + 1;
        while (end < rows.size() && first(rows[end], column) == first(rows[i], column)) ++end;
        const std::uint32_t row = rows[i];
        add(pieces, first(row, column), last(row, column), build(depth + 1, rows.subspan(i, end - i)));
        i = end;
      }
    } else {
      sweep(depth, column, rows, pieces);
    }
    return WordBuilder(d_, key_[column], pieces, otherwise_).build();
  }

  bool disjoint_or_equal(std::span<const std::uint32_t> rows, std::size_t column) const {
    for (std::size_t i = 1; i < rows.size(); ++i) {
      const bool equal = first(rows[i], column) == first(rows[i - 1], column) &&
                         last(rows[i], column) == last(rows[i - 1], column);
      if (!equal && first(rows[i], column) <= last(rows[i - 1], column)) return false;
    }
    return true;
  }

  static void add(std::vector<Piece>& pieces, Wide low, Wide high, Node value) {
    const bool joins = !pieces.empty() && pieces.back().value == value && pieces.back().last + 1 == low;
    if (joins) {
      pieces.back().last = high;
    } else {
      pieces.push_back({low, high, value});
    }
  }

  // Overlapping ranges: between two neighbouring bounds the same rows are active.
  void sweep(std::size_t depth, std::size_t column, std::span<const std::uint32_t> rows,
             std::vector<Piece>& pieces) {
    std::vector<Wide> bounds;  // where something begins
    for (const std::uint32_t r : rows) {
      bounds.push_back(first(r, column));
      if (last(r, column) != ones(key_[column].size())) bounds.push_back(last(r, column) + 1);
    }
    std::sort(bounds.begin(), bounds.end());
    bounds.erase(std::unique(bounds.begin(), bounds.end()), bounds.end());
    std::map<Rows, Node> seen;
    Rows active;
    std::size_t next = 0;
    for (std::size_t i = 0; i < bounds.size(); ++i) {
      std::erase_if(active, [&](std::uint32_t r) { return last(r, column) < bounds[i]; });
      while (next < rows.size() && first(rows[next], column) == bounds[i]) active.push_back(rows[next++]);
      work_ += active.size() + 1;
      if (work_ > kMostWork) throw TooLarge{};
      if (active.empty()) continue;
      Rows key = active;
      std::sort(key.begin(), key.end());
      auto at = seen.find(key);
      if (at == seen.end()) {
        Rows part = key;
        at = seen.emplace(std::move(key), build(depth + 1, part)).first;
      }
      const Wide high = i + 1 < bounds.size() ? bounds[i + 1] - 1 : ones(key_[column].size());
      add(pieces, bounds[i], high, at->second);
    }
  }

  static constexpr std::size_t kMostWork = 200'000'000;
  Diagrams& d_;
  const std::vector<Word>& key_;
  const Table& table_;
  Node otherwise_;
  std::vector<std::size_t> order_;
  std::size_t work_ = 0;
};

}  // namespace

Node lookup(Diagrams& d, const std::vector<Word>& key, const Table& table, Node otherwise) {
  if (table.value.empty()) return otherwise;
  return TableBuilder(d, key, table, otherwise).build();
}

Node in_range(Diagrams& d, const Word& word, Wide first, Wide last) {
  if (first > last) return d.no();
  return WordBuilder(d, word, {{first, last, d.yes()}}, d.no()).build();
}

}  // namespace gatehouse::fwctl::prove
