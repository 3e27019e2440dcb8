#include "fwctl/control/boot.h"

#include <fmt/format.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <csignal>
#include <cstdio>
#include <cstring>
#include <new>

#include "core/cli.h"
#include "core/log.h"
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

bool base_stands(Kernel& kernel, const std::optional<AdminEntrance>& entrance) {
  const KernelTable base = compile(build_base(entrance));
  Known known;
  known.table = &base;
  known.give_up = [] { return true; };  // elements that the base does not have are not read
  const auto live = kernel.read(std::string(kTableName), known);
  return live && live->table && !make_plan(&*live->table, base).changes_effect();
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
  const auto from =
      std::find_if(entries.begin(), entries.end(), [&](const Entry& e) { return e.id == last->id; });
  GH_CHECK(restore(kernel, image, from == entries.end() ? "" : from->boot));
  return true;
}

namespace {

constexpr int kNoMemory = 100;  // no exit status of ours

// Nothing here may ask for memory.
void end_without_memory() {
  _exit(kNoMemory);
}

int done_by_child(const std::function<core::Result<int>()>& work) {
  std::set_new_handler(end_without_memory);
  const core::Result<int> done = work();
  if (!done) core::log_error("{}", done.error().to_string());
  std::fflush(nullptr);
  return done ? *done : core::kExitNo;
}

}  // namespace

core::Result<int> in_a_child(const std::function<core::Result<int>()>& work) {
  std::fflush(nullptr);
  const pid_t child = fork();
  if (child < 0) {
    core::log_error("no process can be made: {}", std::strerror(errno));
    return core::kExitNo;
  }
  if (child == 0) _exit(done_by_child(work));
  int status = 0;
  while (waitpid(child, &status, 0) < 0) {
    if (errno != EINTR) return core::fail_errno(errno, "wait for a child");
  }
  if (WIFEXITED(status) && WEXITSTATUS(status) != kNoMemory) return WEXITSTATUS(status);
  if (WIFEXITED(status))
    core::log_error("the memory ran out before a policy was in force");
  else if (WTERMSIG(status) == SIGKILL)
    core::log_error("killed before a policy was in force: perhaps the memory ran out (see the kernel's log)");
  else
    core::log_error("ended by signal {} before a policy was in force", WTERMSIG(status));
  return core::kExitNo;
}

}  // namespace gatehouse::fwctl
