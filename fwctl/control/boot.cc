#include "fwctl/control/boot.h"

#include <fmt/format.h>

#include "fwctl/compile/compile.h"
#include "fwctl/control/change.h"
#include "fwctl/control/restore.h"
#include "fwctl/netlink/image.h"
#include "fwctl/plan/diff.h"

namespace gatehouse::fwctl {

core::Result<bool> put_base(Kernel& kernel, const std::optional<AdminEntrance>& entrance) {
  GH_TRY(const LiveState live, kernel.read(std::string(kTableName)));
  if (live.table) return false;
  const KernelTable base = compile(build_base(entrance));
  GH_CHECK(kernel.commit(make_plan(nullptr, base).transaction, std::nullopt));
  return true;
}

core::Result<bool> put_last(Kernel& kernel, const Journal& journal) {
  GH_TRY(const core::UniqueFd lock, journal.lock());
  GH_TRY(std::vector<Entry> entries, journal.entries());
  for (Entry& e : entries) {
    const bool lost = e.state == EntryState::pending && e.overdue(boottime_us(), boot_id());
    if (!lost && e.state != EntryState::applying) continue;
    // The table of before is put below, as that of the last entry that stands.
    e.state = lost ? EntryState::rolled_back : EntryState::failed;
    e.step = next_step(entries);
    e.ended = core::rfc3339(core::wall_clock_us());
    e.why = lost ? "not confirmed before the machine was restarted"
                 : "the machine was restarted while it was made";
    GH_CHECK(journal.put(e));
  }
  const std::optional<Standing> last = standing(entries, "");
  if (!last) return false;
  GH_TRY(const std::string bytes, journal.image(last->id, last->image));
  GH_TRY(const RulesetCopy image, parse_image(bytes));
  // What was before the first change of all was no table: the base is better than that.
  if (image.messages.empty()) return false;
  GH_CHECK(restore(kernel, image));
  return true;
}

}  // namespace gatehouse::fwctl
