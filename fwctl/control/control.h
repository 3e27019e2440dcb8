// The steps behind api.h, for the commands that show what lies between them.
#pragma once

#include "core/result.h"
#include "fwctl/api.h"
#include "fwctl/netlink/kernel.h"
#include "fwctl/plan/diff.h"
#include "fwctl/prove/change.h"

namespace gatehouse::fwctl {

struct LivePlan {
  LiveState live;
  Plan plan;
};
core::Result<LivePlan> plan_against(Kernel& kernel, const KernelTable& wanted);

// What would change and what that means, over all tables, in one picture of the ruleset.
struct WholePlan {
  LiveRuleset live;
  LiveRuleset after;
  Plan plan;
  prove::Change meaning;  // its traces point into `live` and `after`
};
core::Result<WholePlan> plan_whole(Kernel& kernel, const site::Site& site, const KernelTable& wanted,
                                   const prove::Interfaces& interfaces, bool with_meaning);
// The ruleset with `table` in place of the one of its name.
LiveRuleset with_table(const LiveRuleset& ruleset, const KernelTable& table);

// Reads, plans, commits against the generation that was read, reads back.
core::Result<ApplyReport> apply_table(Kernel& kernel, const KernelTable& wanted, const ApplyOptions& options);

std::vector<std::string> missing_interfaces(const Ruleset& ruleset);
std::vector<RuleCount> counts_of(const KernelTable& table);
// Of a table made by us: what its filter of prerouting refuses because of the route back, and at its end.
SpoofedCount spoofed_in(const KernelTable& table);

}  // namespace gatehouse::fwctl
