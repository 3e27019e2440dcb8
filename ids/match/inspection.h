// What the parts of one worker's detector share.
#pragma once

#include "ids/match/candidates.h"
#include "ids/match/plan.h"
#include "ids/match/reporter.h"

namespace gatehouse::ids {

struct Inspection {
  std::shared_ptr<const EngineImpl> engine;
  ScanScratch scratch;
  Candidates candidates;
  Reporter reporter;
  DetectorCounters counters;
  std::vector<PlanId> payload_hits;  // transaction rules whose payload literal is in sight
  CostSampler costs;                 // by plan
  AddressCache addresses;            // of the packet being inspected
  std::vector<Finding> findings;     // of the rule being evaluated
  std::vector<Capture> captures;     // of the rule being evaluated

  // A packet or a piece of a stream: nothing is preselected yet.
  void begin() {
    candidates.begin();
    payload_hits.clear();
  }
  // To evaluate one rule in: nothing was found yet.
  InspectContext context(const Packet& packet, const Flow* flow, Direction direction, const Transaction* tx) {
    findings.clear();
    captures.clear();
    InspectContext out{packet, flow, direction, tx, {}};
    out.resources = engine->rules().resources.get();
    out.findings = &findings;
    out.captures = &captures;
    out.packet_captures = reporter.packet_captures();
    return out;
  }
};

}  // namespace gatehouse::ids
