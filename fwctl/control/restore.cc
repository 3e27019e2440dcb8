#include "fwctl/control/restore.h"

#include <linux/netfilter/nf_tables.h>

#include <algorithm>

#include "fwctl/compile/digest.h"
#include "fwctl/compile/groups.h"
#include "fwctl/journal/journal.h"
#include "fwctl/netlink/image.h"
#include "fwctl/plan/diff.h"

namespace gatehouse::fwctl {
namespace {

constexpr int kAttempts = 20;

// Elements with a time left are only in the kernel's own messages. Our bans come and go without policies, and
// what sources have used of their limits begins anew.
bool holds_times(const KernelTable& table) {
  return std::any_of(table.sets.begin(), table.sets.end(), [](const KernelSet& s) {
    const bool counts = (s.flags & NFT_SET_EVAL) != 0;
    return s.holds_state() && !counts && !s.elements.empty() && s.name != kBanned4 && s.name != kBanned6;
  });
}

// One try on the ruleset as it is now.
core::Status try_once(Kernel& kernel, const RulesetCopy& image, const std::optional<KernelTable>& target) {
  GH_TRY(const LiveState live, kernel.read(std::string(kTableName)));
  if (!target) {
    if (!live.table) return {};
    return kernel.commit(Transaction{std::string(kTableName), {DeleteTable{}}}, live.generation);
  }
  Plan plan = make_plan(live.table ? &*live.table : nullptr, *target);
  if (plan.empty()) return {};
  plan.transaction.table_flags = live.ownership;
  if (holds_times(*target)) return kernel.replace_table(image, live.table.has_value(), live.generation);
  core::Status done = kernel.commit(plan.transaction, live.generation);
  if (done || done.error().code != core::Errc::unsupported) return done;
  // It holds what this version cannot write: the kernel's own messages can.
  return kernel.replace_table(image, live.table.has_value(), live.generation);
}

}  // namespace

core::Status check_groups(const KernelTable& table, const std::string& boot) {
  if (boot == boot_id() || !asks_for_groups(table)) return {};
  return core::fail(
      core::Errc::unsupported,
      "it asks for control groups, and was made before the machine was restarted: apply the policy");
}

core::Status restore(Kernel& kernel, const RulesetCopy& image, const std::string& boot) {
  GH_TRY(const std::optional<KernelTable> target, decode_image(image));
  if (target) GH_CHECK(check_groups(*target, boot));
  core::Status done;
  for (int i = 0; i < kAttempts; ++i) {
    done = try_once(kernel, image, target);
    if (done || done.error().code != core::Errc::conflict) break;
  }
  GH_CHECK(done);
  GH_TRY(const LiveState after, kernel.read(std::string(kTableName)));
  const bool same = target ? after.table && digest(*after.table) == digest(*target) : !after.table;
  if (!same) return core::fail(core::Errc::system, "what is in force is not what was to be restored");
  return {};
}

}  // namespace gatehouse::fwctl
