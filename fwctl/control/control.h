// The steps behind api.h, for the commands that show what lies between them.
#pragma once

#include "core/result.h"
#include "fwctl/api.h"
#include "fwctl/netlink/kernel.h"
#include "fwctl/plan/diff.h"

namespace gatehouse::fwctl {

struct LivePlan {
  LiveState live;
  Plan plan;
};
core::Result<LivePlan> plan_against(Kernel& kernel, const KernelTable& wanted);

// Reads, plans, commits against the generation that was read, reads back.
core::Result<ApplyReport> apply_table(Kernel& kernel, const KernelTable& wanted, const ApplyOptions& options);

std::vector<std::string> missing_interfaces(const Ruleset& ruleset);
std::vector<RuleCount> counts_of(const KernelTable& table);

}  // namespace gatehouse::fwctl
