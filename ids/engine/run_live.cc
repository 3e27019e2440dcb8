// Live capture: one thread per interface and worker, the main thread for signals, reload and stats.
#include <signal.h>
#include <unistd.h>

#include <atomic>
#include <chrono>
#include <condition_variable>
#include <ctime>
#include <filesystem>
#include <mutex>
#include <optional>
#include <thread>

#include "core/cli.h"
#include "core/log.h"
#include "core/os.h"
#include "hardening/api.h"
#include "ids/capture/live.h"
#include "ids/engine/lists.h"
#include "ids/engine/reload.h"
#include "ids/engine/run.h"
#include "ids/engine/shared_monitor.h"
#include "ids/engine/worker.h"

namespace gatehouse::ids::engine {
namespace {

constexpr unsigned kBatch = 256;                // frames between two looks at the control block
constexpr std::size_t kTopRows = 40;            // suspects and victims, each
constexpr std::int64_t kPublishUs = 1'000'000;  // how old the counters of a stats event may be

// What the main thread tells a worker thread, and what it hears back.
class Control {
 public:
  std::atomic<bool> stop{false};
  std::atomic<bool> keep_state{false};  // what the detectors know is to be written now

  void publish_stats(std::size_t worker, const StatsSnapshot& stats) {
    const std::lock_guard lock(mutex_);
    if (stats_.size() <= worker) stats_.resize(worker + 1);
    stats_[worker] = stats;
  }
  StatsSnapshot stats() {
    const std::lock_guard lock(mutex_);
    StatsSnapshot sum;
    for (const StatsSnapshot& part : stats_) sum.add(part);
    return sum;
  }
  // The table of a worker's own detectors, which only its thread may read. Empty: it did not come in time.
  std::string ask_top() {
    std::unique_lock lock(mutex_);
    top_.clear();
    top_wanted_.store(true, std::memory_order_release);
    constexpr auto kWait = std::chrono::seconds(1);
    top_came_.wait_for(lock, kWait, [this] { return !top_.empty(); });
    return std::move(top_);
  }
  bool top_wanted() { return top_wanted_.exchange(false, std::memory_order_acq_rel); }
  void publish_top(std::string top) {
    const std::lock_guard lock(mutex_);
    top_ = std::move(top);
    top_came_.notify_all();
  }
  void fail(core::Error error) {
    const std::lock_guard lock(mutex_);
    if (!failure_) failure_ = std::move(error);
    stop = true;
  }
  std::optional<core::Error> failure() {
    const std::lock_guard lock(mutex_);
    return failure_;
  }

 private:
  std::mutex mutex_;
  std::vector<StatsSnapshot> stats_;
  std::optional<core::Error> failure_;
  std::atomic<bool> top_wanted_{false};
  std::condition_variable top_came_;
  std::string top_;
};

struct Lane {
  std::unique_ptr<Source> source;
  std::unique_ptr<Worker> worker;
};

// The first lane does it for all.
void keep_state(Lane& lane, std::size_t number, Control& control, SharedMonitor* monitor) {
  if (number != 0) return;
  const bool now = control.keep_state.exchange(false);
  if (monitor != nullptr) {
    monitor->keep_state(now);
  } else {
    lane.worker->keep_state(now);
  }
}

void run_lane(Lane& lane, std::size_t number, Control& control, Handover& handover, SharedMonitor* monitor) {
  Handover::Lane rules;
  std::int64_t published_us = 0;
  const auto publish = [&] {
    StatsSnapshot stats;
    lane.worker->snapshot(stats);
    stats.capture = lane.source->counters();
    control.publish_stats(number, stats);
  };
  while (!control.stop) {
    rules.look(
        handover, [&] { return lane.source->counters().kernel_drops; },
        [&](std::shared_ptr<const Engine> engine) { lane.worker->replace(std::move(engine)); });
    if (monitor == nullptr && control.top_wanted()) control.publish_top(lane.worker->top(kTopRows));
    const core::Result<SourceState> state = lane.source->dispatch(*lane.worker, kBatch);
    if (!state) {
      control.fail(state.error());
      break;
    }
    if (*state == SourceState::idle) lane.worker->idle(core::wall_clock_us());
    if (monitor != nullptr) monitor->flush(number, lane.worker->last_packet_us());
    if (const std::int64_t now = core::monotonic_us(); now - published_us >= kPublishUs) {
      published_us = now;
      publish();
      keep_state(lane, number, control, monitor);
    }
  }
  lane.worker->finish();
  if (monitor != nullptr) monitor->flush(number, lane.worker->last_packet_us());
  publish();
}

core::Result<std::vector<Lane>> open_lanes(const LiveRun& run, const Settings& settings, const RuleSet& rules,
                                           Output& output, FileStore* store, SharedMonitor* monitor,
                                           triage::GuardClient* guard) {
  std::vector<Lane> lanes;
  std::uint16_t group = static_cast<std::uint16_t>(getpid());
  for (const std::string& interface : run.interfaces) {
    LiveOptions options;
    options.fanout = run.workers > 1 ? FanoutMode::hash : FanoutMode::none;
    options.fanout_group = group++;
    for (unsigned i = 0; i < run.workers; ++i) {
      Lane lane;
      GH_TRY(lane.source, open_live(interface, options));
      const std::size_t number = lanes.size();
      WorkerOptions worker;
      worker.number = static_cast<std::uint8_t>(number);
      worker.interface = interface;
      worker.store = store;
      worker.shared = monitor != nullptr;
      worker.guard = guard;
      if (monitor != nullptr) worker.contacts = monitor->lane(number);
      lane.worker = std::make_unique<Worker>(settings, rules.engine, output.port(number), std::move(worker));
      lanes.push_back(std::move(lane));
    }
  }
  return lanes;
}

core::Status enter_sandbox(const LiveRun& run, const Settings& settings, const RuleSet& rules) {
  if (!run.sandbox) return {};
  hardening::SandboxSpec spec;
  spec.name = "ids";
  spec.user = run.user;
  for (const std::string& path : rules.files) {
    const std::filesystem::path parent = std::filesystem::absolute(path).parent_path();
    spec.read_only.push_back(parent.string());
  }
  for (const std::string& directory : list_directories(settings)) spec.read_only.push_back(directory);
  for (const std::string& file : {settings.classification_file, settings.threshold_file}) {
    if (!file.empty()) spec.read_only.push_back(std::filesystem::absolute(file).parent_path().string());
  }
  for (const std::string& directory : rules.engine->rules().resources->datasets.save_directories())
    spec.read_write.push_back(directory);
  if (settings.files.store.enabled)
    spec.read_write.push_back(file_store_directory(settings.files.store, run.log_directory));
  if (const std::string& state = settings.anomaly.state_path; !state.empty())
    spec.read_write.push_back(std::filesystem::absolute(state).parent_path().string());
  if (!run.log_directory.empty() && run.log_directory != "-") spec.read_write.push_back(run.log_directory);
  if (!run.spool.empty()) {
    GH_CHECK(core::make_directories(run.spool));
    spec.read_write.push_back(run.spool);
  }
  spec.tcp_connect.emplace();  // none
  spec.tcp_bind.emplace();     // none
  spec.seccomp = "ids";
  GH_TRY(const hardening::SandboxReport report, hardening::sandbox_self(spec));
  core::log_info("{}", report.to_string());
  for (const std::string& lack : report.lacking) core::log_warning("sandbox: {}", lack);
  return {};
}

class LiveStats {
 public:
  LiveStats(const Settings& settings, OutputPort& port)
      : settings_(settings), port_(port), writer_(settings.eve.options) {}

  void write(const StatsSnapshot& stats, const LiveRules& live) {
    if (!settings_.eve.enabled("stats")) return;
    const RuleSet& rules = live.set();
    const StatsContext context{(core::monotonic_us() - start_us_) / 1'000'000,
                               settings_.flow.memcap_bytes,
                               rules.loaded,
                               rules.failed,
                               rules.skipped,
                               live.loaded_us(),
                               settings_.eve.stats_null_values};
    port_.write(EventKind::stats, writer_.stats(core::wall_clock_us(), [&](core::JsonWriter& json) {
      write_stats(json, stats, context);
    }));
  }

 private:
  const Settings& settings_;
  OutputPort& port_;
  alert::EveWriter writer_;
  std::int64_t start_us_ = core::monotonic_us();
};

StatsSnapshot all_stats(Control& control, SharedMonitor* monitor, const triage::GuardClient* guard) {
  StatsSnapshot stats = control.stats();
  if (guard != nullptr) stats.guard = guard->counters();
  if (monitor != nullptr) monitor->snapshot(stats);
  return stats;
}

void serve(const Settings& settings, LiveRules& rules, Output& output, std::size_t lanes, Control& control,
           SharedMonitor* monitor, TopSocket* top, const triage::GuardClient* guard,
           const sigset_t& signals) {
  LiveStats stats(settings, output.port(lanes));
  std::int64_t next_stats_us = core::monotonic_us() + std::int64_t{settings.eve.stats_interval_s} * 1'000'000;
  while (!control.stop) {
    const timespec wait{0, 200'000'000};
    const int signal = sigtimedwait(&signals, nullptr, &wait);
    if (signal == SIGTERM || signal == SIGINT) {
      control.stop = true;
    } else if (signal == SIGHUP) {
      output.request_reopen();
      control.keep_state = true;
      if (rules.reload() && monitor != nullptr) monitor->use(rules.set().engine);
    }
    rules.look();
    if (top != nullptr && top->asked())
      top->answer(monitor != nullptr ? monitor->top(kTopRows) : control.ask_top());
    if (core::monotonic_us() >= next_stats_us) {
      next_stats_us += std::int64_t{settings.eve.stats_interval_s} * 1'000'000;
      stats.write(all_stats(control, monitor, guard), rules);
    }
  }
}

}  // namespace

core::Status run_live(const LiveRun& run, const Settings& settings, RuleSet rules) {
  // Before any thread, so that all of them inherit the mask and only the main thread takes signals.
  sigset_t signals;
  sigemptyset(&signals);
  for (const int signal : {SIGTERM, SIGINT, SIGHUP}) sigaddset(&signals, signal);
  if (pthread_sigmask(SIG_BLOCK, &signals, nullptr) != 0) return core::fail_errno(errno, "block signals");

  const std::size_t lane_count = run.interfaces.size() * run.workers;
  Output output(lane_count + 2, WhenFull::drop);
  if (!run.log_directory.empty()) {
    GH_TRY(std::unique_ptr<EventSink> sink, open_file_sink(run.log_directory));
    output.add_sink(std::move(sink));
  }
  std::unique_ptr<DiskFileStore> store;
  if (settings.files.store.enabled) {
    GH_TRY(store, make_file_store(settings.files.store, run.log_directory, WhenFull::drop));
  }
  const triage::Response& response = settings.triage.response;
  std::unique_ptr<triage::GuardClient> guard;
  if (response.on && response.enforce) guard = std::make_unique<triage::GuardClient>(response.socket);
  triage::GuardClient* const asked = guard.get();
  // One set of detectors, whoever sees the packets.
  std::optional<SharedMonitor> monitor;
  if (lane_count > 1) {
    const std::string where = run.interfaces.size() == 1 ? run.interfaces[0] : "any";
    monitor.emplace(settings, output.port(lane_count + 1), where, lane_count, asked);
    monitor->use(rules.engine);
  }
  SharedMonitor* const shared = monitor ? &*monitor : nullptr;
  GH_TRY(std::vector<Lane> lanes, open_lanes(run, settings, rules, output, store.get(), shared, asked));
  std::unique_ptr<TopSocket> top;
  if (!run.top_socket.empty()) {
    GH_TRY(top, TopSocket::open(run.top_socket));
  }
  LiveRules live(run.rule_paths, settings, std::move(rules), lane_count);
  GH_CHECK(enter_sandbox(run, settings, live.set()));
  // The spool starts a thread of its own, so it comes after the sandbox.
  if (!run.spool.empty()) {
    GH_TRY(std::unique_ptr<EventSink> sink, open_spool_sink(run.spool, run.spool_cap_bytes));
    output.add_sink(std::move(sink));
  }
  output.start();
  if (store != nullptr) store->start();

  Control control;
  std::vector<std::thread> threads;
  for (std::size_t i = 0; i < lanes.size(); ++i)
    threads.emplace_back([&, &lane = lanes[i], i] { run_lane(lane, i, control, live.handover(), shared); });
  core::log_info("ready: {} interface(s), {} worker(s) each, {} rules", run.interfaces.size(), run.workers,
                 live.set().loaded);

  serve(settings, live, output, lane_count, control, shared, top.get(), asked, signals);
  for (std::thread& thread : threads) thread.join();
  if (monitor) monitor->finish(0);
  LiveStats(settings, output.port(lane_count)).write(all_stats(control, shared, asked), live);
  output.stop();
  if (store != nullptr) store->stop();
  const core::Status saved = live.set().engine->rules().resources->datasets.save();
  if (const auto failure = control.failure()) return tl::make_unexpected(*failure);
  if (!output.failure().empty()) return core::fail(core::Errc::io, output.failure());
  GH_CHECK(saved);
  log_hidden(settings, all_stats(control, shared, asked).triage);
  core::log_info("ended: {} packets, {} dropped by the kernel", control.stats().capture.received,
                 control.stats().capture.kernel_drops);
  return {};
}

}  // namespace gatehouse::ids::engine
