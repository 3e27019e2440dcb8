// What must come into a set, and what must go.
#pragma once

#include <vector>

#include "fwctl/compile/kernel_table.h"
#include "fwctl/plan/diff.h"

namespace gatehouse::fwctl {

struct ElementDifference {
  KernelSet more, fewer;        // definitions with those elements
  std::vector<Change> changes;  // for people
};

// `before` is sorted as the elements of `wanted` are.
ElementDifference compare_elements(const ElementList& before, const KernelSet& wanted);

}  // namespace gatehouse::fwctl
