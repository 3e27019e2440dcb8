#include "ids/casetest/run.h"

#include <fmt/format.h>

#include <algorithm>
#include <filesystem>

#include "core/os.h"
#include "ids/engine/run.h"
#include "ids/engine/worker.h"

namespace gatehouse::ids::casetest {
namespace {

using nlohmann::json;
using Verdict = Outcome::Verdict;

constexpr std::int64_t kRulesGid = 1;
constexpr std::size_t kMostShown = 400;  // characters of an event in a message

class Collector : public engine::EventSink {
 public:
  explicit Collector(std::vector<json>& events) : events_(events) {}
  void write(engine::EventKind, std::string_view line) override {
    json event = json::parse(line, nullptr, false);
    if (event.is_discarded()) {
      failure_ = fmt::format("an event is no JSON: {}", line.substr(0, kMostShown));
    } else {
      events_.push_back(std::move(event));
    }
  }
  void flush() override {}
  const std::string& failure() const override { return failure_; }
  std::uint64_t lost() const override { return 0; }

 private:
  std::vector<json>& events_;
  std::string failure_;
};

// The case's folder is the working directory, so that relative names in it, its settings and its
// rules mean files beside it.
class WorkingDirectory {
 public:
  explicit WorkingDirectory(const std::string& directory) : before_(std::filesystem::current_path(error_)) {
    if (!error_) std::filesystem::current_path(directory, error_);
  }
  ~WorkingDirectory() {
    std::error_code ignored;
    std::filesystem::current_path(before_, ignored);
  }
  WorkingDirectory(const WorkingDirectory&) = delete;
  WorkingDirectory& operator=(const WorkingDirectory&) = delete;
  const std::error_code& error() const { return error_; }

 private:
  std::error_code error_;
  std::filesystem::path before_;
};

core::Status play_frames(const Case& test, const engine::Settings& settings, const engine::RuleSet& rules,
                         engine::Output& output) {
  engine::Worker worker(settings, rules.engine, output.port(0), {});
  std::uint64_t number = 0;
  for (const testing::Frame& frame : test.frames) worker.on_packet(testing::raw_packet(frame, ++number));
  worker.finish();
  return {};
}

core::Result<std::vector<json>> events_of(const Case& test, const engine::Settings& settings,
                                          const engine::RuleSet& rules) {
  std::vector<json> events;
  engine::Output output(2, engine::WhenFull::wait);
  output.add_sink(std::make_unique<Collector>(events));
  output.start();
  core::Status status;
  if (test.pcap.empty()) {
    status = play_frames(test, settings, rules, output);
  } else {
    engine::RunSummary summary;
    status = engine::run_file(test.pcap, settings, rules, output, 1, summary);
  }
  output.stop();
  GH_CHECK(status);
  if (!output.failure().empty()) return core::fail(core::Errc::io, output.failure());
  return events;
}

std::string list_of(const std::vector<std::int64_t>& sids) {
  return sids.empty() ? std::string("none") : fmt::format("{}", fmt::join(sids, " "));
}

void judge_alerts(const Case& test, const std::vector<json>& events, Outcome& out) {
  if (!test.alerts) return;
  std::vector<std::int64_t> seen;
  for (const json& event : events) {
    if (event.value("event_type", "") != "alert" || !event.contains("alert")) continue;
    const json& alert = event["alert"];
    if (alert.value("gid", kRulesGid) == kRulesGid)
      seen.push_back(alert.value("signature_id", std::int64_t{0}));
  }
  std::sort(seen.begin(), seen.end());
  if (seen != *test.alerts)
    out.reasons.push_back(fmt::format("alerts: expected {}, got {}", list_of(*test.alerts), list_of(seen)));
}

void judge_checks(const Case& test, const std::vector<json>& events, Outcome& out) {
  for (const Check& check : test.checks) {
    const std::uint64_t count = count_matching(check, events);
    if (count == check.count) continue;
    std::string reason =
        fmt::format("{}: expected {}, got {} of {}", check.where.to_string(), check.count, count, check.text);
    const Nearest near = nearest(check, events);
    if (count < check.count && near.event != nullptr)
      reason += fmt::format("\n  nearest, but not that {}: {}", describe(*near.failed),
                            near.event->dump().substr(0, kMostShown));
    out.reasons.push_back(std::move(reason));
  }
}

void run(const Case& test, Outcome& out) {
  const core::SourceText config("case", test.config);
  engine::SettingsInput input;
  if (!test.config.empty()) input.config = &config;
  std::optional<engine::Settings> settings = engine::load_settings(input, out.diagnostics);
  if (!settings) return out.reasons.push_back("its settings are wrong");
  if (const auto read = engine::load_classifications(*settings, out.diagnostics); !read)
    return out.reasons.push_back(read.error().to_string());
  const auto rules = engine::load_rule_set(test.rules, *settings, out.diagnostics);
  if (!rules) return out.reasons.push_back(rules.error().to_string());
  const auto events = events_of(test, *settings, *rules);
  if (!events) return out.reasons.push_back(events.error().to_string());
  out.events = events->size();
  if (rules->failed != test.refused)
    out.reasons.push_back(fmt::format("rules refused: expected {}, got {}", test.refused, rules->failed));
  judge_alerts(test, *events, out);
  judge_checks(test, *events, out);
  out.verdict = out.reasons.empty() ? Verdict::passed : Verdict::failed;
}

}  // namespace

Outcome run_case(const std::string& directory) {
  Outcome out;
  out.name = directory;
  const WorkingDirectory here(directory);
  if (here.error()) {
    out.reasons.push_back(fmt::format("{}: {}", directory, here.error().message()));
    return out;
  }
  const std::optional<Case> test = load_case(directory, out.diagnostics);
  if (!test) {
    out.reasons.emplace_back("the case itself is wrong");
    return out;
  }
  run(*test, out);
  return out;
}

core::Status write_capture(const Case& test, const std::string& path) {
  const testing::Bytes bytes = testing::pcap_bytes(test.frames);
  return core::write_file_atomic(path, std::string(bytes.begin(), bytes.end()));
}

}  // namespace gatehouse::ids::casetest
