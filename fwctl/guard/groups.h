// Control groups that the policy names, as they come and go.
#pragma once

#include <set>
#include <string>
#include <vector>

#include "fwctl/compile/kernel_table.h"
#include "site/model/site.h"

namespace gatehouse::fwctl {

class GroupWatch {
 public:
  explicit GroupWatch(const site::Site& site);

  // Compares the groups that there are with those that the table asks for. Returns what has become of each
  // that fits no more since the last call, in words.
  std::vector<std::string> look(const KernelTable& desired);
  bool all_fit() const { return told_.empty(); }

 private:
  std::set<std::string> paths_;
  std::set<std::string> told_;  // those that do not fit
};

}  // namespace gatehouse::fwctl
