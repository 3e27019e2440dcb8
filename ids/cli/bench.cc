// ids bench: how fast a rule set runs over a capture file.
#include <fmt/format.h>

#include "core/json.h"
#include "core/os.h"
#include "ids/capture/frame_batch.h"
#include "ids/capture/pcap_file.h"
#include "ids/cli/load.h"
#include "ids/cli/verbs.h"
#include "ids/engine/worker.h"

namespace gatehouse::ids::cli {
namespace {

using core::Result;

constexpr std::size_t kMostBytes = 2U << 30U;

// The whole capture in memory, so that the disk is not measured.
class Recording : public PacketSink {
 public:
  void on_packet(const RawPacket& packet) override {
    if (batches_.empty() || batches_.back().full()) batches_.emplace_back();
    batches_.back().add(packet);
    ++packets;
    captured += packet.data.size();
    wire += packet.wire_length;
  }
  void replay(PacketSink& sink) const {
    for (const FrameBatch& batch : batches_) batch.deliver(sink);
  }
  std::uint64_t packets = 0, captured = 0, wire = 0;

 private:
  std::vector<FrameBatch> batches_;
};

class CountingSink : public engine::EventSink {
 public:
  void write(engine::EventKind, std::string_view line) override {
    ++lines;
    bytes += line.size();
  }
  void flush() override {}
  const std::string& failure() const override { return failure_; }
  std::uint64_t lost() const override { return 0; }
  std::uint64_t lines = 0, bytes = 0;

 private:
  std::string failure_;
};

struct Measure {
  double seconds = 0, cpu = 0;
  std::uint64_t alerts = 0, events = 0;
};

Measure replay_once(const Recording& recording, const engine::Settings& settings,
                    const engine::RuleSet& rules) {
  engine::Output output(1, engine::WhenFull::wait);
  auto sink = std::make_unique<CountingSink>();
  const CountingSink& counting = *sink;
  output.add_sink(std::move(sink));
  output.start();
  Measure m;
  {
    engine::Worker worker(settings, rules.engine, output.port(0), {});
    const double cpu = core::cpu_seconds();
    const std::int64_t start = core::monotonic_us();
    recording.replay(worker);
    worker.finish();
    m.seconds = static_cast<double>(core::monotonic_us() - start) / 1e6;
    m.cpu = core::cpu_seconds() - cpu;
    engine::StatsSnapshot stats;
    worker.snapshot(stats);
    m.alerts = stats.events.alerts;
  }
  output.stop();
  m.events = counting.lines;
  return m;
}

}  // namespace

Result<int> verb_bench(const core::Args& args) {
  GH_TRY(const Loaded loaded, load_settings(args));
  GH_TRY(const std::uint64_t repeat, args.uint("--repeat", 3, 1, 1000));
  GH_TRY(const std::vector<std::string> paths, rule_paths(args, loaded));
  const double cpu_before = core::cpu_seconds();
  GH_TRY(const engine::RuleSet rules, load_rules(paths, loaded.settings));
  const double start_cpu = core::cpu_seconds() - cpu_before;

  Recording recording;
  GH_TRY(const std::unique_ptr<Source> source, open_pcap_file(args.value("--pcap")));
  for (;;) {
    GH_TRY(const SourceState state, source->dispatch(recording, 4096));
    if (state == SourceState::end) break;
    if (recording.captured > kMostBytes)
      return core::fail(core::Errc::limit, "the capture is larger than the 2 GiB a bench keeps in memory");
  }
  if (recording.packets == 0) return core::fail(core::Errc::invalid_input, "the capture holds no packet");

  Measure best;
  for (std::uint64_t i = 0; i < repeat; ++i) {
    const Measure m = replay_once(recording, loaded.settings, rules);
    if (i == 0 || m.cpu < best.cpu) best = m;
  }
  const double packets = static_cast<double>(recording.packets);
  const double rate = packets / best.seconds;
  const double mbit = static_cast<double>(recording.wire) * 8 / best.seconds / 1e6;
  std::string out;
  if (args.json()) {
    core::JsonWriter json(out);
    json.begin_object();
    json.field("packets", recording.packets).field("bytes", recording.wire).field("rules", rules.loaded);
    json.field("rules_failed", rules.failed).field("repeat", repeat);
    json.field("seconds", best.seconds).field("cpu_seconds", best.cpu).field("start_cpu_seconds", start_cpu);
    json.field("packets_per_second", rate).field("mbit_per_second", mbit);
    json.field("ns_per_packet", best.cpu * 1e9 / packets).field("peak_rss_bytes", core::peak_rss_bytes());
    json.field("alerts", best.alerts).field("events", best.events);
    json.end_object();
    out += '\n';
  } else {
    out = fmt::format(
        "{} packets, {:.1f} MB, {} rules ({} refused); best of {}\n"
        "{:.3f} s, {:.0f} packets/s, {:.1f} Mbit/s\n"
        "CPU {:.3f} s user+system, {:.0f} ns a packet; start-up {:.3f} s before that\n"
        "peak memory {:.1f} MiB (with the capture in it: {:.1f} MiB); {} alerts, {} events\n",
        recording.packets, static_cast<double>(recording.wire) / 1e6, rules.loaded, rules.failed, repeat,
        best.seconds, rate, mbit, best.cpu, best.cpu * 1e9 / packets, start_cpu,
        static_cast<double>(core::peak_rss_bytes()) / 1048576,
        static_cast<double>(recording.captured) / 1048576, best.alerts, best.events);
  }
  GH_CHECK(core::print_result(out));
  return core::kExitDone;
}

}  // namespace gatehouse::ids::cli
