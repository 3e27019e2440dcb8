// Sets, maps and concatenations as diagrams.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "fwctl/prove/diagram/diagram.h"

namespace gatehouse::fwctl::prove {

__extension__ using Wide = unsigned __int128;  // a field of up to 16 bytes, as a number

// One bit of a value that a ruleset computes: a constant, or a variable as it is or turned round.
class Bit {
 public:
  static Bit constant(bool set) { return Bit(set ? 1 : 0); }
  static Bit of(Variable v) { return Bit(2 + 2 * static_cast<std::int32_t>(v)); }
  // Not known, and why.
  static Bit unknown(Reason why) { return Bit(-1 - static_cast<std::int32_t>(why)); }
  Bit() = default;

  bool is_constant() const { return code_ == 0 || code_ == 1; }
  bool is_set() const { return code_ == 1; }
  bool is_unknown() const { return code_ < 0; }
  Reason why() const { return static_cast<Reason>(-1 - code_); }
  Variable variable() const { return static_cast<Variable>((code_ - 2) / 2); }
  bool turned() const { return (code_ & 1) != 0; }
  Bit operator!() const { return is_unknown() ? *this : Bit(code_ ^ 1); }

  friend bool operator==(const Bit&, const Bit&) = default;

 private:
  explicit Bit(std::int32_t code) : code_(code) {}
  std::int32_t code_ = 0;
};

// Most significant bit first.
using Word = std::vector<Bit>;

// A table of boxes: row r covers first..last in every column and has a value. Of rows that overlap the
// earlier one counts.
struct Table {
  explicit Table(std::size_t column_count) : columns(column_count) {}
  std::size_t columns;
  std::vector<Wide> first, last;  // row by row
  std::vector<Node> value;

  void add(std::span<const Wide> low, std::span<const Wide> high, Node v) {
    first.insert(first.end(), low.begin(), low.end());
    last.insert(last.end(), high.begin(), high.end());
    value.push_back(v);
  }
};

// The value of the row that holds `key`, else `otherwise`. Every bit of `key` is known. Quick when the
// words, and the variables in each, come in ascending order; right in any.
Node lookup(Diagrams& d, const std::vector<Word>& key, const Table& table, Node otherwise);

// first <= word <= last.
Node in_range(Diagrams& d, const Word& word, Wide first, Wide last);

}  // namespace gatehouse::fwctl::prove
