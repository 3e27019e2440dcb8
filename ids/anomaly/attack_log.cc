#include "ids/anomaly/attack_log.h"

#include <algorithm>
#include <utility>

#include "ids/anomaly/reason.h"

namespace gatehouse::ids::anomaly {
namespace {

constexpr std::int64_t kSecond = 1'000'000;
// Updates: four times the evidence, and at least ten seconds later, then forty ...
constexpr std::int64_t kUpdateUs = 10 * kSecond, kUpdateMostUs = 24 * 3600 * kSecond;
constexpr std::uint64_t kUpdateFactor = 4;
// Of what took long to show, news comes as slowly.
constexpr std::int64_t kUpdateSpans = 8;
// An attack that pauses is the same attack: for a minute, or for eight of its own intervals.
constexpr std::int64_t kQuietLeastUs = 60 * kSecond;
constexpr std::int64_t kQuietMostUs = 6 * 3600 * kSecond;
constexpr std::int64_t kQuietIntervals = 8;

}  // namespace

std::string_view to_string(Phase phase) {
  return phase == Phase::start ? "start" : phase == Phase::update ? "update" : "end";
}

void Finding::name_sources(const AddressCounts& counts, std::uint32_t least) {
  sources_total = counts.distinct();
  if (!counts.repeats()) return;
  source_count = counts.list(sources, least);
  if (source_count == 0) return;
  source = sources[0];
  sources_total = std::max<std::uint64_t>(source_count, counts.named());
}

void Finding::name_source(const IpAddress& address) {
  source = sources[0] = address;
  source_count = 1;
  sources_total = 1;
}

void Finding::name_senders(const AddressCounts& counts, std::uint32_t least, const IpAddress& otherwise) {
  source_count = counts.list(sources, least);
  source = source_count == 0 ? otherwise : sources[0];
  sources_total = std::max<std::uint64_t>(source_count, 1);
}

void Finding::name_network(std::span<const IpAddress> addresses, std::uint64_t total, std::uint8_t bits) {
  source_count = std::min(addresses.size(), sources.size());
  std::copy_n(addresses.begin(), source_count, sources.begin());
  if (source_count != 0) source = sources[0];
  sources_total = std::max<std::uint64_t>(total, source_count);
  source_bits = bits;
}

void Finding::name_targets(const IpAddress& address, std::span<const IpAddress> some, std::uint64_t total) {
  target = address;
  target_count = std::min(some.size(), targets.size());
  std::copy_n(some.begin(), target_count, targets.begin());
  targets_total = total;
}

void Finding::name_target(const IpAddress& address, std::uint16_t port) {
  target = targets[0] = address;
  target_port = port;
  target_count = 1;
  targets_total = 1;
}

bool AttackLog::due(std::uint64_t subject, std::int64_t now_us, std::uint64_t amount) {
  const auto at = attacks_.find(subject);
  if (at == attacks_.end()) return true;
  Attack& attack = *at->second;
  attack.last_us = std::max(attack.last_us, now_us);
  attack.amount = std::max(attack.amount, amount);
  ends_us_ = std::min(ends_us_, attack.last_us + kQuietLeastUs);
  // What is known is renewed at each quarter more, for the event of the end.
  return amount * 4 > attack.known_amount * 5 || event_due(attack, now_us, amount);
}

bool AttackLog::event_due(const Attack& attack, std::int64_t now_us, std::uint64_t amount) {
  const std::int64_t first_us = std::max(std::min(attack.took_us, kUpdateMostUs) * kUpdateSpans, kUpdateUs);
  const std::int64_t pause = first_us << std::min<std::uint32_t>(2 * attack.updates, 20);
  if (now_us - attack.reported_us < pause) return false;
  // The evidence of floods is a rate: lasting is growth enough.
  return is_flood(attack.finding.verdict) || amount >= attack.reported_amount * kUpdateFactor;
}

void AttackLog::report(std::uint64_t subject, const Finding& finding) {
  auto at = attacks_.find(subject);
  const bool fresh = at == attacks_.end();
  if (fresh) {
    if (attacks_.size() >= kMost) make_room();
    at = attacks_.emplace(subject, std::make_unique<Attack>()).first;
    at->second->id = inherited_id_ != 0 ? inherited_id_ : ++next_id_;
    at->second->last_us = finding.time_us;
    at->second->took_us = std::max<std::int64_t>(finding.time_us - finding.first_us, 0);
    if (is_flood(finding.verdict)) ++floods_;
    ends_us_ = std::min(ends_us_, finding.time_us + kQuietLeastUs);
  }
  // What others of its id said before makes this an update of them.
  const bool goes_on = std::exchange(inherited_id_, 0) != 0;
  Attack& attack = *at->second;
  const std::int64_t first_us = fresh ? finding.first_us : attack.finding.first_us;
  // The first figure is what grows with the attack.
  const std::uint64_t amount = finding.figure_count == 0 ? 1 : finding.figures[0].second;
  const bool event = fresh || event_due(attack, finding.time_us, amount);
  attack.finding = finding;
  attack.finding.first_us = first_us;
  attack.known_amount = amount;
  attack.amount = std::max(attack.amount, amount);
  if (!event) return;
  attack.reported_us = finding.time_us;
  attack.reported_amount = amount;
  if (!fresh || goes_on) ++attack.updates;
  ++reported_;
  emit(attack, fresh && !goes_on ? Phase::start : Phase::update);
}

bool AttackLog::find_flood(const IpAddress& target) const {
  return std::any_of(attacks_.begin(), attacks_.end(), [&](const auto& row) {
    return is_flood(row.second->finding.verdict) && row.second->finding.target == target;
  });
}

bool AttackLog::flooded_within(const IpAddress& prefix, unsigned bits) const {
  if (floods_ == 0) return false;
  const core::IpPrefix network{prefix, static_cast<std::uint8_t>(bits)};
  return std::any_of(attacks_.begin(), attacks_.end(), [&](const auto& row) {
    const Finding& f = row.second->finding;
    return is_flood(f.verdict) && f.verdict != Verdict::carpet && network.contains(f.target);
  });
}

bool AttackLog::explained(const IpAddress& source, const IpAddress& target) const {
  return std::any_of(attacks_.begin(), attacks_.end(), [&](const auto& row) {
    const Finding& f = row.second->finding;
    const bool shared = f.verdict == Verdict::scan_distributed || f.verdict == Verdict::scan_decoy;
    if (shared)
      return f.target_bits != 0 ? network_of(f.target, f.target_bits).contains(target) : f.target == target;
    if (!is_flood(f.verdict)) return false;
    const auto names = f.sources.begin() + static_cast<std::ptrdiff_t>(f.source_count);
    const bool named = std::find(f.sources.begin(), names, source) != names;
    return named && (f.target == target || f.verdict == Verdict::carpet);
  });
}

std::size_t AttackLog::carpets_within(const core::IpPrefix& wide) const {
  if (floods_ == 0) return 0;
  return static_cast<std::size_t>(std::count_if(attacks_.begin(), attacks_.end(), [&](const auto& row) {
    return row.second->finding.verdict == Verdict::carpet && wide.contains(row.second->finding.target);
  }));
}

void AttackLog::merge_carpets(const core::IpPrefix& wide) {
  for (auto at = attacks_.begin(); at != attacks_.end();) {
    const Attack& attack = *at->second;
    if (attack.finding.verdict != Verdict::carpet || !wide.contains(attack.finding.target)) {
      ++at;
      continue;
    }
    if (inherited_id_ == 0 || attack.id < inherited_id_) inherited_id_ = attack.id;
    --floods_;
    at = attacks_.erase(at);
  }
}

void AttackLog::absorb_network(const core::IpPrefix& network, Verdict verdict, const IpAddress& target) {
  for (auto at = attacks_.begin(); at != attacks_.end();) {
    const Finding& f = at->second->finding;
    const bool alike = is_scan(verdict) ? is_scan(f.verdict) : f.verdict == verdict && f.target == target;
    const bool part = alike && f.source_count == 1 && f.source_bits == 0 && network.contains(f.source);
    if (!part) {
      ++at;
      continue;
    }
    if (inherited_id_ == 0 || at->second->id < inherited_id_) inherited_id_ = at->second->id;
    at = attacks_.erase(at);
  }
}

void AttackLog::absorb(const Finding& finding) {
  for (auto at = attacks_.begin(); at != attacks_.end();) {
    const Finding& f = at->second->finding;
    const auto names = finding.sources.begin() + static_cast<std::ptrdiff_t>(finding.source_count);
    const bool there = finding.target_bits != 0
                           ? network_of(finding.target, finding.target_bits).contains(f.target)
                           : f.targets_total <= 2 && f.target == finding.target;
    const bool part = is_scan(f.verdict) && f.verdict != finding.verdict && f.source_count == 1 && there &&
                      std::find(finding.sources.begin(), names, f.source) != names;
    if (!part) {
      ++at;
      continue;
    }
    if (inherited_id_ == 0 || at->second->id < inherited_id_) inherited_id_ = at->second->id;
    at = attacks_.erase(at);
  }
}

std::int64_t AttackLog::quiet_us(const Attack& attack) {
  const std::int64_t span = attack.last_us - attack.finding.first_us;
  const std::int64_t interval = span / static_cast<std::int64_t>(std::max<std::uint64_t>(attack.amount, 1));
  return std::clamp(interval * kQuietIntervals, kQuietLeastUs, kQuietMostUs);
}

void AttackLog::tick(std::int64_t now_us) {
  if (now_us <= ends_us_) return;
  ends_us_ = std::numeric_limits<std::int64_t>::max();
  for (auto at = attacks_.begin(); at != attacks_.end();) {
    const auto next = std::next(at);
    const std::int64_t quiet_until_us = at->second->last_us + quiet_us(*at->second);
    if (now_us > quiet_until_us) {
      end(at);
    } else {
      ends_us_ = std::min(ends_us_, quiet_until_us);
    }
    at = next;
  }
}

void AttackLog::finish() {
  // Oldest first: the order of a hash table is nobody's.
  while (!attacks_.empty()) {
    end(std::min_element(attacks_.begin(), attacks_.end(),
                         [](const auto& a, const auto& b) { return a.second->id < b.second->id; }));
  }
}

void AttackLog::make_room() {
  end(std::min_element(attacks_.begin(), attacks_.end(), [](const auto& a, const auto& b) {
    return a.second->last_us != b.second->last_us ? a.second->last_us < b.second->last_us
                                                  : a.second->id < b.second->id;
  }));
}

void AttackLog::end(std::unordered_map<std::uint64_t, std::unique_ptr<Attack>>::iterator at) {
  if (is_flood(at->second->finding.verdict)) --floods_;
  emit(*at->second, Phase::end);
  attacks_.erase(at);
}

void AttackLog::emit(const Attack& attack, Phase phase) {
  const Finding& f = attack.finding;
  Detection d;
  d.verdict = f.verdict;
  d.phase = phase;
  d.id = attack.id;
  d.packet = phase == Phase::end ? 0 : packet_;
  d.time_us = phase == Phase::end ? attack.last_us : f.time_us;
  d.first_us = f.first_us;
  d.last_us = attack.last_us;
  d.source = f.source;
  d.target = f.target;
  d.target_port = f.target_port;
  d.protocol = f.protocol;
  d.sources = std::span(f.sources).first(f.source_count);
  d.targets = std::span(f.targets).first(f.target_count);
  d.sources_total = f.sources_total;
  d.targets_total = f.targets_total;
  d.source_bits = f.source_bits;
  d.target_bits = f.target_bits;
  d.evidence = std::span(f.figures).first(f.figure_count);
  d.limits = std::span(f.limits).first(f.limit_count);
  d.reason = reason_of(f.verdict);
  d.window_us = f.window_us;
  d.confidence = f.confidence;
  d.update = attack.updates;
  sink_.on_detection(d);
}

}  // namespace gatehouse::ids::anomaly
