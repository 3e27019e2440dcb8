// Elements of a kernel's set as rows of a table.
#pragma once

#include <utility>
#include <vector>

#include "fwctl/compile/kernel_table.h"
#include "fwctl/prove/diagram/relation.h"

namespace gatehouse::fwctl::prove {

inline Wide number(const Bytes& bytes, std::size_t from, std::size_t count) {
  Wide out = 0;
  for (std::size_t i = from; i < from + count; ++i) out = out << 8U | (i < bytes.size() ? bytes[i] : 0);
  return out;
}

// The elements of a set, each with its leaf.
template <class Value>
Table rows_of(const KernelSet& set, const std::vector<std::pair<std::size_t, std::size_t>>& cuts,
              Value value) {
  Table out(cuts.size());
  std::vector<Wide> low(cuts.size());
  std::vector<Wide> high(cuts.size());
  for (const KernelElement& e : set.elements) {
    if (e.catch_all) continue;
    for (std::size_t i = 0; i < cuts.size(); ++i) {
      low[i] = number(e.first, cuts[i].first, cuts[i].second);
      high[i] = number(e.last, cuts[i].first, cuts[i].second);
    }
    out.add(low, high, value(e));
  }
  return out;
}

}  // namespace gatehouse::fwctl::prove
