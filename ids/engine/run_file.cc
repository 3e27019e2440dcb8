#include <algorithm>
#include <optional>
#include <thread>

#include "core/log.h"
#include "core/os.h"
#include "ids/capture/pcap_file.h"
#include "ids/engine/run.h"
#include "ids/engine/shared_capture.h"
#include "ids/engine/shared_monitor.h"
#include "ids/engine/worker.h"

namespace gatehouse::ids::engine {
namespace {

constexpr unsigned kBatch = 1024;  // frames between two looks at the clock

core::Status read_all(Source& source, PacketSink& sink) {
  for (;;) {
    const core::Result<SourceState> state = source.dispatch(sink, kBatch);
    if (!state) return tl::make_unexpected(state.error());
    if (*state == SourceState::end) return {};
  }
}

core::Status run_spread(Source& source, std::vector<std::unique_ptr<Worker>>& workers,
                        SharedMonitor& monitor) {
  SharedCapture capture(source, workers.size());
  std::vector<std::thread> threads;
  for (std::size_t i = 0; i < workers.size(); ++i) {
    threads.emplace_back([&capture, &worker = *workers[i], &monitor, i] {
      while (const SharedCapture::Batch* batch = capture.next(i)) {
        batch->deliver(i, worker);
        if (batch->stretch_end_us != 0) monitor.close_stretch(i, batch->stretch_end_us);
      }
      monitor.close_stretch(i, std::max<std::int64_t>(capture.last_us(), 1));
      worker.finish();
    });
  }
  for (std::thread& thread : threads) thread.join();
  monitor.finish(0);
  return capture.status();
}

void write_final_stats(const Settings& settings, const RuleSet& rules, OutputPort& port, std::int64_t now_us,
                       const RunSummary& summary) {
  if (!settings.eve.enabled("stats")) return;
  alert::EveWriter writer(settings.eve.options);
  const StatsContext context{summary.elapsed_us / 1'000'000,
                             settings.flow.memcap_bytes,
                             rules.loaded,
                             rules.failed,
                             rules.skipped,
                             0,
                             settings.eve.stats_null_values};
  port.write(EventKind::stats, writer.stats(now_us, [&](core::JsonWriter& json) {
    write_stats(json, summary.stats, context);
  }));
}

}  // namespace

core::Status run_file(const std::string& path, const Settings& settings, const RuleSet& rules, Output& output,
                      unsigned worker_count, RunSummary& summary, FileStore* store) {
  const std::int64_t start = core::monotonic_us();
  GH_TRY(const std::unique_ptr<Source> source, open_pcap_file(path));
  std::vector<std::unique_ptr<Worker>> workers;
  std::optional<SharedMonitor> monitor;
  if (worker_count > 1) {
    monitor.emplace(settings, output.port(worker_count), std::string(), worker_count, nullptr);
    monitor->use(rules.engine);
  }
  for (unsigned i = 0; i < worker_count; ++i) {
    WorkerOptions options;
    options.number = static_cast<std::uint8_t>(i);
    options.store = store;
    options.shared = monitor.has_value();
    if (monitor) options.contacts = monitor->lane(i);
    workers.push_back(std::make_unique<Worker>(settings, rules.engine, output.port(i), std::move(options)));
  }
  core::Status status;
  if (worker_count == 1) {
    status = read_all(*source, *workers[0]);
    workers[0]->finish();
  } else {
    status = run_spread(*source, workers, *monitor);
  }
  summary.stats.capture = source->counters();
  // What was read before the damage has been worked through like any capture.
  if (!status && summary.stats.capture.received != 0) {
    core::log_error("{}", status.error().to_string());
    status = {};
  }
  std::int64_t last_us = 0;
  for (const auto& worker : workers) {
    StatsSnapshot part;
    worker->snapshot(part);
    summary.stats.add(part);
    summary.profile.add(worker->costs());
    last_us = std::max(last_us, worker->last_packet_us());
  }
  if (monitor) monitor->snapshot(summary.stats);
  summary.profile.rank();
  summary.elapsed_us = core::monotonic_us() - start;
  write_final_stats(settings, rules, output.port(worker_count), last_us, summary);
  return status;
}

}  // namespace gatehouse::ids::engine
