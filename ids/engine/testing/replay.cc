#include "ids/engine/testing/replay.h"

#include "ids/engine/lists.h"
#include "ids/engine/worker.h"

namespace gatehouse::ids::testing {
namespace {

class Collector : public engine::EventSink {
 public:
  explicit Collector(std::vector<nlohmann::json>& events) : events_(events) {}
  void write(engine::EventKind, std::string_view line) override {
    events_.push_back(nlohmann::json::parse(line));
  }
  void flush() override {}
  const std::string& failure() const override { return failure_; }
  std::uint64_t lost() const override { return 0; }

 private:
  std::vector<nlohmann::json>& events_;
  std::string failure_;
};

}  // namespace

std::vector<nlohmann::json> Replay::of_type(std::string_view event_type) const {
  std::vector<nlohmann::json> out;
  for (const nlohmann::json& event : events) {
    if (event["event_type"] == event_type) out.push_back(event);
  }
  return out;
}

std::vector<int> Replay::sids() const {
  std::vector<int> out;
  for (const nlohmann::json& event : of_type("alert")) {
    if (event["alert"]["gid"] == 1) out.push_back(event["alert"]["signature_id"]);
  }
  return out;
}

Replay replay(const std::vector<Frame>& frames, std::string_view rules, std::string_view config) {
  Replay result;
  const core::SourceText config_text("test.yaml", std::string(config));
  engine::SettingsInput input;
  if (!config.empty()) input.config = &config_text;
  const std::optional<engine::Settings> settings = engine::load_settings(input, result.diagnostics);
  if (!settings) return result;
  if (const auto lists = engine::load_lists(*settings, result.diagnostics); !lists) {
    result.diagnostics.error("lists", {}, lists.error().text);
    return result;
  }
  const core::SourceText source("test.rules", std::string(rules));
  RuleList list = check_rules(std::span(&source, 1), settings->environment, result.diagnostics);
  result.diagnostics.attach(source);
  result.rules_failed = list.failed;
  auto compiled = Engine::build(std::move(list), settings->engine);
  if (!compiled) {
    result.diagnostics.error("engine", {}, compiled.error().text);
    return result;
  }
  engine::Output output(1, engine::WhenFull::wait);
  output.add_sink(std::make_unique<Collector>(result.events));
  output.start();
  {
    engine::Worker worker(*settings, *compiled, output.port(0), {});
    std::uint64_t number = 0;
    for (const Frame& frame : frames) worker.on_packet(raw_packet(frame, ++number));
    worker.finish();
  }
  output.stop();
  return result;
}

}  // namespace gatehouse::ids::testing
