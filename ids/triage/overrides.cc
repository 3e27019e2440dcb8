#include "ids/triage/overrides.h"

#include <algorithm>

namespace gatehouse::ids::triage {
namespace {

using anomaly::Detection;

// Who is named is covered, and nobody goes unnamed.
bool all_in(const AddressSet& set, std::span<const IpAddress> named, std::uint64_t total) {
  if (set.any) return true;
  return !named.empty() && total <= named.size() &&
         std::all_of(named.begin(), named.end(), [&](const IpAddress& a) { return set.contains(a); });
}

bool sources_in(const AddressSet& set, const Detection& d) {
  return all_in(set, d.sources, d.sources_total);
}
bool targets_in(const AddressSet& set, const Detection& d) {
  return all_in(set, d.targets, d.targets_total);
}

bool suppressed(const Rule& rule, const Detection& d) {
  return std::any_of(rule.suppressions.begin(), rule.suppressions.end(), [&](const Suppression& s) {
    switch (s.side) {
      case Suppression::Side::all:
        return true;
      case Suppression::Side::source:
        return sources_in(s.addresses, d);
      case Suppression::Side::destination:
        return targets_in(s.addresses, d);
      case Suppression::Side::either:
        break;
    }
    return sources_in(s.addresses, d) || targets_in(s.addresses, d);
  });
}

}  // namespace

RuleEnvironment::Detectors detectors_of_build() {
  RuleEnvironment::Detectors out;
  out.gid = anomaly::kDetectionGid;
  for (const anomaly::AttackClass& c : anomaly::attack_classes()) out.sids.push_back(c.sid);
  return out;
}

Overrides::Overrides() : counts_(kCounters) {}

void Overrides::use(const RuleList& list) {
  list_ = &list;
  const auto classes = anomaly::attack_classes();
  for (std::size_t i = 0; i < kVerdicts; ++i) {
    unwritten_[i] = Rule{};
    unwritten_[i].meta.gid = anomaly::kDetectionGid;
    unwritten_[i].meta.sid = classes[i].sid;
    apply_tunings(unwritten_[i], list.detection_tunings);
    const auto found = std::find_if(list.detections.begin(), list.detections.end(),
                                    [&](const auto& rule) { return rule->meta.sid == classes[i].sid; });
    written_[i] = found == list.detections.end() ? nullptr : found->get();
  }
}

bool Overrides::admit(const Detection& d, Told& told) {
  const auto at = static_cast<std::size_t>(d.verdict);
  // A rule for some addresses leaves the others as they are.
  const Rule* rule = written_[at];
  if (rule != nullptr && !(sources_in(rule->source, d) && targets_in(rule->destination, d))) rule = nullptr;
  tell(d, rule, told);
  const Rule& limits = rule != nullptr ? *rule : unwritten_[at];
  if (limits.action == RuleAction::pass || suppressed(limits, d)) return false;
  Packet packet;
  packet.source = d.source;
  packet.destination = d.target;
  packet.time_us = d.time_us;
  for (const Threshold& threshold : limits.thresholds) {
    switch (ids::admit(counts_, limits, threshold, packet, nullptr)) {
      case Admission::alert:
        break;
      case Admission::changed:
        if (threshold.new_action == RuleAction::pass) return false;
        told.blocked = threshold.new_action != RuleAction::alert;
        break;
      case Admission::quiet:
      case Admission::below:
        return false;
    }
  }
  return true;
}

void Overrides::tell(const Detection& d, const Rule* rule, Told& told) const {
  const anomaly::AttackClass& attack = anomaly::attack_class(d.verdict);
  told = Told{};
  told.signature = attack.signature;
  told.category = anomaly::attack_category(attack);
  told.severity = attack.severity;
  if (list_ != nullptr) {
    const auto found = list_->classifications.find(anomaly::attack_classtype(attack));
    if (found != list_->classifications.end()) {
      told.category = found->second.description;
      told.severity = found->second.priority;
    }
  }
  if (rule == nullptr) return;
  const RuleMeta& meta = rule->meta;
  if (!meta.message.empty()) told.signature = meta.message;
  if (meta.classtype != nullptr) told.category = meta.classtype->second;
  if (meta.priority != 0) told.severity = meta.priority;
  if (meta.rev != 0) told.rev = meta.rev;
  told.target_is_source = rule->target_is_source;
  told.metadata = meta.metadata;
}

}  // namespace gatehouse::ids::triage
