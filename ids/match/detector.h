// Detection: an immutable engine compiled from checked rules, and one Detector per worker that
// runs it.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "ids/keywords/rule.h"
#include "ids/match/profile.h"

namespace gatehouse::ids {

// One rule that fired. Views and pointers live until the next call into the detector.
struct Match {
  const Rule* rule = nullptr;
  Direction direction = Direction::to_server;
  const Transaction* tx = nullptr;        // set for transaction matches
  bool from_stream = false;               // decided on reassembled data
  RuleAction action = RuleAction::alert;  // the rule's, or what a rate filter made of it
  std::string context;                    // members of the alert's `context` object, JSON; empty: none
};

struct EngineOptions {
  unsigned packet_alert_max = 15;  // matches reported per packet
  // Acknowledged bytes that make stream rules look, by direction.
  std::array<std::uint32_t, 2> stream_chunk_bytes{2560, 2560};
  std::vector<RuleAction> action_order = {RuleAction::pass, RuleAction::drop, RuleAction::reject,
                                          RuleAction::alert};
};

struct EngineSummary {
  std::size_t rules = 0, literal_sets = 0, literals = 0;
  std::uint64_t literal_bytes = 0;
};

// The compiled rule set. Immutable; shared by all workers.
class Engine {
 public:
  virtual ~Engine() = default;
  virtual const EngineSummary& summary() const = 0;
  virtual const RuleList& rules() const = 0;
  // Loads what this engine can decide; a rule it cannot is an error at check time, not here.
  static core::Result<std::shared_ptr<const Engine>> build(RuleList rules, const EngineOptions& options);
};

struct DetectorCounters {
  std::uint64_t inspected_packets = 0, candidates = 0, alerts = 0, suppressed = 0, queue_overflow = 0;
};

// What was sampled of a worker's work since it began or took its engine (profile.h). Rules live as long as
// the engine.
struct DetectorCosts {
  struct OfRule {
    const Rule* rule = nullptr;
    CostSamples samples;
  };
  struct OfSet {
    std::string name;
    CostSamples samples;
  };
  std::vector<OfRule> rules;  // in report order; those never sampled are left out
  std::vector<OfSet> sets;
};

// Runs an engine for one worker: owns scratch space, threshold tables and flowbits bookkeeping.
class Detector {
 public:
  virtual ~Detector() = default;

  // Decides everything that `packet` makes decidable: packet rules on it, stream rules on what its
  // direction has had acknowledged (Flow::tcp->inspectable, released here as it is decided), and
  // the transactions of its flow in its direction. `flow` is null for packets without one. Appends
  // to `out` in report order, at most packet_alert_max; applies pass/noalert, flowbits and
  // thresholds.
  virtual void inspect(const Packet& packet, Flow* flow, std::vector<Match>& out) = 0;
  // The flow ends: decides what is still open in the direction of `packet`, which stands in for the
  // last packet of that direction (origin flow_end).
  virtual void finish_flow(const Packet& packet, Flow& flow, std::vector<Match>& out) = 0;
  // Is there anything to decide in this direction at the end of the flow? Of most flows of a flood there
  // is nothing, and finish_flow() need not be called.
  virtual bool has_rest(const Flow& flow, Direction direction) const = 0;
  // A new engine, at a packet boundary; per-flow state that belongs to the old one is dropped.
  virtual void replace(std::shared_ptr<const Engine> engine) = 0;
  // What regexes took of the packet inspected last; valid until the next call.
  virtual std::span<const Capture> packet_captures() const = 0;
  virtual const DetectorCounters& counters() const = 0;
  // Does a tag ask for the packet that was inspected last?
  virtual bool tagged() const = 0;
  virtual DetectorCosts costs() const = 0;

  static std::unique_ptr<Detector> make(std::shared_ptr<const Engine> engine);
};

}  // namespace gatehouse::ids
