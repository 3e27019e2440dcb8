// Connections outlive the policy that let them in: their packets are `established` under any. Those that the
// new one would not let in are forgotten, so that their next packet is judged as a first one, and refused.
#pragma once

#include <string>
#include <vector>

#include "core/result.h"
#include "fwctl/netlink/kernel.h"
#include "site/model/site.h"

namespace gatehouse::fwctl {

struct EndedFlows {
  std::size_t looked_at = 0;
  std::size_t undecided = 0;       // kept: by a rule that cannot be decided, or begun by another connection
  std::vector<std::string> ended;  // "tcp 198.51.100.2:40000 > 10.66.1.10:25"
};

// Of the network namespace that the calling thread is in, under the ruleset that is in force now.
core::Result<EndedFlows> end_forbidden_flows(Kernel& kernel, const site::Site& site);

}  // namespace gatehouse::fwctl
