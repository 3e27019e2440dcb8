#include "fwctl/control/control.h"

#include <fmt/format.h>
#include <linux/netfilter.h>
#include <net/if.h>
#include <unistd.h>

#include <algorithm>

#include "fwctl/netlink/watch.h"

namespace gatehouse::fwctl {

using core::Errc;
using core::fail;

namespace {
constexpr int kCommitAttempts = 5;
constexpr int kReadings = 5;
constexpr unsigned kBetweenReadings_us = 50'000;
}  // namespace

core::Result<LivePlan> plan_against(Kernel& kernel, const KernelTable& wanted) {
  LivePlan out;
  GH_TRY(out.live, kernel.read(wanted.name));
  out.plan = make_plan(out.live.table ? &*out.live.table : nullptr, wanted);
  out.plan.transaction.table_flags = out.live.ownership;
  return out;
}

namespace {

bool is_ours(const LiveTable& t, const std::string& name) {
  return t.family == NFPROTO_INET && t.table.name == name;
}

}  // namespace

LiveRuleset with_table(const LiveRuleset& ruleset, const KernelTable& table) {
  LiveRuleset out = ruleset;
  const auto at = std::find_if(out.tables.begin(), out.tables.end(),
                               [&](const LiveTable& t) { return is_ours(t, table.name); });
  if (at != out.tables.end()) {
    at->table = table;
  } else {
    out.tables.emplace_back();
    out.tables.back().family = NFPROTO_INET;
    out.tables.back().table = table;
  }
  return out;
}

core::Result<WholePlan> plan_whole(Kernel& kernel, const site::Site& site, const KernelTable& wanted,
                                   const prove::Interfaces& interfaces, bool with_meaning) {
  WholePlan out;
  GH_TRY(out.live, kernel.read_all());
  const auto at = std::find_if(out.live.tables.begin(), out.live.tables.end(),
                               [&](const LiveTable& t) { return is_ours(t, wanted.name); });
  out.plan = make_plan(at == out.live.tables.end() ? nullptr : &at->table, wanted);
  out.after = with_table(out.live, wanted);
  if (with_meaning) out.meaning = prove::compare(site, out.live, out.after, interfaces);
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

SpoofedCount spoofed_in(const KernelTable& table) {
  SpoofedCount out;
  const auto packets = [](const KernelRule& r) {
    for (const Expression& e : r.expressions) {
      if (const auto* counter = std::get_if<Counter>(&e)) return counter->packets;
    }
    return std::uint64_t{0};
  };
  for (const KernelChain& c : table.chains) {
    if (!c.base || c.base->type != "filter" || c.base->hook != NF_INET_PRE_ROUTING || c.rules.empty())
      continue;
    for (const KernelRule& r : c.rules) {
      const bool asks_route =
          std::any_of(r.expressions.begin(), r.expressions.end(),
                      [](const Expression& e) { return std::holds_alternative<LoadFib>(e); });
      if (asks_route) out.no_route_back += packets(r);
    }
    out.not_its_place += packets(c.rules.back());
  }
  return out;
}

namespace {

// Those who committed while we read and planned; the kernel names them to whoever listened.
std::string others(core::Result<RulesetWatch>& watch, const Kernel& kernel) {
  std::vector<std::string> names;
  if (watch) {
    for (const Commit& c : watch->drain()) {
      if (c.port != kernel.port() && (names.empty() || names.back() != c.who())) names.push_back(c.who());
    }
  }
  return names.empty() ? "" : fmt::format("; it was {}", fmt::join(names, ", "));
}

// The table after our commit. That it was acknowledged says that every message was taken; what remains is a
// message that was cut short, which the count of its set shows, and somebody else, whom the generation shows:
// then, and where the kernel does not count, everything is read.
core::Result<LivePlan> read_back(Kernel& kernel, const KernelTable& wanted, std::uint32_t planned_on) {
  Known known{&wanted};
  known.only_counted = true;
  LivePlan out;
  GH_TRY(out.live, kernel.read(wanted.name, known));
  if (out.live.generation != planned_on + 1) return plan_against(kernel, wanted);
  out.plan = make_plan(out.live.table ? &*out.live.table : nullptr, wanted);
  return out;
}

}  // namespace

core::Result<ApplyReport> apply_table(Kernel& kernel, const KernelTable& wanted,
                                      const ApplyOptions& options) {
  for (const KernelSet& s : wanted.sets) {
    // The kernel takes the start of a range inside another, and makes something else of both.
    if (s.holds_ranges() && !s.elements.disjoint())
      return fail(Errc::system, "ranges of the set " + s.name + " overlap; nothing was applied");
  }
  core::Result<RulesetWatch> watch = RulesetWatch::open(wanted.name);
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
    // An event of each of 100,000 elements costs as much as the elements.
    if (watch) watch->listen(false);
    const core::Status done = kernel.commit(now.plan.transaction, now.live.generation);
    if (watch) watch->listen(true);
    if (!done) {
      // Somebody else committed between our reading and our commit: plan again on what is there now,
      // unless the caller's consent was to one generation only.
      const bool again =
          done.error().code == Errc::conflict && !options.expected_generation && attempt < kCommitAttempts;
      if (again) continue;
      core::Error error = done.error();
      if (error.code == Errc::conflict) error.text += others(watch, kernel);
      return tl::make_unexpected(std::move(error));
    }
    GH_TRY(LivePlan after, read_back(kernel, wanted, now.live.generation));
    // A hash set that the kernel enlarges in the background reads wrong until that is done.
    for (int i = 0; i < kReadings && !after.plan.empty(); ++i) {
      usleep(kBetweenReadings_us);
      GH_TRY(after, plan_against(kernel, wanted));
    }
    if (!after.plan.empty()) {
      return fail(Errc::system, "in force is not what was sent (changed by somebody else, or truncated" +
                                    others(watch, kernel) + "):\n" + print_plan(after.plan));
    }
    report.generation = after.live.generation;
    return report;
  }
}

}  // namespace gatehouse::fwctl
