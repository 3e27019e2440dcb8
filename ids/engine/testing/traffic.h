// Traffic for tests of memory and counters: conversations of several protocols, floods, and a worker that
// reads them. For tests.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "ids/decode/testing/packet_builder.h"
#include "ids/engine/worker.h"

namespace gatehouse::ids::testing {

// Takes events that nobody looks at.
class Discard : public engine::EventSink {
 public:
  void write(engine::EventKind, std::string_view) override {}
  void flush() override {}
  const std::string& failure() const override { return failure_; }
  std::uint64_t lost() const override { return 0; }

 private:
  std::string failure_;
};

enum class Talk : std::uint8_t { web, dns, tls, mail };
inline constexpr Talk kTalks[] = {Talk::web, Talk::dns, Talk::tls, Talk::mail};
std::string_view to_string(Talk talk);

// One whole conversation, from the first packet to the last. `number` picks its addresses and ports.
std::vector<Frame> conversation(Talk talk, unsigned number);

// Packets that nobody answers, each of a flow of its own, one microsecond apart.
Frame flood_packet(unsigned number, bool udp);
// A fragment of a datagram of its own that is never completed.
Frame lone_fragment(unsigned number);
// Segments beyond a hole that is never filled, of an open connection.
std::vector<Frame> segments_beyond_a_hole(unsigned count);

// A worker with its rules and an output that nobody reads.
class Sensor {
 public:
  // `rules`: the text of a rule file. `config`: YAML as for --config.
  explicit Sensor(std::string_view rules = {}, std::string_view config = {});
  ~Sensor();
  // Moves the frame's time on by `later_us`.
  void feed(const Frame& frame, std::int64_t later_us = 0);
  void feed(const std::vector<Frame>& frames, std::int64_t later_us = 0);
  engine::Worker& worker() { return *worker_; }
  engine::StatsSnapshot stats() const;
  const engine::Settings& settings() const { return settings_; }

 private:
  engine::Settings settings_;
  engine::Output output_;
  std::unique_ptr<engine::Worker> worker_;
  std::uint64_t number_ = 0;
};

}  // namespace gatehouse::ids::testing
