// plan, apply: bringing a policy into force.
#include <fmt/format.h>
#include <unistd.h>

#include "core/json.h"
#include "core/log.h"
#include "core/os.h"
#include "core/yaml.h"
#include "fwctl/cli/load.h"
#include "fwctl/cli/verbs.h"
#include "fwctl/compile/compile.h"
#include "fwctl/compile/digest.h"
#include "fwctl/control/admin_path.h"
#include "fwctl/control/change.h"
#include "fwctl/control/control.h"
#include "fwctl/control/end_flows.h"
#include "fwctl/control/plan_file.h"
#include "fwctl/control/tracking.h"
#include "fwctl/control/writer.h"
#include "fwctl/model/build.h"

namespace gatehouse::fwctl::cli {

using core::Args;
using core::Errc;
using core::fail;
using core::JsonWriter;
using core::Result;

namespace {

constexpr std::size_t kMostPolicyBytes = 64U << 20U;

std::string plan_text(const Args& args, const WholePlan& planned) {
  std::string out;
  const std::uint32_t generation = planned.live.generation;
  if (args.json()) {
    JsonWriter json(out);
    json.begin_object().field("generation", generation).field("in_force", !planned.plan.changes_effect());
    std::string part;
    append_plan_json(part, planned.plan);
    json.key("changes").raw(part);
    if (!args.has("--rules-only")) {
      part.clear();
      prove::append_change_json(part, planned.meaning);
      json.key("meaning").raw(part);
    }
    json.end_object();
    return out + '\n';
  }
  if (planned.plan.empty()) return fmt::format("no difference (generation {})\n", generation);
  out = print_plan(planned.plan);
  if (!args.has("--rules-only")) {
    out += planned.meaning.empty() ? "for no packet does it make a difference\n"
                                   : prove::print_change(planned.meaning);
  }
  return out + fmt::format("{} change(s) against generation {}\n", planned.plan.changes.size(), generation);
}

core::Status write_plan_file(const std::string& path, const std::string& site_path, const WholePlan& planned,
                             const KernelTable& wanted) {
  PlanFile file;
  GH_TRY(file.site_text, core::read_file(site_path, kMostPolicyBytes));
  file.site_file = site_path;
  file.digest = digest(wanted);
  file.generation = planned.live.generation;
  file.tables = digests_of(planned.live);
  file.made = core::rfc3339(core::wall_clock_us());
  return core::write_file_atomic(path, file.to_text(), 0600);
}

// What was asked to be brought into force: a site, or a plan that was shown before.
struct Wanted {
  site::Site site;
  std::string site_text;
  std::optional<PlanFile> plan;
  Ruleset ruleset;
  KernelTable table;
};

Result<Wanted> load_wanted(const std::string& path) {
  Wanted out;
  GH_TRY(std::string text, core::read_file(path, kMostPolicyBytes));
  std::string name = path;
  if (is_plan_file(text)) {
    GH_TRY(out.plan, parse_plan_file(core::SourceText(path, std::move(text))));
    text = out.plan->site_text;
    name = out.plan->site_file;
  }
  out.site_text = text;
  GH_TRY(out.site, load_site(core::SourceText(name, std::move(text))));
  GH_TRY(out.ruleset, build_ruleset(out.site));
  out.table = compile(out.ruleset);
  if (out.plan && digest(out.table) != out.plan->digest) {
    return fail(Errc::conflict,
                "the policy in " + path +
                    " compiles to another table than when it was planned (a file that it names "
                    "has changed, or fwctl has); plan again");
  }
  return out;
}

// From the guard's log: who made these generations.
std::string committers(std::uint32_t after, std::uint32_t to) {
  const auto text = core::read_file(state_directory() + "/commits.log", 16U << 20U);
  std::vector<std::string> out;
  for (std::size_t at = 0; text && at < text->size();) {
    const std::size_t end = std::min(text->find('\n', at), text->size());
    core::Diagnostics ignored;
    const auto line = core::parse_yaml(core::SourceText("commits.log", text->substr(at, end - at)), ignored);
    at = end + 1;
    if (!line || line->find("generation") == nullptr) continue;
    const auto generation = core::yaml_uint(*line->find("generation"), 0, 0xffff'ffff, ignored);
    if (!generation || *generation <= after || *generation > to) continue;
    const auto word = [&](const char* key) {
      return line->find(key) == nullptr ? "" : line->find(key)->text;
    };
    out.push_back(fmt::format("{} (pid {}) {}", word("process"), word("pid"), word("command")));
  }
  return out.empty() ? "" : fmt::format("; it was {}", fmt::join(out, ", "));
}

// A plan is for one generation: says what has happened since.
core::Status still_as_planned(Kernel& kernel, const PlanFile& plan) {
  GH_TRY(const std::uint32_t now, kernel.generation());
  if (now == plan.generation) return {};
  GH_TRY(const LiveRuleset live, kernel.read_all());
  const std::vector<std::string> all = differences(plan.tables, digests_of(live));
  return fail(Errc::conflict,
              fmt::format("the plan of {} was made for generation {}, the ruleset is of generation {}: {}; "
                          "nothing was applied{}",
                          plan.made, plan.generation, now,
                          all.empty() ? "somebody committed, and every table does what it did"
                                      : fmt::format("{}", fmt::join(all, ", ")),
                          committers(plan.generation, now)));
}

// The change is in force whether or not old connections could be looked at.
EndedFlows end_flows(Kernel& kernel, const site::Site& site) {
  auto ended = end_forbidden_flows(kernel, site);
  if (ended) return std::move(*ended);
  core::log_warning("connections of before stay: {}", ended.error().to_string());
  return {};
}

std::string report_text(const Args& args, const site::Site& site, const ChangeReport& change,
                        const EndedFlows& flows) {
  const ApplyReport& report = change.applied;
  const bool waits = change.entry && change.entry->state == EntryState::pending;
  std::string out;
  if (args.json()) {
    JsonWriter json(out);
    json.begin_object().field("site", site.name).field("changes", report.changes);
    json.field("generation", report.generation).key("missing_interfaces").begin_array();
    for (const std::string& n : report.missing_interfaces) json.string(n);
    json.end_array();
    if (change.entry) json.field("change", change.entry->id).field("pending", waits);
    json.key("ended_connections").begin_array();
    for (const std::string& f : flows.ended) json.string(f);
    json.end_array();
    json.end_object();
    return out + '\n';
  }
  if (report.changes == 0)
    return fmt::format("{} is in force already (generation {})\n", site.name, report.generation);
  out = fmt::format("{} is in force: {} change(s), generation {}\n", site.name, report.changes,
                    report.generation);
  if (!flows.ended.empty()) {
    out += fmt::format("{} of {} connections are not allowed any more and have ended\n", flows.ended.size(),
                       flows.looked_at);
    for (const std::string& f : flows.ended) {
      if (args.verbose()) out += "  " + f + '\n';
    }
  }
  if (waits) {
    out += fmt::format(
        "change {} is taken back in {} s unless `fwctl confirm` says otherwise, over a new connection\n",
        change.entry->id, (change.entry->deadline_us - boottime_us() + 500'000) / 1'000'000);
  }
  return out;
}

// A journal is kept where there is a directory for it, and made for a change that may have to be taken back.
Result<std::optional<Journal>> journal_for(bool needed) {
  const std::string directory = state_directory();
  if (!needed && access(directory.c_str(), F_OK) != 0) return std::optional<Journal>();
  GH_TRY(Journal out, Journal::open(directory, needed));
  return std::optional<Journal>(std::move(out));
}

core::Status keeps_admin_path(Kernel& kernel, const Wanted& wanted) {
  GH_TRY(const LiveRuleset live, kernel.read_all());
  const LiveRuleset after = with_table(live, wanted.table);
  std::string all;
  for (const Cut& c : cut_paths(wanted.site, after, Session::parse(ssh_connection_in_use())))
    all += "\n  " + c.to_string();
  if (all.empty()) return {};
  return fail(Errc::invalid_input,
              "this would shut the way of administration (--i-know does it all the same):" + all);
}

}  // namespace

Result<int> run_plan(const Args& args) {
  GH_TRY(const Policy policy, load_policy(args));
  warn_missing(missing_interfaces(policy.ruleset));
  GH_TRY(Kernel kernel, Kernel::open());
  const KernelTable wanted = compile(policy.ruleset);
  GH_TRY(const WholePlan planned,
         plan_whole(kernel, policy.site, wanted, interfaces_here(), !args.has("--rules-only")));
  if (args.has("--out"))
    GH_CHECK(write_plan_file(args.value("--out"), args.positional()[0], planned, wanted));
  GH_CHECK(core::print_result(plan_text(args, planned)));
  return planned.plan.empty() ? core::kExitDone : core::kExitNo;
}

Result<int> run_apply(const Args& args) {
  if (args.has("-n")) {
    for (const char* option : {"--expect-generation", "--require-interfaces", "--confirm-within", "--i-know",
                               "--keep-connections"}) {
      if (args.has(option))
        return fail(Errc::invalid_input, fmt::format("-n changes nothing: {} says nothing to it", option));
    }
    return run_plan(args);
  }
  ApplyOptions options;
  options.require_interfaces = args.has("--require-interfaces");
  if (args.has("--expect-generation")) {
    GH_TRY(const std::uint64_t generation, args.uint("--expect-generation", 0, 0, 0xffff'ffff));
    options.expected_generation = static_cast<std::uint32_t>(generation);
  }
  GH_TRY(const std::uint64_t confirm_within_us,
         args.duration_us("--confirm-within", 0, kLeastConfirm_s * 1'000'000, kMostConfirm_s * 1'000'000));
  GH_TRY(const Wanted wanted, load_wanted(args.positional()[0]));
  GH_TRY(Writer writer, open_writer(run_directory()));
  if (wanted.plan) {
    if (options.expected_generation)
      return fail(Errc::invalid_input, "a plan has its generation: --expect-generation is for a policy");
    GH_CHECK(still_as_planned(writer.kernel, *wanted.plan));
    options.expected_generation = wanted.plan->generation;
  }
  const std::vector<std::string> missing = missing_interfaces(wanted.ruleset);
  if (options.require_interfaces && !missing.empty())
    return fail(Errc::not_found, fmt::format("there is no interface {}", fmt::join(missing, ", ")));
  if (!args.has("--i-know")) GH_CHECK(keeps_admin_path(writer.kernel, wanted));
  GH_CHECK(stop_picking_up(wanted.table));
  GH_TRY(const std::optional<Journal> journal, journal_for(confirm_within_us != 0));
  ChangeReport report;
  if (journal) {
    GH_TRY(report, make_change(writer.kernel, *journal,
                               {wanted.site, wanted.table, options, confirm_within_us, run_directory()}));
  } else {
    GH_TRY(report.applied, apply_table(writer.kernel, wanted.table, options));
  }
  report.applied.missing_interfaces = missing;
  warn_missing(missing);
  for (const std::string& n : unchecked_interfaces(wanted.site)) {
    core::log_warning(
        "the card of {} does not check TCP checksums (`ethtool -K {} rx on`): over IPv6 the kernel's SYN "
        "proxy "
        "then drops what it should answer",
        n, n);
  }
  EndedFlows flows;
  if (report.applied.changes != 0 && !args.has("--keep-connections"))
    flows = end_flows(writer.kernel, wanted.site);
  GH_CHECK(core::print_result(report_text(args, wanted.site, report, flows)));
  return core::kExitDone;
}

}  // namespace gatehouse::fwctl::cli
