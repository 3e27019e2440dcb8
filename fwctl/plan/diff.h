// The difference between the table in the kernel and the one the policy asks for, for people and as
// the transaction that removes it.
#pragma once

#include <string>
#include <vector>

#include "fwctl/compile/kernel_table.h"
#include "fwctl/compile/transaction.h"

namespace gatehouse::fwctl {

enum class ChangeKind : std::uint8_t {
  add,       // the policy asks for it, the kernel lacks it
  remove,    // the kernel has it, the policy does not ask for it
  alter,     // both have it, not the same
  annotate,  // the same effect, another comment
};
std::string_view to_string(ChangeKind kind);

struct Change {
  ChangeKind kind = ChangeKind::add;
  std::string where;       // "chain forward", "set zone-networks-v4", "table"
  std::string live;        // what the kernel has; empty for `add`
  std::string wanted;      // what the policy asks for; empty for `remove`
  std::string comment;     // the wanted one's, else the live one's
  core::SourcePos policy;  // the line behind `wanted`
};

struct Plan {
  std::vector<Change> changes;
  Transaction transaction;  // empty exactly when `changes` is

  bool empty() const { return changes.empty(); }
  // False when nothing but comments differ.
  bool changes_effect() const;
};

// `live` is null when the table is not there. What has not changed is not touched: counters
// of unchanged chains go on counting.
Plan make_plan(const KernelTable* live, const KernelTable& wanted);

// "~ chain forward", "- live", "+ wanted" lines.
std::string print_plan(const Plan& plan);
void append_plan_json(std::string& out, const Plan& plan);

}  // namespace gatehouse::fwctl
