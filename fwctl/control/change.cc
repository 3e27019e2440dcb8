#include "fwctl/control/change.h"

#include <fmt/format.h>
#include <pwd.h>
#include <unistd.h>

#include <algorithm>

#include "fwctl/compile/digest.h"
#include "fwctl/control/admin_path.h"
#include "fwctl/control/keeper.h"
#include "fwctl/control/restore.h"
#include "fwctl/netlink/image.h"

namespace gatehouse::fwctl {
namespace {

using core::Errc;
using core::fail;

constexpr int kCommitAttempts = 5;

std::string now_text() {
  return core::rfc3339(core::wall_clock_us());
}

const Entry* pending_in(const std::vector<Entry>& entries) {
  for (const Entry& e : entries) {
    if (e.state == EntryState::pending) return &e;
  }
  return nullptr;
}

// Whoever was about to commit is dead, since we hold the lock: the ruleset says whether it still did.
core::Status settle(Kernel& kernel, const Journal& journal, std::vector<Entry>& entries) {
  for (Entry& e : entries) {
    if (e.state != EntryState::applying) continue;
    GH_TRY(const LiveState live, kernel.read(std::string(kTableName)));
    const bool done = live.table && digest(*live.table) == e.digest;
    e.state = done ? EntryState::confirmed : EntryState::failed;
    e.step = next_step(entries);
    e.ended = now_text();
    e.why = done ? "its sender was killed after the commit" : "its sender was killed before the commit";
    GH_CHECK(journal.put(e));
  }
  return {};
}

core::Status end(const Journal& journal, Entry& entry, EntryState state, const std::string& why) {
  GH_TRY(const std::vector<Entry> all, journal.entries());
  entry.state = state;
  entry.step = next_step(all);
  entry.ended = now_text();
  entry.why = why;
  return journal.put(entry);
}

// The caller holds the lock.
core::Result<Entry> restore_before(Kernel& kernel, const Journal& journal, Entry entry,
                                   const std::string& why) {
  GH_TRY(const std::string bytes, journal.image(entry.id, Journal::Image::before));
  GH_TRY(const RulesetCopy image, parse_image(bytes));
  GH_CHECK(restore(kernel, image, entry.boot));
  GH_CHECK(end(journal, entry, EntryState::rolled_back, why));
  return entry;
}

core::Result<Entry> begin_entry(const Journal& journal, const ChangeRequest& request,
                                const std::vector<Entry>& entries) {
  Entry out;
  GH_TRY(out.id, journal.next_id());
  out.step = next_step(entries);
  out.made = now_text();
  out.site = request.site.name;
  out.site_file = request.site.file;
  out.digest = digest(request.wanted);
  out.by = who_asks();
  out.session = ssh_connection_in_use();
  out.network = network_namespace();
  out.boot = boot_id();
  return out;
}

// One try: from reading to the commit, on one generation.
core::Result<ChangeReport> try_change(Kernel& kernel, const Journal& journal, const ChangeRequest& request,
                                      const std::vector<Entry>& entries) {
  GH_TRY(const LivePlan now, plan_against(kernel, request.wanted));
  const auto& expected = request.options.expected_generation;
  if (expected && *expected != now.live.generation) {
    return fail(Errc::conflict, fmt::format("the ruleset is of generation {}, not {}; nothing was applied",
                                            now.live.generation, *expected));
  }
  ChangeReport report;
  report.applied.generation = now.live.generation;
  if (now.plan.empty()) return report;
  GH_TRY(const RulesetCopy before, kernel.copy_table(std::string(kTableName)));
  GH_TRY(const RulesetCopy after, image_of(make_plan(nullptr, request.wanted).transaction));
  GH_TRY(Entry entry, begin_entry(journal, request, entries));
  entry.changes = now.plan.changes.size();
  GH_CHECK(journal.put_image(entry.id, Journal::Image::before, to_bytes(before)));
  GH_CHECK(journal.put_image(entry.id, Journal::Image::after, to_bytes(after)));
  const auto deadline = [&] { return boottime_us() + static_cast<std::int64_t>(request.confirm_within_us); };
  if (request.confirm_within_us != 0) {
    entry.state = EntryState::pending;
    entry.deadline_us = deadline();
  }
  GH_CHECK(journal.put(entry));
  if (request.confirm_within_us != 0) {
    auto keeper = start_keeper(journal, entry.id, request.run_directory);
    if (!keeper) {
      GH_CHECK(end(journal, entry, EntryState::failed, "no process to take it back could be started"));
      return tl::make_unexpected(keeper.error());
    }
    entry.keeper = *keeper;
  }
  ApplyOptions options = request.options;
  options.expected_generation = now.live.generation;
  const core::Result<ApplyReport> applied = apply_table(kernel, request.wanted, options);
  if (!applied) {
    GH_CHECK(end(journal, entry, EntryState::failed, applied.error().text));
    return tl::make_unexpected(applied.error());
  }
  report.applied = *applied;
  entry.generation = applied->generation;
  if (request.confirm_within_us == 0) {
    entry.state = EntryState::confirmed;
    entry.ended = now_text();
  } else {
    entry.deadline_us = deadline();  // from now, not from before the commit
  }
  GH_CHECK(journal.put(entry));
  report.entry = std::move(entry);
  return report;
}

}  // namespace

std::string who_asks() {
  const auto name_of = [](uid_t uid) {
    const passwd* p = getpwuid(uid);
    return p == nullptr ? std::string("uid") : std::string(p->pw_name);
  };
  std::string out = fmt::format("{} (uid {})", name_of(getuid()), getuid());
  if (const char* sudo = std::getenv("SUDO_USER"); sudo != nullptr) out += fmt::format(" for {}", sudo);
  if (const auto session = Session::parse(ssh_connection_in_use()); session)
    out += " by ssh from " + session->client.to_string();
  return out + fmt::format(", pid {}", getpid());
}

core::Result<ChangeReport> make_change(Kernel& kernel, const Journal& journal, const ChangeRequest& request) {
  GH_TRY(const core::UniqueFd lock, journal.lock());
  GH_TRY(std::vector<Entry> entries, journal.entries());
  const Entry* overdue = pending_in(entries);
  if (overdue != nullptr && overdue->overdue(boottime_us(), boot_id())) {
    // Whoever should have taken it back was killed with the one who made it.
    GH_CHECK(
        restore_before(kernel, journal, *overdue, "not confirmed in time; taken back by the next change"));
    GH_TRY(entries, journal.entries());
  }
  if (const Entry* e = pending_in(entries); e != nullptr) {
    return fail(
        Errc::conflict,
        fmt::format("change {} by {} waits for `fwctl confirm` or `fwctl rollback`; nothing was applied",
                    e->id, e->by));
  }
  GH_CHECK(settle(kernel, journal, entries));
  for (int attempt = 1;; ++attempt) {
    core::Result<ChangeReport> report = try_change(kernel, journal, request, entries);
    const bool again = !report && report.error().code == Errc::conflict &&
                       !request.options.expected_generation && attempt < kCommitAttempts;
    if (again) {
      GH_TRY(entries, journal.entries());
      continue;
    }
    if (report && report->entry) GH_CHECK(journal.prune(kEntriesKept));
    return report;
  }
}

core::Result<Entry> confirm_change(const Journal& journal, const std::string& session, bool same_session) {
  GH_TRY(const core::UniqueFd lock, journal.lock());
  GH_TRY(const std::vector<Entry> entries, journal.entries());
  const Entry* pending = pending_in(entries);
  if (pending == nullptr) return fail(Errc::not_found, "no change waits to be confirmed");
  if (pending->overdue(boottime_us(), boot_id()))
    return fail(Errc::conflict, fmt::format("too late: change {} is being taken back", pending->id));
  if (!session.empty() && session == pending->session && !same_session) {
    return fail(
        Errc::conflict,
        "this is the session the change was made in, which stays open under any policy: confirm over a "
        "new connection, or with --same-session");
  }
  Entry out = *pending;
  GH_CHECK(end(journal, out, EntryState::confirmed, "confirmed by " + who_asks()));
  return out;
}

core::Result<Entry> take_back(Kernel& kernel, const Journal& journal, std::optional<std::uint64_t> id,
                              const std::string& why) {
  GH_TRY(const core::UniqueFd lock, journal.lock());
  GH_TRY(std::vector<Entry> entries, journal.entries());
  GH_CHECK(settle(kernel, journal, entries));
  const Entry* newest = nullptr;
  for (const Entry& e : entries) {
    if (e.state == EntryState::pending || e.state == EntryState::confirmed) newest = &e;
  }
  if (newest == nullptr) return fail(Errc::not_found, "the journal has no change to take back");
  if (id && *id != newest->id) {
    return fail(Errc::invalid_input,
                fmt::format("only the newest change that stands can be taken back, which is {}", newest->id));
  }
  return restore_before(kernel, journal, *newest, why);
}

core::Result<bool> take_back_overdue(const OpenKernel& open, const Journal& journal, const std::string& by) {
  std::optional<std::uint64_t> id;
  {
    GH_TRY(const core::UniqueFd lock, journal.lock());
    GH_TRY(const std::vector<Entry> entries, journal.entries());
    const Entry* pending = pending_in(entries);
    if (pending == nullptr || !pending->overdue(boottime_us(), boot_id())) return false;
    id = pending->id;
  }
  // Whoever is second finds it taken back, and take_back() has another one as the newest.
  GH_TRY(Kernel* const kernel, open());
  const core::Result<Entry> done =
      take_back(*kernel, journal, id, "not confirmed in time; taken back by " + by);
  if (!done && done.error().code != Errc::invalid_input && done.error().code != Errc::not_found)
    return tl::make_unexpected(done.error());
  return done.has_value();
}

}  // namespace gatehouse::fwctl
