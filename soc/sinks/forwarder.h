// Drives one sink: reads every stream of the spool, hands over, and moves the sink's cursors on disk
// only to what the sink has confirmed.
#pragma once

#include <atomic>
#include <condition_variable>
#include <deque>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

#include "soc/sinks/sink.h"

namespace gatehouse::soc {

struct ForwardSettings {
  std::string spool;
  std::string state;
  std::int64_t heartbeat_us = 60'000'000;  // 0: none
  std::int64_t save_interval_us = 200'000;
  std::int64_t least_wait_us = 250'000;    // after the first failure; doubles, jittered,
  std::int64_t most_wait_us = 30'000'000;  // up to here
  bool once = false;                       // deliver what there is, confirm it, end
  std::int64_t give_up_us = 10'000'000;    // once: without progress for so long
};

// Wakes forwarders: when there is new data, and for the end.
class Signal {
 public:
  void notify();
  void stop();
  bool stopping() const { return stopping_; }
  // Returns on notify(), stop() or after the time.
  void wait(std::int64_t timeout_us);
  // Returns on stop() or after the time.
  void wait_for_stop(std::int64_t timeout_us);

 private:
  std::mutex mutex_;
  std::condition_variable condition_;
  std::uint64_t count_ = 0;
  std::atomic<bool> stopping_ = false;
};

class Forwarder {
 public:
  Forwarder(std::string name, std::unique_ptr<Sink> sink, ForwardSettings settings);

  // Until the signal says stop, or, with `once`, everything is delivered; then the error says if not.
  core::Status run(Signal& signal);

  // What is saved on disk: segments below it are not needed by this sink any more. Any thread.
  std::map<std::string, std::uint64_t> saved_segments() const;

 private:
  struct Stream {
    std::string name;
    SpoolReader reader;
    Position confirmed;
    Position saved;
    bool saved_once = false;
  };
  // Events handed over in one send, waiting for confirmation.
  struct Pending {
    std::uint64_t end_events;
    std::size_t stream;
    Position after;
  };

  core::Status discover();
  core::Status connect();
  core::Result<bool> forward_some();
  core::Status confirm();
  core::Status save(bool at_once);
  core::Status beat();
  core::Status finish();
  void rewind();
  std::int64_t next_wait_us();

  const std::string name_;
  const std::unique_ptr<Sink> sink_;
  const ForwardSettings settings_;
  std::vector<std::unique_ptr<Stream>> streams_;
  std::deque<Pending> pending_;
  std::uint64_t handed_ = 0;
  bool connected_ = false;
  std::uint32_t failures_ = 0;
  std::string last_error_;
  std::int64_t discovered_us_ = 0;
  std::int64_t saved_us_ = 0;
  std::int64_t beat_us_ = 0;
  mutable std::mutex mutex_;
  std::map<std::string, std::uint64_t> saved_segments_;
};

}  // namespace gatehouse::soc
