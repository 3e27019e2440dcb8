// Which of several workers gets a frame of a capture file.
#pragma once

#include <cstdint>
#include <vector>

#include "ids/capture/source.h"

namespace gatehouse::ids::engine {

// By the pair of IP addresses, without their order, so that both directions, all fragments and everything inside
// a tunnel stay together. What is not IP goes to the first. A pair that was not seen before goes to the worker
// that was given least so far; the same file is spread the same way each time.
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
