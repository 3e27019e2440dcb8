#include "site/drill/drill.h"

#include <fmt/format.h>

#include <algorithm>
#include <thread>

#include "core/diag.h"
#include "core/os.h"

namespace gatehouse::drill {
namespace {

// A packet's time stamp may lie a little before the start we noted: the tool starts after we look
// at the clock, so only rounding counts.
constexpr std::int64_t kClockSlackUs = 1'000;

double seconds_between(std::int64_t from_us, std::int64_t to_us) {
  return static_cast<double>(to_us - from_us) / 1e6;
}

bool names(const std::vector<std::string>& list, std::string_view word) {
  return list.empty() || std::find(list.begin(), list.end(), word) != list.end();
}

core::Status check_names(const std::vector<std::string>& given, const std::vector<std::string>& known,
                         std::string_view what) {
  for (const auto& name : given) {
    if (std::find(known.begin(), known.end(), name) != known.end()) continue;
    const std::string hint = core::did_you_mean(name, known);
    return core::fail(core::Errc::not_found,
                      fmt::format("no {} is called `{}`{}{}", what, name, hint.empty() ? "" : "; ", hint));
  }
  return {};
}

core::Result<std::vector<Attack>> choose(const DrillOptions& options) {
  std::vector<std::string> ids;
  std::vector<std::string> controls;
  std::vector<Attack> chosen;
  for (const Attack& attack : all_attacks()) {
    ids.emplace_back(attack.id);
    controls.emplace_back(attack.control);
    if (names(options.only, attack.id) && names(options.controls, attack.control)) chosen.push_back(attack);
  }
  GH_CHECK(check_names(options.only, ids, "attack"));
  GH_CHECK(check_names(options.controls, controls, "safeguard"));
  return chosen;
}

std::string name_of(const Event& event) {
  return event.detector.empty() ? fmt::format("sid {}", event.sid) : event.detector;
}

class Judge {
 public:
  explicit Judge(const Lab& lab) : received_(lab.received_file), ids_(lab.ids_log) {}

  // Looks for the row's event; the SOC's copy also says when it came.
  core::Status look(Row& row, const EventMatch& match, std::int64_t since_us) {
    GH_CHECK(received_.refresh());
    if (const Event* event = received_.first_match(match, since_us - kClockSlackUs)) {
      row.seen = row.reported = true;
      row.seen_by = name_of(*event);
      row.seconds_to_soc = seconds_between(since_us, event->received_us);
      return {};
    }
    if (row.seen) return {};
    GH_CHECK(ids_.refresh());
    if (const Event* event = ids_.first_match(match, since_us - kClockSlackUs)) {
      row.seen = true;
      row.seen_by = name_of(*event);
    }
    return {};
  }

 private:
  EventLog received_;
  EventLog ids_;
};

core::Result<Row> run_attack(const Attack& attack, const Context& context, Judge& judge,
                             std::chrono::seconds report_limit) {
  Row row{attack, {}, std::nullopt, attack.report != nullptr, false, false, "", "", 0, 0};
  const std::int64_t start_us = core::wall_clock_us();
  if (auto outcome = attack.run(context)) {
    row.outcome = std::move(*outcome);
  } else {
    row.error = outcome.error().to_string();
  }
  row.seconds = seconds_between(start_us, core::wall_clock_us());
  if (!row.report_wanted) return row;
  const EventMatch match = attack.report(context);
  row.wanted = match.to_string();
  const std::int64_t deadline_us = core::monotonic_us() + std::chrono::microseconds(report_limit).count();
  for (;;) {
    GH_CHECK(judge.look(row, match, start_us));
    if (row.reported || core::monotonic_us() > deadline_us) return row;
    std::this_thread::sleep_for(std::chrono::milliseconds(50));
  }
}

}  // namespace

std::string Row::problem() const {
  if (error) return "could not be tried: " + *error;
  if (!outcome.held) {
    switch (attack.expect) {
      case Expect::stopped:
        return "not stopped";
      case Expect::works:
        return "does not work";
      case Expect::seen:
        return "did not take place";
    }
  }
  if (report_wanted && !seen) return "not seen: no " + wanted;
  if (report_wanted && !reported) return "seen, not reported to the SOC";
  return {};
}

bool DrillResult::holds() const {
  return !rows.empty() && std::all_of(rows.begin(), rows.end(), [](const Row& row) { return row.holds(); });
}

core::Result<DrillResult> run_drill(const Lab& lab, const site::Site& site, const DrillOptions& options) {
  GH_TRY(const std::vector<Attack> attacks, choose(options));
  if (attacks.empty())
    return core::fail(core::Errc::not_found, "no attack is both of these names and safeguards");
  const Context context(lab, site);
  Judge judge(lab);
  DrillResult result{site.name, core::wall_clock_us(), 0, {}};
  for (const Attack& attack : attacks) {
    GH_TRY(Row row, run_attack(attack, context, judge, options.report_limit));
    if (options.progress) options.progress(row);
    result.rows.push_back(std::move(row));
  }
  result.seconds = seconds_between(result.started_us, core::wall_clock_us());
  return result;
}

}  // namespace gatehouse::drill
