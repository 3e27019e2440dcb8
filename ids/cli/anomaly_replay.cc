// ids anomaly replay: the detectors alone over a capture, at any speed, from a saved state and into it.
#include <charconv>
#include <chrono>
#include <thread>

#include "ids/capture/pcap_file.h"
#include "ids/cli/load.h"
#include "ids/cli/verbs.h"
#include "ids/engine/detections.h"
#include "ids/engine/worker.h"

namespace gatehouse::ids::cli {
namespace {

using core::Errc;
using core::fail;
using core::Result;

// Hands packets on when their time has come: `speed` times as fast as they came; 0: at once.
class Pace : public PacketSink {
 public:
  Pace(PacketSink& to, double speed) : to_(to), speed_(speed) {}

  void on_packet(const RawPacket& packet) override {
    if (speed_ > 0) wait(packet.time_us);
    to_.on_packet(packet);
  }

 private:
  void wait(std::int64_t time_us) {
    if (first_us_ == 0) {
      first_us_ = time_us;
      start_us_ = core::monotonic_us();
    }
    const auto due = static_cast<std::int64_t>(static_cast<double>(time_us - first_us_) / speed_);
    const std::int64_t left = start_us_ + due - core::monotonic_us();
    if (left > 0) std::this_thread::sleep_for(std::chrono::microseconds(left));
  }
  PacketSink& to_;
  double speed_;
  std::int64_t first_us_ = 0, start_us_ = 0;
};

Result<double> speed_of(const core::Args& args) {
  const std::string text = args.value("--speed", "0");
  double speed = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), speed);
  constexpr double kMost = 1e6;
  if (error != std::errc{} || end != text.data() + text.size() || !(speed >= 0 && speed <= kMost))
    return fail(Errc::invalid_input,
                "--speed takes a factor from 0 (at once) to 1000000, not `" + text + "`");
  return speed;
}

}  // namespace

Result<int> verb_anomaly_replay(const core::Args& args) {
  GH_TRY(Loaded loaded, load_settings(args));
  GH_TRY(const double speed, speed_of(args));
  loaded.settings.eve.types = {{"alert", true}};
  GH_TRY(const std::unique_ptr<Source> source, open_pcap_file(args.value("--pcap")));
  GH_TRY(std::unique_ptr<engine::EventSink> sink, engine::open_file_sink(args.value("--log-dir", "-")));
  // Rules of generator 900 say how detections are told; the others have nothing to do here.
  GH_TRY(const std::vector<std::string> paths, rule_paths(args, loaded));
  GH_TRY(const engine::RuleSet rules, load_rules(paths, loaded.settings));
  GH_TRY(const engine::RuleSet none, load_rules({}, loaded.settings));
  engine::Output output(1, engine::WhenFull::wait);
  output.add_sink(std::move(sink));
  output.start();
  core::Status status;
  {
    engine::WorkerOptions options;
    options.paced = speed > 0;
    engine::Worker worker(loaded.settings, none.engine, output.port(0), std::move(options));
    worker.use_detection_rules(rules.engine);
    Pace pace(worker, speed);
    // Slowly, each packet has its moment; at once, many at a time are cheaper.
    const unsigned batch = speed > 0 ? 1 : 1024;
    for (;;) {
      const Result<SourceState> state = source->dispatch(pace, batch);
      if (!state) status = tl::make_unexpected(state.error());
      if (!state || *state == SourceState::end) break;
    }
    worker.finish();
    engine::StatsSnapshot stats;
    worker.snapshot(stats);
    engine::log_hidden(loaded.settings, stats.triage);
  }
  output.stop();
  if (!output.failure().empty()) return fail(Errc::io, output.failure());
  GH_CHECK(status);
  return core::kExitDone;
}

}  // namespace gatehouse::ids::cli
