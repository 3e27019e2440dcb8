#include "fwctl/api.h"

#include <fmt/format.h>

#include "fwctl/compile/compile.h"
#include "fwctl/control/control.h"
#include "fwctl/control/tracking.h"
#include "fwctl/model/build.h"

namespace gatehouse::fwctl {

using core::Errc;
using core::fail;

core::Result<ApplyReport> apply(const site::Site& site, const ApplyOptions& options) {
  GH_TRY(const Ruleset ruleset, build_ruleset(site));
  const std::vector<std::string> missing = missing_interfaces(ruleset);
  if (options.require_interfaces && !missing.empty()) {
    return fail(Errc::not_found, fmt::format("there is no interface {}", fmt::join(missing, ", ")));
  }
  GH_TRY(Kernel kernel, Kernel::open());
  const KernelTable table = compile(ruleset);
  GH_CHECK(stop_picking_up(table));
  GH_TRY(ApplyReport report, apply_table(kernel, table, options));
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
  if (live.table) out.spoofed = spoofed_in(*live.table);
  if (live.table && answers_handshakes(*live.table)) {
    GH_TRY(const bool loose, picks_up_connections());
    if (loose) out.obstacles.emplace_back(kPicksUp);
  }
  if (wanted) {
    const Plan plan = make_plan(live.table ? &*live.table : nullptr, *wanted);
    out.in_force = !plan.changes_effect() && out.obstacles.empty();
    out.differences = plan.changes.size();
    out.difference_text = print_plan(plan);
  }
  return out;
}

}  // namespace gatehouse::fwctl
