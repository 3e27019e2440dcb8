// From rules that matched to alerts: order, pass, noalert, suppression, thresholds, the limit per packet.
#pragma once

#include <string>
#include <vector>

#include "ids/match/plan.h"

namespace gatehouse::ids {

// A rule that matched, and where.
struct Accepted {
  PlanId plan = 0;
  Direction direction = Direction::to_server;
  Transaction* tx = nullptr;
  bool from_stream = false;
  std::string context = {};  // what its tests know about what they found: Match::context
};

class Reporter {
 public:
  void begin() {
    found_.clear();
    packet_captures_.clear();
  }
  // Changes flowbits and all else the rule changes at once, so that later rules of this packet see it.
  void accept(const EngineImpl& engine, Accepted match, const Packet& packet, Flow* flow,
              std::span<const Finding> findings, std::span<const Capture> captures);
  // Appends what is to be told of all accepted since begin().
  void report(const EngineImpl& engine, const Packet& packet, Flow* flow, DetectorCounters& counters,
              std::vector<Match>& out);
  // What regexes of accepted rules took for as long as the packet is inspected.
  std::span<const Capture> packet_captures() const { return packet_captures_; }

 private:
  // What suppressions and thresholds leave of a match.
  enum class Outcome : std::uint8_t {
    tell,
    act,     // nobody is told, the action is taken all the same
    nothing  // as if the rule had not matched
  };
  void keep(const Capture& capture, Flow* flow, Accepted& match);
  static Outcome judge(const EngineImpl& engine, const Rule& rule, const Packet& packet, const Flow* flow,
                       RuleAction& action);

  std::vector<Accepted> found_;
  std::vector<Capture> packet_captures_;
};

// Counts `packet` for the tags of its session and hosts. True: one of them asks for it.
bool count_tags(RuleResources& resources, const Packet& packet, Flow* flow);

}  // namespace gatehouse::ids
