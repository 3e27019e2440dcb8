#include "fwctl/control.h"

#include <fmt/format.h>
#include <net/if.h>

#include "fwctl/compile/compile.h"
#include "fwctl/model/build.h"

namespace gatehouse::fwctl {

using core::Errc;
using core::fail;

namespace {
constexpr int kCommitAttempts = 5;
}

core::Result<LivePlan> plan_against(Kernel& kernel, const KernelTable& wanted) {
  LivePlan out;
  GH_TRY(out.live, kernel.read(wanted.name));
  out.plan = make_plan(out.live.table ? &*out.live.table : nullptr, wanted);
  return out;
}

std::vector<std::string> missing_interfaces(const Ruleset& ruleset) {
  std::vector<std::string> out;
  for (const auto& [name, where] : ruleset.interfaces) {
    if (if_nametoindex(name.c_str()) == 0) out.push_back(name);
  }
  return out;
}

std::vector<RuleCount> counts_of(const KernelTable& table) {
  std::vector<RuleCount> out;
  for (const KernelChain& c : table.chains) {
    for (const KernelRule& r : c.rules) {
      for (const Expression& e : r.expressions) {
        if (const auto* counter = std::get_if<Counter>(&e))
          out.push_back({c.name, r.comment, counter->packets, counter->bytes});
      }
    }
  }
  return out;
}

core::Result<ApplyReport> apply_table(Kernel& kernel, const KernelTable& wanted,
                                      const ApplyOptions& options) {
  for (int attempt = 1;; ++attempt) {
    GH_TRY(const LivePlan now, plan_against(kernel, wanted));
    if (options.expected_generation && *options.expected_generation != now.live.generation) {
      return fail(Errc::conflict, fmt::format("the ruleset is of generation {}, not {}; nothing was applied",
                                              now.live.generation, *options.expected_generation));
    }
    ApplyReport report;
    report.changes = now.plan.changes.size();
    report.generation = now.live.generation;
    if (now.plan.empty()) return report;
    const core::Status done = kernel.commit(now.plan.transaction, now.live.generation);
    if (!done) {
      // Somebody else committed between our reading and our commit: plan again on what is there now,
      // unless the caller's consent was to one generation only.
      const bool again =
          done.error().code == Errc::conflict && !options.expected_generation && attempt < kCommitAttempts;
      if (again) continue;
      return tl::make_unexpected(done.error());
    }
    GH_TRY(const LivePlan after, plan_against(kernel, wanted));
    if (!after.plan.empty()) {
      return fail(Errc::system, "in force is not what was sent (changed by somebody else, or truncated):\n" +
                                    print_plan(after.plan));
    }
    report.generation = after.live.generation;
    return report;
  }
}

core::Result<ApplyReport> apply(const site::Site& site, const ApplyOptions& options) {
  GH_TRY(const Ruleset ruleset, build_ruleset(site));
  const std::vector<std::string> missing = missing_interfaces(ruleset);
  if (options.require_interfaces && !missing.empty()) {
    return fail(Errc::not_found, fmt::format("there is no interface {}", fmt::join(missing, ", ")));
  }
  GH_TRY(Kernel kernel, Kernel::open());
  GH_TRY(ApplyReport report, apply_table(kernel, compile(ruleset), options));
  report.missing_interfaces = missing;
  return report;
}

core::Result<StatusReport> status(const site::Site* site) {
  std::optional<KernelTable> wanted;
  if (site != nullptr) {
    GH_TRY(const Ruleset ruleset, build_ruleset(*site));
    wanted = compile(ruleset);
  }
  GH_TRY(Kernel kernel, Kernel::open());
  GH_TRY(const LiveState live, kernel.read(std::string(kTableName)));
  StatusReport out;
  out.present = live.table.has_value();
  out.generation = live.generation;
  out.other_tables = live.other_tables;
  if (live.table) out.counts = counts_of(*live.table);
  if (wanted) {
    const Plan plan = make_plan(live.table ? &*live.table : nullptr, *wanted);
    out.in_force = !plan.changes_effect();
    out.differences = plan.changes.size();
    out.difference_text = print_plan(plan);
  }
  return out;
}

}  // namespace gatehouse::fwctl
