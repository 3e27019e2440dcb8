// The connections that the kernel tracks in a network namespace: read, and forgotten.
#pragma once

#include <cstdint>
#include <memory>
#include <vector>

#include "core/ip.h"
#include "core/result.h"

namespace gatehouse::fwctl {

struct TrackedFlow {
  // As the first packet had them.
  core::IpAddress source, destination;
  std::uint8_t protocol = 0;
  std::uint16_t source_port = 0, destination_port = 0;  // TCP, UDP and their like
  std::uint8_t icmp_type = 0;                           // ICMP and ICMPv6
  // Who answers: another than `destination` where that was translated.
  core::IpAddress answers;
  bool expected = false;  // began because of another connection (a helper)
  // The attributes that name it to the kernel.
  std::vector<std::uint8_t> name;
};

class FlowTable {
 public:
  static core::Result<FlowTable> open();
  FlowTable(FlowTable&&) noexcept;
  FlowTable& operator=(FlowTable&&) noexcept;
  ~FlowTable();

  core::Result<std::vector<TrackedFlow>> all();
  // False when it has ended already.
  core::Result<bool> forget(const TrackedFlow& flow);

 private:
  struct State;
  explicit FlowTable(std::unique_ptr<State> state);
  std::unique_ptr<State> state_;
};

}  // namespace gatehouse::fwctl
