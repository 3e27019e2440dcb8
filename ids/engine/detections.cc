#include "ids/engine/detections.h"

#include "core/log.h"

namespace gatehouse::ids::engine {

void Detections::on_detection(const anomaly::Detection& detection) {
  const triage::Decision decision = desk_.decide(detection);
  remember(detection, decision);
  if (decision.fate != triage::Fate::told) return;
  log_.detection(detection, decision);
  for (const triage::Ban& ban : responder_.rule(detection)) {
    log_.ban(detection, ban);
    // What does not fit is counted by the client.
    if (ban.ruling == triage::Ruling::ask) (void)guard_->ask(ban.request);
  }
}

void Detections::remember(const anomaly::Detection& d, const triage::Decision& decision) {
  if (d.phase == anomaly::Phase::end) {
    attacks_.erase(d.id);
    return;
  }
  if (attacks_.size() >= kMostAttacks && attacks_.find(d.id) == attacks_.end())
    attacks_.erase(attacks_.begin());
  OpenAttack& a = attacks_[d.id];
  a.verdict = d.verdict;
  a.fate = decision.fate;
  a.why_hidden = decision.exception == nullptr ? std::string() : decision.exception->reason;
  a.first_us = d.first_us;
  a.last_us = d.last_us;
  a.source = d.source;
  a.target = d.target;
  a.sources = d.sources_total;
  a.targets = d.targets_total;
  a.confidence = d.confidence;
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
