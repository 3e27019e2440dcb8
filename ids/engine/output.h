// Event lines on their way out: rings per producer, one thread that writes to the sinks.
//
// In live capture a producer has two rings: alerts, anomalies and stats have their own, which the writer
// empties first, so that no mass of flow and protocol events holds them up or pushes them out. In each
// ring the lesser kind leaves a quarter of the room to the other. A capture file needs neither: nothing is
// lost there, and lines stay in the order of the packets.
#pragma once

#include <array>
#include <atomic>
#include <chrono>
#include <condition_variable>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <thread>
#include <vector>

#include "core/result.h"
#include "ids/engine/event_ring.h"

namespace gatehouse::ids::engine {

// Where lines end up. Called by the writer thread only.
class EventSink {
 public:
  virtual ~EventSink() = default;
  // One line with its LF. It stays where it is until flush() has returned; those of one batch mostly lie one
  // behind the other.
  virtual void write(EventKind kind, std::string_view line) = 0;
  // The end of a batch: what was handed over goes out.
  virtual void flush() = 0;
  // Opens the destination anew (log rotation).
  virtual void reopen() {}
  // The first failure since the start; empty while all is well.
  virtual const std::string& failure() const = 0;
  virtual std::uint64_t lost() const = 0;  // lines that could not be written
};

// DIRECTORY/eve.json, appended to; "-": standard output. An error when it cannot be opened.
core::Result<std::unique_ptr<EventSink>> open_file_sink(const std::string& directory);
// The stream `ids` of a spool directory.
core::Result<std::unique_ptr<EventSink>> open_spool_sink(const std::string& spool, std::uint64_t cap_bytes);

enum class WhenFull : std::uint8_t {
  wait,  // capture files: nothing may be lost
  drop,  // live capture: packets must not wait for a disk; the loss is counted
};

// Wakes the writer before its time.
class WriterBell {
 public:
  void ring() {
    if (rung_.exchange(true)) return;
    { const std::lock_guard lock(mutex_); }  // who is about to wait has looked, or will see it
    changed_.notify_one();
  }
  // What rings from now on is for the next wait.
  void silence() { rung_ = false; }
  void wait(std::chrono::milliseconds most) {
    std::unique_lock lock(mutex_);
    changed_.wait_for(lock, most, [this] { return rung_.load(); });
  }

 private:
  std::mutex mutex_;
  std::condition_variable changed_;
  std::atomic<bool> rung_{false};
};

// The producer's end. One thread at a time.
class OutputPort {
 public:
  void write(EventKind kind, std::string_view line);
  std::uint64_t dropped() const;
  std::uint64_t dropped(EventKind kind) const {
    return dropped_[static_cast<std::size_t>(kind)].load(std::memory_order_relaxed);
  }

 private:
  friend class Output;
  OutputPort(std::size_t ring_bytes, WhenFull when_full, std::atomic<std::uint32_t>& signal, WriterBell& bell)
      : ring_(ring_bytes), when_full_(when_full), signal_(signal), bell_(bell) {
    if (when_full == WhenFull::drop) urgent_.emplace(ring_bytes / 4);
  }
  // Bytes this kind leaves free in its ring.
  static std::size_t reserve(EventKind kind, const EventRing& ring);

  EventRing ring_;
  std::optional<EventRing> urgent_;
  WhenFull when_full_;
  std::atomic<std::uint32_t>& signal_;  // bumped with each line, live
  WriterBell& bell_;                    // rung when a ring fills, over a capture
  std::array<std::atomic<std::uint64_t>, kEventKinds> dropped_{};
};

class Output {
 public:
  // `ports` producers. The thread starts with start(), so that a program can restrict itself before.
  Output(std::size_t ports, WhenFull when_full, std::size_t ring_bytes);
  // Who can wait needs no room for bursts.
  Output(std::size_t ports, WhenFull when_full)
      : Output(ports, when_full, when_full == WhenFull::wait ? kRingBytes / 4 : kRingBytes) {}
  ~Output();  // stop()
  Output(const Output&) = delete;
  Output& operator=(const Output&) = delete;

  void add_sink(std::unique_ptr<EventSink> sink) { sinks_.push_back(std::move(sink)); }  // before start()
  void start();
  // Writes all that waits and ends the thread. The producers must have ended.
  void stop();
  void request_reopen();
  OutputPort& port(std::size_t index) { return *ports_[index]; }
  std::uint64_t dropped() const;  // lines that found no room in a ring
  // After stop(): the first failure of any sink, and what they lost.
  std::string failure() const;
  std::uint64_t lost() const;

 private:
  static constexpr std::size_t kRingBytes = 4U << 20U;
  // What a look at the rings found. `more`: at least one held a whole batch.
  enum class Found : std::uint8_t { nothing, some, more };
  Found drain();
  Found take(EventRing& ring);
  void run();

  std::vector<std::unique_ptr<EventSink>> sinks_;
  WhenFull when_full_;
  std::atomic<std::uint32_t> signal_{0};
  WriterBell bell_;
  std::vector<std::unique_ptr<OutputPort>> ports_;
  std::atomic<bool> stopping_{false};
  std::atomic<bool> reopen_{false};
  std::string room_;  // for a line around the end of its ring
  std::thread thread_;
};

}  // namespace gatehouse::ids::engine
