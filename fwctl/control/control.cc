#include "fwctl/control/control.h"

#include <fmt/format.h>
#include <net/if.h>
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

}  // namespace gatehouse::fwctl
