// What one kernel transaction shall do, in order: all of it happens or nothing does.
#pragma once

#include <string>
#include <variant>
#include <vector>

#include "fwctl/compile/kernel_table.h"

namespace gatehouse::fwctl {

struct AddTable {};  // no error when it is there; sets its flags to those of the transaction
struct DeleteTable {};
struct AddSet {
  KernelSet set;  // elements are not looked at
};
struct DeleteSet {
  std::string name;
};
struct AddElements {
  KernelSet set;
};
// One key, for a time; there is none like it in the set.
struct AddTimed {
  KernelSet set;  // elements are not looked at
  Bytes key;
  std::uint64_t time_ms = 0;
  std::string comment;
};
struct DeleteElements {
  KernelSet set;
};
struct FlushSet {  // all elements of the set
  std::string name;
};
struct AddChain {
  KernelChain chain;  // rules are not looked at; updates the policy of a chain that is there
};
struct DeleteChain {
  std::string name;
};
struct DeleteRules {  // all rules of the chain
  std::string chain;
};
struct AddRule {
  std::string chain;
  KernelRule rule;
};

using Operation = std::variant<AddTable, DeleteTable, AddSet, DeleteSet, AddElements, AddTimed,
                               DeleteElements, FlushSet, AddChain, DeleteChain, DeleteRules, AddRule>;

struct Transaction {
  std::string table;
  std::vector<Operation> operations;
  std::uint32_t table_flags = 0;  // NFT_TABLE_F_OWNER and persist: they say who may write, and stay

  bool empty() const { return operations.empty(); }
};

}  // namespace gatehouse::fwctl
