// A way to deliver events to one receiver. Adding one: a .cc that defines `const SinkType
// k_<name>_sink`, and `gatehouse_add_sink(<name>)` in CMakeLists.txt.
#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "core/result.h"
#include "site/model/site.h"
#include "soc/spool/reader.h"

namespace gatehouse::soc {

struct SinkSettings {
  site::Receiver receiver;                 // paths resolved
  std::vector<core::IpAddress> addresses;  // of receiver.host, tried in this order
  std::string host_name;                   // ours, for events that name none
  std::int64_t connect_timeout_us = 5'000'000;
  std::int64_t stall_timeout_us = 30'000'000;  // a receiver that takes nothing for so long is given up

  // For protocols without acknowledgements. What was sent stays unconfirmed, and is sent again after
  // a broken connection, for replay_us, and until replay_bytes more have gone or replay_idle_us passed.
  std::int64_t replay_us = 5'000'000;
  std::uint64_t replay_bytes = 4U << 20U;
  std::int64_t replay_idle_us = 30'000'000;
};

// How far a stream has been handed over, for heartbeats.
struct StreamMark {
  std::string stream;
  EventId last;
  std::uint64_t lost = 0;
  std::uint64_t dropped = 0;
};

// Used by one thread. Delivery is at least once: whoever drives a sink moves its cursor only to what
// confirmed() covers, and after an error begins again there.
class Sink {
 public:
  virtual ~Sink() = default;

  // Gets ready to send, anew after an error. Nothing handed over before counts any more.
  virtual core::Status connect() = 0;
  // Hands events over in order; may block up to the stall timeout. After an error: connect() again.
  virtual core::Status send(std::string_view stream, std::span<const ReadEvent> events) = 0;
  // How many of the events handed over since connect() are delivered for good. Never decreases.
  virtual core::Result<std::uint64_t> confirmed() = 0;
  // Tells the receiver how far we are, so that it can compute what it misses. No event, not counted.
  virtual core::Status heartbeat(std::span<const StreamMark> marks) = 0;
  // Ends the connection so that everything handed over is confirmed; an error when it is not.
  virtual core::Status finish(std::int64_t timeout_us) = 0;
};

struct SinkType {
  site::ReceiverKind kind;
  std::string_view name;
  // Refuses settings that can never work.
  core::Result<std::unique_ptr<Sink>> (*make)(const SinkSettings& settings);
};

std::vector<const SinkType*> sink_types();
core::Result<std::unique_ptr<Sink>> make_sink(const SinkSettings& settings);

}  // namespace gatehouse::soc
