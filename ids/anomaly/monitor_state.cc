// How a Monitor's knowledge goes on in another one (state.h).
#include <utility>

#include "core/log.h"
#include "ids/anomaly/monitor.h"

namespace gatehouse::ids::anomaly {

void Monitor::archive(StateArchive& a) {
  a.section("monitor");
  a.value(next_tick_us_, sound_time);
  log_.archive(a);
  a.section("tables");
  successes_.archive(a);
  victims_.archive(a);
  prefixes_.archive(a);
  tracker_.archive(a);
  for (std::size_t i = 0; i < detectors_.size(); ++i) {
    a.section(names_[i]);
    detectors_[i]->archive(a);
  }
  a.section("end");
}

std::string Monitor::save() {
  if (!restored_.empty()) return restored_;
  if (set_aside_ || next_tick_us_ == INT64_MIN) return {};
  flush();
  std::string body;
  StateArchive archive_(body);
  archive(archive_);
  return state_file({config_.hash_seed, now_us_}, body);
}

std::string Monitor::suspend(std::int64_t now_us) {
  if (next_tick_us_ != INT64_MIN) advance(now_us);
  return save();
}

core::Status Monitor::restore(std::string content) {
  std::string_view body;
  GH_TRY(const StateHead head, read_state_head(content, body));
  if (head.seed != config_.hash_seed)
    return core::fail(core::Errc::invalid_input, "it was made with another anomaly.seed");
  StateArchive check(body, false);
  archive(check);
  if (!check.failed() && !check.at_end()) check.refuse("there is something behind its end");
  if (check.failed()) return core::fail(core::Errc::invalid_input, check.why());
  restored_ = std::move(content);
  restored_us_ = head.time_us;
  wake_us_ = INT64_MIN;
  return {};
}

void Monitor::take_up(std::int64_t now_us) {
  // Clocks of machines differ a little, and packets of two interfaces are not in order.
  constexpr std::int64_t kSlackUs = 1'000'000;
  const std::string content = std::exchange(restored_, {});
  if (now_us + kSlackUs < restored_us_) {
    set_aside_ = true;
    core::log_warning(
        "anomaly.state: what comes is older than the state; it is set aside and stays as it is");
    return;
  }
  std::string_view body;
  if (!read_state_head(content, body)) return;  // it was checked when it came
  StateArchive apply(body, true);
  archive(apply);
  flows_gone_until_us_ = restored_us_ + ContactTracker::kWaitsUs;
}

}  // namespace gatehouse::ids::anomaly
