// Speaks to the firewall guard (core/ban.h) from a thread of its own: nobody waits for it.
#pragma once

#include <array>
#include <atomic>
#include <condition_variable>
#include <deque>
#include <mutex>
#include <string>
#include <thread>

#include "core/ban.h"
#include "core/os.h"

namespace gatehouse::ids::triage {

struct GuardCounters {
  std::uint64_t accepted = 0, refused = 0;  // by the guard
  std::uint64_t undelivered = 0;            // there was none, or it did not answer
  std::uint64_t overflow = 0;               // more than may wait
};

class GuardClient {
 public:
  static constexpr std::size_t kMostWaiting = 256;
  // A request that found no guard is tried again for so long, then it is not news any more.
  static constexpr std::int64_t kPatienceUs = 30'000'000;

  explicit GuardClient(std::string path, std::int64_t patience_us = kPatienceUs)
      : path_(std::move(path)), patience_us_(patience_us) {}
  ~GuardClient();  // what waits still is tried once
  GuardClient(const GuardClient&) = delete;
  GuardClient& operator=(const GuardClient&) = delete;

  // Any thread; never waits. False: too many wait, it is lost and counted.
  bool ask(core::BanRequest request);
  GuardCounters counters() const;

 private:
  enum class Delivery : std::uint8_t { accepted, refused, failed };
  struct Waiting {
    core::BanRequest request;
    std::int64_t since_us = 0;
  };
  void run();
  Delivery deliver(const core::BanRequest& request);
  core::Result<core::BanReply> exchange(const core::BanRequest& request) const;

  std::string path_;
  std::int64_t patience_us_;
  mutable std::mutex mutex_;
  std::condition_variable changed_;
  std::deque<Waiting> waiting_;
  bool stopping_ = false;
  GuardCounters counters_;
  bool complained_ = false;  // of a missing guard; of the thread
  std::thread thread_;       // begins with the first request: after a sandbox is entered
};

}  // namespace gatehouse::ids::triage
