// One Monitor for several workers: a scan that is spread over them is still one scan. Each worker keeps what
// it observes in a lane of its own; of a capture file the lanes are put together again in the order of
// packets, so that the events are those of a single worker; live, a lane is emptied whenever its worker
// pauses.
#pragma once

#include <condition_variable>
#include <memory>
#include <mutex>
#include <thread>
#include <vector>

#include "ids/anomaly/monitor.h"
#include "ids/engine/anomaly_state.h"
#include "ids/engine/detections.h"
#include "ids/engine/stats.h"

namespace gatehouse::ids::engine {

class SharedMonitor {
 public:
  // `settings` and `port` must outlive it. `interface` as of EventLog.
  SharedMonitor(const Settings& settings, OutputPort& port, const std::string& interface, std::size_t lanes,
                triage::GuardClient* guard);
  ~SharedMonitor();

  // Detection rules of the set in force; before the first stretch, or live.
  void use(std::shared_ptr<const Engine> engine);

  // Null when no detector is on. Belongs to one worker's thread.
  anomaly::ObservationSink* lane(std::size_t index);

  // Capture file: worker `index` is through with all packets of the next stretch of the file, which ends at
  // `time_us`. Every lane closes every stretch. Waits when the detectors are far behind.
  void close_stretch(std::size_t index, std::int64_t time_us);
  // Live: what the lane holds goes to the detectors now.
  void flush(std::size_t index, std::int64_t now_us);
  // Live: what the detectors know is written when it is time; `now`: at once.
  void keep_state(bool now);
  // No lane will say any more.
  void finish(std::int64_t now_us);
  // What all lanes together found. Live: while a lane flushes, not.
  void snapshot(StatsSnapshot& out);
  // Live: who is suspected and attacked now.
  std::string top(std::size_t most);

 private:
  static constexpr std::size_t kAhead = 16;  // stretches a lane may be ahead of the detectors
  using Batch = std::vector<anomaly::Observation>;
  struct Stretch {
    Batch observations;
    std::int64_t time_us = 0;
  };
  struct Lane : anomaly::ObservationSink {
    void take(std::span<const anomaly::Observation> batch) override {
      told.insert(told.end(), batch.begin(), batch.end());
    }
    Batch told;                    // of the worker's thread
    std::vector<Stretch> waiting;  // under the mutex
  };
  void run();
  bool take(std::vector<Stretch>& out);
  void work_through(std::vector<Stretch>& stretches);

  EventLog log_;
  Detections detections_;
  anomaly::Monitor monitor_;
  StateKeeper keeper_;
  std::vector<std::unique_ptr<Lane>> lanes_;
  std::mutex mutex_;
  std::condition_variable changed_;
  bool finished_ = false;
  std::int64_t now_us_ = 0;  // of the live lanes, under the mutex
  Batch merged_;
  std::thread thread_;  // begins with the first stretch
};

}  // namespace gatehouse::ids::engine
