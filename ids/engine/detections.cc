#include "ids/engine/detections.h"

namespace gatehouse::ids::engine {

void Detections::on_detection(const anomaly::Detection& detection) {
  const triage::Decision decision = desk_.decide(detection);
  if (decision.fate == triage::Fate::told) log_.detection(detection, decision);
}

}  // namespace gatehouse::ids::engine
