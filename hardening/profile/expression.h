// Conditions on the arguments of one system call, as an immutable tree that is shared freely.
// This is the meaning of a profile: the emitted BPF is tested against evaluate().
#pragma once

#include <array>
#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "core/result.h"

namespace gatehouse::hardening {

using Arguments = std::array<std::uint64_t, 6>;

// One test of one argument. The kernel hands filters all 64 bits of a register, also where the
// call reads only 32: for those the mask leaves the upper half out, or a caller could slip past a
// comparison by setting bits that the kernel then ignores.
struct Comparison {
  enum class Kind : std::uint8_t { masked_equal, at_most };

  unsigned argument = 0;  // 0..5
  Kind kind = Kind::masked_equal;
  std::uint64_t mask = ~std::uint64_t{0};  // masked_equal
  std::uint64_t value = 0;

  bool holds(const Arguments& arguments) const;
  std::string to_string() const;
  friend bool operator==(const Comparison&, const Comparison&) = default;
};

// Comparisons that must all hold; at most one for each argument. Empty: always.
using Conjunction = std::vector<Comparison>;

class Expression {
 public:
  Expression();  // always true
  static Expression compare(Comparison comparison);
  static Expression all_of(std::vector<Expression> parts);  // of none: always true
  static Expression any_of(std::vector<Expression> parts);  // of none: never true

  bool evaluate(const Arguments& arguments) const;
  bool is_always() const;
  std::string to_string() const;
  // Disjunctive form, what BPF rules can say. Refused when it would need more than `limit`
  // conjunctions or two comparisons of one argument in one of them.
  core::Result<std::vector<Conjunction>> alternatives(std::size_t limit) const;

 private:
  struct Node;
  explicit Expression(std::shared_ptr<const Node> node) : node_(std::move(node)) {}
  std::shared_ptr<const Node> node_;
};

}  // namespace gatehouse::hardening
