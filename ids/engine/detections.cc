#include "ids/engine/detections.h"

#include "core/log.h"

namespace gatehouse::ids::engine {

void Detections::on_detection(const anomaly::Detection& detection) {
  const triage::Decision decision = desk_.decide(detection);
  if (decision.fate == triage::Fate::told) log_.detection(detection, decision);
}

void log_hidden(const Settings& settings, const triage::DeskCounters& counters) {
  const auto& exceptions = settings.triage.exceptions;
  for (std::size_t i = 0; i < exceptions.size() && i < counters.by_exception.size(); ++i) {
    if (counters.by_exception[i] == 0) continue;
    core::log_info("the exception at {} hid {} event(s): {}", exceptions[i].where.to_string(),
                   counters.by_exception[i], exceptions[i].reason);
  }
  if (counters.off != 0)
    core::log_info("zones that are switched off hid {} event(s) of detectors", counters.off);
  if (counters.suppressed != 0)
    core::log_info("rule and threshold files silenced {} event(s) of detectors", counters.suppressed);
}

}  // namespace gatehouse::ids::engine
