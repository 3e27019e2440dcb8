#include "ids/engine/output.h"

#include <algorithm>
#include <chrono>

namespace gatehouse::ids::engine {

namespace {
// A line seldom comes alone, and to wake or write for each costs more than the line does. Over a capture
// nobody waits for one, and each look costs as much as a few packets.
constexpr std::chrono::milliseconds kGather{2}, kGatherOverCapture{20};
// Until a full ring is looked at again: the writer empties a good part of it meanwhile, and who asked all the
// time would take the processor away from it.
constexpr std::chrono::microseconds kWait{100};
}  // namespace

std::uint64_t OutputPort::dropped() const {
  std::uint64_t sum = 0;
  for (const auto& count : dropped_) sum += count.load(std::memory_order_relaxed);
  return sum;
}

std::size_t OutputPort::reserve(EventKind kind, const EventRing& ring) {
  const bool lesser = kind == EventKind::anomaly || kind == EventKind::flow;
  return lesser ? ring.capacity() / 4 : 0;
}

void OutputPort::write(EventKind kind, std::string_view line) {
  const bool urgent =
      urgent_ && (kind == EventKind::alert || kind == EventKind::anomaly || kind == EventKind::stats);
  EventRing& ring = urgent ? *urgent_ : ring_;
  const std::size_t spare = when_full_ == WhenFull::drop ? reserve(kind, ring) : 0;
  while (!ring.push(kind, line, spare)) {
    if (when_full_ == WhenFull::drop || !ring.fits(line.size())) {
      dropped_[static_cast<std::size_t>(kind)].fetch_add(1, std::memory_order_relaxed);
      return;
    }
    bell_.ring();
    std::this_thread::sleep_for(kWait);
  }
  if (when_full_ == WhenFull::wait) {  // the writer looks by itself
    if (ring.is_half_full()) bell_.ring();
    return;
  }
  signal_.fetch_add(1, std::memory_order_release);
  signal_.notify_one();
}

Output::Output(std::size_t ports, WhenFull when_full, std::size_t ring_bytes) : when_full_(when_full) {
  for (std::size_t i = 0; i < ports; ++i)
    ports_.push_back(std::unique_ptr<OutputPort>(new OutputPort(ring_bytes, when_full, signal_, bell_)));
}

Output::~Output() {
  stop();
}

void Output::start() {
  thread_ = std::thread([this] { run(); });
}

void Output::stop() {
  if (!thread_.joinable()) return;
  stopping_ = true;
  signal_.fetch_add(1, std::memory_order_release);
  signal_.notify_one();
  bell_.ring();
  thread_.join();
}

void Output::request_reopen() {
  reopen_ = true;
  signal_.fetch_add(1, std::memory_order_release);
  signal_.notify_one();
}

Output::Found Output::take(EventRing& ring) {
  // Bounded, so that one busy worker does not keep the others waiting, nor mass events alerts; and the
  // producer has the room back while there is still some left.
  constexpr int kBatch = 512;
  const int taken = ring.read(kBatch, room_, [&](EventKind kind, std::string_view line) {
    for (const auto& sink : sinks_) sink->write(kind, line);
  });
  if (taken == 0) return Found::nothing;
  for (const auto& sink : sinks_) sink->flush();
  ring.release();
  return taken == kBatch ? Found::more : Found::some;
}

Output::Found Output::drain() {
  Found found = Found::nothing;
  for (const auto& port : ports_) {
    if (port->urgent_) found = std::max(found, take(*port->urgent_));
  }
  for (const auto& port : ports_) found = std::max(found, take(port->ring_));
  return found;
}

void Output::run() {
  for (;;) {
    // Read before looking at the rings: a line pushed after the look changes the value, and
    // wait() then returns at once.
    bell_.silence();
    const std::uint32_t seen = signal_.load(std::memory_order_acquire);
    const bool stopping = stopping_;
    if (reopen_.exchange(false)) {
      for (const auto& sink : sinks_) sink->reopen();
    }
    const Found found = drain();
    if (stopping) {
      if (found == Found::nothing) return;
      continue;
    }
    if (found == Found::more) continue;
    // Over a capture there always is something: to be told of each line would cost the worker more than these
    // looks do. Live there may be nothing for hours.
    if (when_full_ == WhenFull::wait) {
      bell_.wait(kGatherOverCapture);
      continue;
    }
    if (found == Found::nothing) signal_.wait(seen, std::memory_order_acquire);
    if (!stopping_) std::this_thread::sleep_for(kGather);
  }
}

std::uint64_t Output::dropped() const {
  std::uint64_t sum = 0;
  for (const auto& port : ports_) sum += port->dropped();
  return sum;
}

std::string Output::failure() const {
  for (const auto& sink : sinks_) {
    if (!sink->failure().empty()) return sink->failure();
  }
  return {};
}

std::uint64_t Output::lost() const {
  std::uint64_t sum = 0;
  for (const auto& sink : sinks_) sum += sink->lost();
  return sum;
}

}  // namespace gatehouse::ids::engine
