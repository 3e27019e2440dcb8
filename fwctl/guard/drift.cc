#include "fwctl/guard/drift.h"

#include <fmt/format.h>

#include "core/log.h"

namespace gatehouse::fwctl {
namespace {

using core::Errc;

constexpr std::int64_t kAgain_us = 100'000;
// What was found by events is compared with all that is in the kernel, this much later.
constexpr std::int64_t kAllAfter_us = 3'000'000;
constexpr int kMostPutOff = 20;
// The kernel shows a generation before it tells of its commit.
constexpr int kEventComes_ms = 5;
constexpr int kLooks = 5;

}  // namespace

void DriftWatch::take_commits(bool lent) {
  const std::int64_t seen_us = core::monotonic_us();
  hear(lent);
  unhurried_ = false;
  if (!culprits_.empty()) check(lent, seen_us);
}

void DriftWatch::hear(bool lent) {
  for (const Commit& c : watch_.drain()) {
    const bool own = c.port == p_.keeper.writer().port() && !c.lost && !lent;
    p_.keeper.told(c, own);
    if (own) continue;
    if (c.lost) ++p_.counters.lost_events;
    ++p_.counters.commits_of_others;
    const std::string command = command_of(c.pid);
    p_.report.commit(c, command);
    culprits_.push_back(c.who() + (command.empty() ? "" : ": " + command));
  }
}

void DriftWatch::look_again() {
  p_.keeper.forget();
  again_ = true;
}

void DriftWatch::tick(bool lent) {
  const std::int64_t now = core::monotonic_us();
  if (lent) return;
  if (all_at_us_ != 0 && now > all_at_us_) again_ = unhurried_ = true;
  if (again_ && now - looked_us_ > kAgain_us) check(lent, now);
}

core::Result<std::optional<TableKeeper::Drift>> DriftWatch::look(bool lent) {
  using Reading = TableKeeper::Reading;
  if (unhurried_) {
    unhurried_ = false;
    if (put_off_ == kMostPutOff) return p_.keeper.look(Reading::all);
    return p_.keeper.look(Reading::all, [&] { return watch_.wait(0); });
  }
  for (int i = 0; i < kLooks; ++i) {
    GH_TRY(std::optional<TableKeeper::Drift> drift, p_.keeper.look(Reading::told));
    if (drift) return drift;
    (void)watch_.wait(kEventComes_ms);
    hear(lent);
  }
  return p_.keeper.look(Reading::all);
}

void DriftWatch::check(bool lent, std::int64_t seen_us) {
  again_ = true;
  looked_us_ = core::monotonic_us();
  const core::UniqueFd lock = lent ? core::UniqueFd() : p_.keeper.journal().try_lock();
  if (!lock.valid()) return culprits_.clear();  // a change is being made: look when it is done
  again_ = false;
  if (const auto done = p_.keeper.reload(); !done) core::log_error("{}", done.error().to_string());
  const auto looked = look(lent);
  if (looked && !*looked) {
    all_at_us_ = core::monotonic_us() + kAllAfter_us;
    ++put_off_;
    return;
  }
  const std::string culprit = culprits_.empty() ? "somebody" : fmt::format("{}", fmt::join(culprits_, "; "));
  culprits_.clear();
  if (!looked) return core::log_error("{}", looked.error().to_string());
  const std::optional<TableKeeper::Drift>& drift = *looked;
  if (drift->all_was_read) {
    all_at_us_ = 0;
    put_off_ = 0;
  } else if (all_at_us_ == 0) {
    all_at_us_ = core::monotonic_us() + kAllAfter_us;
  }
  p_.counters.generation = drift->live.generation;
  p_.counters.in_force = !drift->plan.changes_effect();
  for (const std::string& t : drift->new_tables) foreign_table(t, culprit);
  if (!drift->plan.changes_effect()) return;
  ++p_.counters.drifts;
  p_.report.event("drift",
                  fmt::format("the ruleset is not what {} brought; changed by {}\n{}",
                              p_.keeper.desired_name(), culprit, print_plan(drift->plan)),
                  {{"by", culprit}, {"changes", std::to_string(drift->plan.changes.size())}});
  if (p_.policy.repair) repair(*drift, seen_us);
}

void DriftWatch::repair(const TableKeeper::Drift& drift, std::int64_t seen_us) {
  core::Status done = p_.keeper.repair(drift);
  // Somebody has come between: compared and made right at once.
  if (!done && done.error().code == Errc::conflict) done = p_.keeper.repair();
  if (!done) {
    ++p_.counters.failed_repairs;
    p_.report.event("repair-failed", "the ruleset cannot be repaired: " + done.error().to_string(), {});
    again_ = true;
    return;
  }
  p_.counters.last_repair_us = static_cast<std::uint64_t>(core::monotonic_us() - seen_us);
  p_.counters.in_force = true;
  ++p_.counters.repairs;
  p_.report.event("repaired",
                  fmt::format("the ruleset is {} again, after {:.1f} ms", p_.keeper.desired_name(),
                              static_cast<double>(p_.counters.last_repair_us) / 1e3),
                  {});
}

void DriftWatch::foreign_table(const std::string& name, const std::string& culprit) {
  ++p_.counters.new_tables;
  p_.report.event("foreign-table", fmt::format("the table {} has appeared; by {}", name, culprit),
                  {{"table", name}});
  const core::Status done = p_.policy.remove_tables ? p_.keeper.delete_table(name) : core::Status();
  if (!done) p_.report.event("repair-failed", "it cannot be removed: " + done.error().to_string(), {});
  if (!p_.policy.remove_tables || !done) p_.keeper.accept_tables({name});  // told once
}

}  // namespace gatehouse::fwctl
