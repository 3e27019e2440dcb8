#include "ids/engine/shared_monitor.h"

#include <algorithm>
#include <utility>

namespace gatehouse::ids::engine {

SharedMonitor::SharedMonitor(const Settings& settings, OutputPort& port, const std::string& interface,
                             std::size_t lanes, triage::GuardClient* guard)
    : log_(settings, port, interface),
      detections_(settings, log_, guard),
      monitor_(settings.anomaly, detections_),
      keeper_(settings) {
  keeper_.open(monitor_);
  if (interface.empty()) monitor_.take_your_time();
  for (std::size_t i = 0; i < lanes; ++i) lanes_.push_back(std::make_unique<Lane>());
}

SharedMonitor::~SharedMonitor() {
  finish(now_us_);
}

void SharedMonitor::use(std::shared_ptr<const Engine> engine) {
  const std::lock_guard lock(mutex_);
  detections_.use(std::move(engine));
}

void SharedMonitor::snapshot(StatsSnapshot& out) {
  const std::lock_guard lock(mutex_);
  out.events.detections += log_.counters().detections;
  out.triage.add(detections_.counters());
  out.responses.add(detections_.responses());
}

std::string SharedMonitor::top(std::size_t most) {
  const std::lock_guard lock(mutex_);
  anomaly::MonitorView view(now_us_, most);
  monitor_.flush();
  monitor_.describe(view);
  return top_json(view, detections_.attacks());
}

anomaly::ObservationSink* SharedMonitor::lane(std::size_t index) {
  return monitor_.wanted() ? lanes_[index].get() : nullptr;
}

void SharedMonitor::close_stretch(std::size_t index, std::int64_t time_us) {
  Lane& lane = *lanes_[index];
  lane.pass_on();
  std::unique_lock lock(mutex_);
  if (!thread_.joinable()) thread_ = std::thread([this] { run(); });
  changed_.wait(lock, [&] { return lane.waiting.size() < kAhead; });
  lane.waiting.push_back({std::exchange(lane.told, {}), time_us});
  changed_.notify_all();
}

// One stretch of every lane.
bool SharedMonitor::take(std::vector<Stretch>& out) {
  std::unique_lock lock(mutex_);
  const auto all = [this] {
    return std::all_of(lanes_.begin(), lanes_.end(), [](const auto& lane) { return !lane->waiting.empty(); });
  };
  changed_.wait(lock, [&] { return finished_ || all(); });
  if (!all()) return false;
  out.clear();
  for (const auto& lane : lanes_) {
    out.push_back(std::move(lane->waiting.front()));
    lane->waiting.erase(lane->waiting.begin());
  }
  changed_.notify_all();
  return true;
}

void SharedMonitor::work_through(std::vector<Stretch>& stretches) {
  merged_.clear();
  std::int64_t end_us = 0;
  for (Stretch& stretch : stretches) {
    merged_.insert(merged_.end(), stretch.observations.begin(), stretch.observations.end());
    end_us = std::max(end_us, stretch.time_us);
  }
  // All that one packet gave is in one lane, in order.
  std::stable_sort(merged_.begin(), merged_.end(),
                   [](const auto& a, const auto& b) { return a.packet < b.packet; });
  for (const anomaly::Observation& o : merged_) {
    monitor_.advance(o.time_us);
    monitor_.on_observation(o);
  }
  monitor_.advance(end_us);
}

void SharedMonitor::run() {
  std::vector<Stretch> stretches;
  while (take(stretches)) work_through(stretches);
}

void SharedMonitor::flush(std::size_t index, std::int64_t now_us) {
  Lane& lane = *lanes_[index];
  lane.pass_on();
  const std::lock_guard lock(mutex_);
  for (anomaly::Observation& o : lane.told) {
    // Workers are a batch apart: time does not run backwards for the detectors.
    now_us_ = o.time_us = std::max(o.time_us, now_us_);
    monitor_.advance(now_us_);
    monitor_.on_observation(o);
  }
  lane.told.clear();
  now_us_ = std::max(now_us_, now_us);
  monitor_.advance(now_us_);
}

void SharedMonitor::keep_state(bool now) {
  const std::lock_guard lock(mutex_);
  keeper_.keep(monitor_, now_us_, now);
}

void SharedMonitor::finish(std::int64_t now_us) {
  {
    const std::lock_guard lock(mutex_);
    if (finished_) return;
    finished_ = true;
    changed_.notify_all();
  }
  if (thread_.joinable()) thread_.join();
  keeper_.close(monitor_, std::max(now_us, now_us_));
}

}  // namespace gatehouse::ids::engine
