// Frames on their way from the one reader of a capture file to a worker thread, in batches.
#pragma once

#include <condition_variable>
#include <cstdint>
#include <memory>
#include <mutex>
#include <vector>

#include "ids/capture/source.h"

namespace gatehouse::ids::engine {

class PacketBatch {
 public:
  void add(const RawPacket& packet);
  void deliver(PacketSink& sink) const;
  void clear() {
    bytes_.clear();
    frames_.clear();
    stretch_end_us = 0;
  }
  // Not 0: with this batch a stretch of the file ends, for all workers; the time of its last packet.
  std::int64_t stretch_end_us = 0;

  bool full() const { return frames_.size() >= kFrames || bytes_.size() >= kBytes; }
  bool empty() const { return frames_.empty(); }

 private:
  static constexpr std::size_t kFrames = 512;
  static constexpr std::size_t kBytes = 512U << 10U;
  struct Frame {
    std::size_t offset = 0, size = 0;
    RawPacket packet;  // its data is set on delivery
  };
  std::vector<std::uint8_t> bytes_;
  std::vector<Frame> frames_;
};

// Bounded; the reader waits when the worker is behind: nothing of a file may be lost.
class PacketQueue {
 public:
  void push(std::unique_ptr<PacketBatch> batch);
  // Null: the reader has finished and everything was taken.
  std::unique_ptr<PacketBatch> pop();
  void close();
  // Emptied batches go back, so that their memory is used again.
  std::unique_ptr<PacketBatch> fresh();
  void give_back(std::unique_ptr<PacketBatch> batch);

 private:
  static constexpr std::size_t kMost = 8;
  std::mutex mutex_;
  std::condition_variable changed_;
  std::vector<std::unique_ptr<PacketBatch>> waiting_, spare_;
  bool closed_ = false;
};

// Which worker gets a frame: by the pair of IP addresses, without their order, so that both directions,
// all fragments and everything inside a tunnel stay together. What is not IP goes to the first. A pair
// that was not seen before goes to the worker that was given least so far; the same file is spread the
// same way each time.
class WorkerChoice {
 public:
  explicit WorkerChoice(std::size_t workers) : load_(workers), chosen_(kPairs, kNobody) {}
  std::size_t of(const RawPacket& packet);

 private:
  // Pairs share a place when there are more of them.
  static constexpr std::size_t kPairs = 1U << 16U;
  static constexpr std::uint8_t kNobody = 255;
  // What a packet costs besides its bytes, in bytes.
  static constexpr std::uint64_t kPacketCost = 300;

  std::vector<std::uint64_t> load_;   // by worker
  std::vector<std::uint8_t> chosen_;  // by pair; at most 64 workers
};

}  // namespace gatehouse::ids::engine
