#include "fwctl/guard/groups.h"

#include <fmt/format.h>

#include "core/control_group.h"
#include "fwctl/compile/groups.h"

namespace gatehouse::fwctl {

GroupWatch::GroupWatch(const site::Site& site) {
  for (const site::Flow& f : site.flows) {
    if (f.group) paths_.insert(f.group->path);
  }
}

std::vector<std::string> GroupWatch::look(const KernelTable& desired) {
  std::vector<std::string> out;
  if (paths_.empty()) return out;
  const std::set<std::uint64_t> asked = groups_in(desired);
  for (const std::string& path : paths_) {
    const std::vector<std::uint64_t> ids = core::control_group_ids(path);
    if (!ids.empty() && asked.count(ids.back()) != 0) {
      told_.erase(path);
      continue;
    }
    if (!told_.insert(path).second) continue;
    out.push_back(
        ids.empty() ? fmt::format("there is no control group {} now; its flows open nothing", path)
                    : fmt::format("the control group {} is not the one that the ruleset asks for; its flows "
                                  "open nothing until the policy is applied again",
                                  path));
  }
  return out;
}

}  // namespace gatehouse::fwctl
