// One capture file for several workers, without a thread that reads it for them: all go through the same
// batches, each looks at its own frames, and whoever is first to want a batch reads it. So the one with less
// to do reads more, nothing is copied, and what is read lies in the cache of the one who goes on with it.
#pragma once

#include <array>
#include <condition_variable>
#include <cstdint>
#include <mutex>
#include <vector>

#include "ids/capture/frame_batch.h"
#include "ids/engine/worker_choice.h"

namespace gatehouse::ids::engine {

class SharedCapture {
 public:
  struct Batch {
    FrameBatch frames;
    std::vector<std::uint8_t> workers;  // by frame
    // Not 0: with this batch a stretch of the file ends, for all workers; the time of its last packet.
    std::int64_t stretch_end_us = 0;

    void deliver(std::size_t worker, PacketSink& sink) const {
      for (std::size_t i = 0; i < workers.size(); ++i) {
        if (workers[i] == worker) sink.on_packet(frames[i]);
      }
    }
  };

  // `source` must outlive it; only workers that wait in next() use it. At most 64 workers.
  SharedCapture(Source& source, std::size_t workers);

  // What follows for `worker`, which is through with what it had before. Null: there is no more. Each worker
  // has one thread, and calls it until then: the others wait for one that lies far behind.
  const Batch* next(std::size_t worker);
  // How reading ended, and the time of the last packet; once next() gave null.
  const core::Status& status() const { return status_; }
  std::int64_t last_us() const { return now_us_; }

 private:
  // The batches in memory: how far workers may be apart.
  static constexpr std::size_t kAhead = 32;
  // Frames after which a stretch may end.
  static constexpr std::size_t kStretch = 4096;
  bool has_room() const;
  bool read(Batch& batch);

  Source& source_;
  std::mutex mutex_;
  std::condition_variable changed_;
  // Of the one that reads.
  WorkerChoice choice_;
  std::int64_t now_us_ = 0;
  std::size_t in_stretch_ = 0;
  core::Status status_;
  // Under the mutex, but what is in the batches: that belongs to who reads, then to all who look at it.
  std::array<Batch, kAhead> batches_;
  std::uint64_t read_ = 0;            // batches so far
  std::vector<std::uint64_t> taken_;  // batches so far, by worker; it holds the last of them
  std::size_t waiting_ = 0;
  bool reading_ = false, ended_ = false;
};

}  // namespace gatehouse::ids::engine
