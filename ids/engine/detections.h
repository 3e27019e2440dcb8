// From the detectors, over the desk (ids/triage), to events.
#pragma once

#include <memory>

#include "ids/engine/event_log.h"
#include "ids/engine/top.h"
#include "ids/triage/desk.h"
#include "ids/triage/guard_client.h"
#include "ids/triage/responder.h"

namespace gatehouse::ids::engine {

class Detections : public anomaly::DetectionSink {
 public:
  // All must outlive it. `guard`: whom bans are asked of; null: nobody, they are told as dry runs.
  Detections(const Settings& settings, EventLog& log, triage::GuardClient* guard)
      : desk_(settings.triage),
        log_(log),
        responder_(settings.triage.response, guard != nullptr),
        guard_(guard) {}

  // Detection rules of the set in force.
  void use(std::shared_ptr<const Engine> engine) {
    desk_.use(engine->rules());
    engine_ = std::move(engine);
  }
  void on_detection(const anomaly::Detection& detection) override;
  bool told(std::uint64_t id) const override { return desk_.told(id); }
  void was_told(std::uint64_t id) override { desk_.was_told(id); }
  const triage::DeskCounters& counters() const { return desk_.counters(); }
  const OpenAttacks& attacks() const { return attacks_; }
  const triage::ResponderCounters& responses() const { return responder_.counters(); }

 private:
  static constexpr std::size_t kMostAttacks = 1024;
  void remember(const anomaly::Detection& detection, const triage::Decision& decision);

  triage::Desk desk_;
  EventLog& log_;
  std::shared_ptr<const Engine> engine_;  // the desk looks into its rules
  OpenAttacks attacks_;
  triage::Responder responder_;
  triage::GuardClient* guard_;
};

// At the end of a run: what exceptions, zones and rules kept from being told.
void log_hidden(const Settings& settings, const triage::DeskCounters& counters);

}  // namespace gatehouse::ids::engine
