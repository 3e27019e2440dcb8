// boot, confirm, rollback, history.
#include <fmt/format.h>

#include <charconv>

#include "core/json.h"
#include "core/log.h"
#include "fwctl/cli/load.h"
#include "fwctl/cli/verbs.h"
#include "fwctl/compile/compile.h"
#include "fwctl/control/admin_path.h"
#include "fwctl/control/boot.h"
#include "fwctl/control/change.h"
#include "fwctl/control/tracking.h"
#include "fwctl/control/writer.h"

namespace gatehouse::fwctl::cli {

using core::Args;
using core::Errc;
using core::fail;
using core::Result;

namespace {

Result<int> tell(const Args& args, const Entry& entry, const std::string& sentence) {
  GH_CHECK(core::print_result(args.json() ? to_json(entry) : sentence + '\n'));
  return core::kExitDone;
}

std::string history_line(const Entry& e) {
  std::string state(to_string(e.state));
  if (e.state == EntryState::pending) {
    const std::int64_t left = (e.deadline_us - boottime_us()) / 1'000'000;
    state = e.overdue(boottime_us(), boot_id()) ? "overdue" : fmt::format("pending, {} s left", left);
  }
  std::string out = fmt::format("{:>4}  {:.19}  {:<12} {} ({} change(s), generation {}) by {}\n", e.id,
                                e.made, state, e.site, e.changes, e.generation, e.by);
  if (!e.why.empty()) out += fmt::format("      {}\n", e.why);
  return out;
}

core::Status to_force(Kernel& kernel, const Policy& policy) {
  const KernelTable table = compile(policy.ruleset);
  GH_CHECK(stop_picking_up(table));
  const auto done = apply_table(kernel, table, {});
  return done ? core::Status() : tl::make_unexpected(done.error());
}

Result<int> tell_boot(const Args& args, const char* in_force, const std::string& sentence, int status) {
  GH_CHECK(
      core::print_result(args.json() ? fmt::format("{{\"in_force\":\"{}\"}}\n", in_force) : sentence + '\n'));
  return status;
}

// What the journal or the policy say, in place of the base; the status is kExitDone when that worked.
Result<int> put_better(const Args& args, Kernel& kernel) {
  const auto journal = Journal::open(state_directory(), false);
  if (journal) {
    const core::Result<bool> last = put_last(kernel, *journal);
    if (last && *last) {
      // A restart has set it back; without it the table is still better than the base.
      const core::Result<LiveState> live = kernel.read(std::string(kTableName));
      const core::Status set = live && live->table ? stop_picking_up(*live->table) : core::Status();
      if (!set) core::log_error("{}", set.error().to_string());
      return tell_boot(args, "last", "what was last in force is in force", core::kExitDone);
    }
    if (!last) core::log_error("the journal does not help: {}", last.error().to_string());
  }
  if (args.positional().empty()) return core::kExitNo;
  const core::Result<Policy> policy = load_policy(args);
  const core::Status done = policy ? to_force(kernel, *policy) : tl::make_unexpected(policy.error());
  if (done) return tell_boot(args, "policy", policy->site.name + " is in force", core::kExitDone);
  core::log_error("{}", done.error().to_string());
  return core::kExitNo;
}

}  // namespace

Result<int> run_boot(const Args& args) {
  std::optional<AdminEntrance> entrance;
  // A mistake here must not keep the base from being put.
  std::optional<core::Error> mistake;
  if (args.has("--entrance")) {
    const auto from = core::IpPrefix::parse(args.value("--entrance"));
    const auto port = args.uint("--entrance-port", 22, 1, 65535);
    if (from && port) entrance = AdminEntrance{*from, static_cast<std::uint16_t>(*port)};
    if (!from) mistake = core::Error{Errc::invalid_input, "--entrance wants an address or a prefix", {}};
    if (!port) mistake = port.error();
  } else if (args.has("--entrance-port")) {
    mistake = core::Error{Errc::invalid_input, "--entrance-port says nothing without --entrance", {}};
  }
  GH_TRY(Kernel kernel, Kernel::open());
  GH_TRY(const bool is_base, put_base(kernel, entrance));
  GH_TRY(const std::uint32_t generation, kernel.generation());
  if (mistake) core::log_error("{}; there is no entrance", mistake->text);
  GH_TRY(const int better, in_a_child([&] { return put_better(args, kernel); }));
  if (better == core::kExitDone) return better;
  // Answers that a child did not read any more lie in the socket that it had from us.
  GH_TRY(Kernel afresh, Kernel::open());
  const auto now = afresh.generation();
  const bool unchanged = now && *now == generation;
  if (is_base ? !base_stands(afresh, entrance) : !unchanged)
    return tell_boot(args, "unknown", "what is in force was committed meanwhile: see `fwctl status`",
                     core::kExitNo);
  if (!is_base) return tell_boot(args, "found", "the table that was there stays in force", core::kExitNo);
  return tell_boot(
      args, "base",
      fmt::format("everything is dropped but neighbour discovery{}", entrance ? " and the entrance" : ""),
      core::kExitNo);
}

Result<int> run_confirm(const Args& args) {
  GH_TRY(const Journal journal, Journal::open(state_directory(), false));
  GH_TRY(const Entry entry, confirm_change(journal, ssh_connection_in_use(), args.has("--same-session")));
  return tell(args, entry, fmt::format("change {} ({}) stays in force", entry.id, entry.site));
}

Result<int> run_rollback(const Args& args) {
  std::optional<std::uint64_t> id;
  if (!args.positional().empty()) {
    const std::string& text = args.positional()[0];
    std::uint64_t value = 0;
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
    if (error != std::errc() || end != text.data() + text.size())
      return fail(Errc::invalid_input, "`" + text + "` is not the number of a change");
    id = value;
  }
  GH_TRY(const Journal journal, Journal::open(state_directory(), false));
  GH_TRY(Writer writer, open_writer(run_directory()));
  GH_TRY(const Entry entry, take_back(writer.kernel, journal, id, "rollback by " + who_asks()));
  return tell(args, entry, fmt::format("change {} ({}) is taken back", entry.id, entry.site));
}

Result<int> run_history(const Args& args) {
  GH_TRY(const Journal journal, Journal::open(state_directory(), false));
  GH_TRY(const std::vector<Entry> entries, journal.entries());
  std::string out;
  if (args.json()) {
    for (const Entry& e : entries) out += to_json(e);
  } else {
    for (const Entry& e : entries) out += history_line(e);
  }
  GH_CHECK(core::print_result(out));
  return core::kExitDone;
}

}  // namespace gatehouse::fwctl::cli
