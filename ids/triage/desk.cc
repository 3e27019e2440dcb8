#include "ids/triage/desk.h"

#include <algorithm>

namespace gatehouse::ids::triage {
namespace {

using anomaly::Detection;

bool in_any(std::span<const IpPrefix> networks, const IpAddress& address) {
  return std::any_of(networks.begin(), networks.end(),
                     [&](const IpPrefix& network) { return network.contains(address); });
}

bool all_in(std::span<const IpPrefix> networks, std::span<const IpAddress> named, std::uint64_t total) {
  return !named.empty() && total <= named.size() &&
         std::all_of(named.begin(), named.end(), [&](const IpAddress& a) { return in_any(networks, a); });
}

// The whole network, whoever in it takes part.
bool covers_network(std::span<const IpPrefix> networks, const IpAddress& address, std::uint8_t bits) {
  return bits != 0 && std::any_of(networks.begin(), networks.end(), [&](const IpPrefix& network) {
           return network.length <= bits && network.contains(address);
         });
}

bool is_off(std::span<const Policy::Zone> zones, const IpAddress& address) {
  const Policy::Zone* narrowest = nullptr;
  for (const Policy::Zone& zone : zones) {
    if (!zone.network.contains(address)) continue;
    if (narrowest == nullptr || zone.network.length > narrowest->network.length) narrowest = &zone;
  }
  return narrowest != nullptr && narrowest->off;
}

bool is_off(std::span<const Policy::Zone> zones, const Detection& d) {
  if (zones.empty() || d.targets.empty() || d.targets_total > d.targets.size()) return false;
  return std::all_of(d.targets.begin(), d.targets.end(),
                     [&](const IpAddress& a) { return is_off(zones, a); });
}

bool covers(const Exception& e, const Detection& d) {
  if (d.time_us > e.until_us) return false;
  const std::string_view klass = anomaly::attack_class(d.verdict).klass;
  const bool fits = std::any_of(e.classes.begin(), e.classes.end(),
                                [&](const std::string& pattern) { return class_fits(pattern, klass); });
  return fits &&
         (e.sources.empty() || covers_network(e.sources, d.source, d.source_bits) ||
          all_in(e.sources, d.sources, d.sources_total)) &&
         (e.targets.empty() || covers_network(e.targets, d.target, d.target_bits) ||
          all_in(e.targets, d.targets, d.targets_total));
}

}  // namespace

std::string_view to_string(Fate fate) {
  constexpr std::string_view kNames[] = {"told", "excepted", "zone-off", "suppressed"};
  return kNames[static_cast<std::size_t>(fate)];
}

void DeskCounters::add(const DeskCounters& o) {
  told += o.told;
  excepted += o.excepted;
  off += o.off;
  suppressed += o.suppressed;
  if (by_exception.size() < o.by_exception.size()) by_exception.resize(o.by_exception.size());
  for (std::size_t i = 0; i < o.by_exception.size(); ++i) by_exception[i] += o.by_exception[i];
}

Desk::Desk(const Policy& policy) : policy_(policy) {
  counters_.by_exception.resize(policy.exceptions.size());
}

Decision Desk::decide(const Detection& d) {
  Decision decision;
  decision.fate = judge(d, decision);
  decision.phase = d.phase;
  const bool known = open_.find(d.id) != open_.end();
  if (d.phase == anomaly::Phase::end) open_.erase(d.id);
  if (decision.fate != Fate::told) return decision;
  // Who reads the events has not heard of it before.
  if (!known && d.phase == anomaly::Phase::update) decision.phase = anomaly::Phase::start;
  if (d.phase != anomaly::Phase::end && open_.size() < kMostOpen) open_.insert(d.id);
  return decision;
}

Fate Desk::judge(const Detection& d, Decision& decision) {
  const auto& exceptions = policy_.exceptions;
  const auto found =
      std::find_if(exceptions.begin(), exceptions.end(), [&](const Exception& e) { return covers(e, d); });
  if (found != exceptions.end()) {
    decision.exception = &*found;
    ++counters_.excepted;
    ++counters_.by_exception[static_cast<std::size_t>(found - exceptions.begin())];
    return Fate::excepted;
  }
  if (is_off(policy_.zones, d)) {
    ++counters_.off;
    return Fate::off;
  }
  if (!overrides_.admit(d, decision.told)) {
    ++counters_.suppressed;
    return Fate::suppressed;
  }
  ++counters_.told;
  return Fate::told;
}

}  // namespace gatehouse::ids::triage
