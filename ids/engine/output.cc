#include "ids/engine/output.h"

namespace gatehouse::ids::engine {

void OutputPort::write(EventKind kind, std::string_view line) {
  while (!ring_.push(kind, line)) {
    if (when_full_ == WhenFull::drop || !ring_.fits(line.size())) {
      dropped_.fetch_add(1, std::memory_order_relaxed);
      return;
    }
    signal_.fetch_add(1, std::memory_order_release);
    signal_.notify_one();
    std::this_thread::yield();
  }
  signal_.fetch_add(1, std::memory_order_release);
  signal_.notify_one();
}

Output::Output(std::size_t ports, WhenFull when_full, std::size_t ring_bytes) {
  for (std::size_t i = 0; i < ports; ++i)
    ports_.push_back(std::unique_ptr<OutputPort>(new OutputPort(ring_bytes, when_full, signal_)));
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
  thread_.join();
}

void Output::request_reopen() {
  reopen_ = true;
  signal_.fetch_add(1, std::memory_order_release);
  signal_.notify_one();
}

bool Output::drain() {
  bool any = false;
  EventKind kind{};
  for (const auto& port : ports_) {
    // Bounded, so that one busy worker does not keep the others waiting.
    for (int i = 0; i < 256 && port->ring_.pop(kind, line_); ++i) {
      any = true;
      for (const auto& sink : sinks_) sink->write(kind, line_);
    }
  }
  return any;
}

void Output::run() {
  for (;;) {
    // Read before looking at the rings: a line pushed after the look changes the value, and
    // wait() then returns at once.
    const std::uint32_t seen = signal_.load(std::memory_order_acquire);
    const bool stopping = stopping_;
    if (reopen_.exchange(false)) {
      for (const auto& sink : sinks_) sink->reopen();
    }
    if (drain()) continue;
    for (const auto& sink : sinks_) sink->flush();
    if (stopping) return;
    signal_.wait(seen, std::memory_order_acquire);
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
