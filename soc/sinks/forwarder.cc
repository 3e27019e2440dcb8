#include "soc/sinks/forwarder.h"

#include <algorithm>
#include <chrono>
#include <random>

#include "core/log.h"
#include "core/os.h"
#include "soc/spool/cursor.h"
#include "soc/spool/segments.h"

namespace gatehouse::soc {

namespace {

constexpr std::size_t kBatchEvents = 512;
constexpr std::size_t kBatchBytes = 512U << 10U;
constexpr std::int64_t kDiscoverIntervalUs = 1'000'000;
constexpr std::int64_t kIdleWaitUs = 200'000;
constexpr std::int64_t kFinishTimeoutUs = 5'000'000;

}  // namespace

void Signal::notify() {
  const std::scoped_lock hold(mutex_);
  ++count_;
  condition_.notify_all();
}

void Signal::stop() {
  stopping_ = true;
  notify();
}

void Signal::wait(std::int64_t timeout_us) {
  std::unique_lock hold(mutex_);
  const std::uint64_t before = count_;
  condition_.wait_for(hold, std::chrono::microseconds(timeout_us),
                      [&] { return stopping_ || count_ != before; });
}

void Signal::wait_for_stop(std::int64_t timeout_us) {
  std::unique_lock hold(mutex_);
  condition_.wait_for(hold, std::chrono::microseconds(timeout_us), [&] { return stopping_.load(); });
}

Forwarder::Forwarder(std::string name, std::unique_ptr<Sink> sink, ForwardSettings settings)
    : name_(std::move(name)), sink_(std::move(sink)), settings_(std::move(settings)) {}

core::Status Forwarder::run(Signal& signal) {
  GH_CHECK(core::make_directories(settings_.state + "/" + name_, 0750));
  std::int64_t progress_us = core::monotonic_us();
  while (!signal.stopping()) {
    const auto step = [&]() -> core::Result<bool> {
      GH_CHECK(discover());
      if (!connected_) GH_CHECK(connect());
      GH_TRY(const bool any, forward_some());
      GH_CHECK(confirm());
      GH_CHECK(save(false));
      GH_CHECK(beat());
      if (!any && settings_.once) GH_CHECK(finish());
      return any;
    };
    const core::Result<bool> any = step();
    if (any) {
      if (*any) {
        progress_us = core::monotonic_us();
        continue;
      }
      if (settings_.once) return {};
      signal.wait(kIdleWaitUs);
      continue;
    }
    if (any.error().text != last_error_) core::log_warning("receiver {}: {}", name_, any.error().text);
    last_error_ = any.error().text;
    rewind();
    if (settings_.once && core::monotonic_us() - progress_us >= settings_.give_up_us) {
      return tl::make_unexpected(any.error());
    }
    signal.wait_for_stop(next_wait_us());
  }
  if (connected_) {
    if (const core::Status status = finish(); !status) {
      core::log_warning("receiver {}: {}; what is not confirmed is sent again next time", name_,
                        status.error().text);
    }
  }
  return save(true);
}

core::Status Forwarder::discover() {
  const std::int64_t now = core::monotonic_us();
  if (!streams_.empty() && now - discovered_us_ < kDiscoverIntervalUs) return {};
  discovered_us_ = now;
  GH_TRY(const auto names, list_streams(settings_.spool));
  for (const std::string& stream : names) {
    const bool known =
        std::any_of(streams_.begin(), streams_.end(), [&](const auto& s) { return s->name == stream; });
    if (known) continue;
    const Position start = load_cursor(cursor_path(settings_.state, name_, stream));
    const std::string directory = stream_directory(settings_.spool, stream);
    streams_.push_back(
        std::make_unique<Stream>(Stream{stream, SpoolReader(directory, start), start, start, false}));
    const std::scoped_lock hold(mutex_);
    saved_segments_[stream] = start.segment;
  }
  return {};
}

core::Status Forwarder::connect() {
  GH_CHECK(sink_->connect());
  connected_ = true;
  handed_ = 0;
  beat_us_ = core::monotonic_us();
  return {};
}

// One batch of each stream, so that a busy one does not keep the others waiting.
core::Result<bool> Forwarder::forward_some() {
  bool any = false;
  std::vector<ReadEvent> events;
  for (std::size_t i = 0; i < streams_.size(); ++i) {
    Stream& stream = *streams_[i];
    events.clear();
    GH_CHECK(stream.reader.read(events, kBatchEvents, kBatchBytes));
    if (events.empty()) continue;
    GH_CHECK(sink_->send(stream.name, events));
    handed_ += events.size();
    pending_.push_back(Pending{handed_, i, stream.reader.position()});
    any = true;
  }
  return any;
}

core::Status Forwarder::confirm() {
  GH_TRY(const std::uint64_t confirmed, sink_->confirmed());
  for (; !pending_.empty() && pending_.front().end_events <= confirmed; pending_.pop_front()) {
    streams_[pending_.front().stream]->confirmed = pending_.front().after;
    if (failures_ > 0) core::log_info("receiver {}: delivering again", name_);
    failures_ = 0;
    last_error_.clear();
  }
  return {};
}

core::Status Forwarder::save(bool at_once) {
  const std::int64_t now = core::monotonic_us();
  if (!at_once && now - saved_us_ < settings_.save_interval_us) return {};
  saved_us_ = now;
  for (const auto& stream : streams_) {
    if (stream->confirmed == stream->saved && stream->saved_once) continue;
    GH_CHECK(save_cursor(cursor_path(settings_.state, name_, stream->name), stream->confirmed));
    stream->saved = stream->confirmed;
    stream->saved_once = true;
    const std::scoped_lock hold(mutex_);
    saved_segments_[stream->name] = stream->saved.segment;
  }
  return {};
}

core::Status Forwarder::beat() {
  const std::int64_t now = core::monotonic_us();
  if (settings_.heartbeat_us == 0 || now - beat_us_ < settings_.heartbeat_us) return {};
  beat_us_ = now;
  std::vector<StreamMark> marks;
  for (const auto& stream : streams_) {
    const Position& p = stream->reader.position();
    marks.push_back(StreamMark{stream->name, p.last, p.lost, p.dropped});
  }
  return sink_->heartbeat(marks);
}

core::Status Forwarder::finish() {
  connected_ = false;
  GH_CHECK(sink_->finish(kFinishTimeoutUs));
  for (const Pending& pending : pending_) streams_[pending.stream]->confirmed = pending.after;
  pending_.clear();
  return save(true);
}

void Forwarder::rewind() {
  connected_ = false;
  pending_.clear();
  for (const auto& stream : streams_) stream->reader.go_to(stream->confirmed);
}

std::int64_t Forwarder::next_wait_us() {
  thread_local std::mt19937_64 random{std::random_device{}()};
  const std::int64_t full =
      std::min(settings_.most_wait_us, settings_.least_wait_us << std::min(failures_, 20U));
  ++failures_;
  return std::uniform_int_distribution<std::int64_t>(full / 2, full)(random);
}

std::map<std::string, std::uint64_t> Forwarder::saved_segments() const {
  const std::scoped_lock hold(mutex_);
  return saved_segments_;
}

}  // namespace gatehouse::soc
