#include "ids/match/thresholds.h"

#include <algorithm>

namespace gatehouse::ids {
namespace {

std::uint64_t mix(std::uint64_t h, std::uint64_t value) {
  h ^= value;
  h *= 0x9e37'79b9'7f4a'7c15ULL;
  return h ^ h >> 29U;
}

std::uint64_t mix(std::uint64_t h, const IpAddress& address) {
  h = mix(h, address.version);
  for (std::size_t i = 0; i < 16; i += 8) {
    std::uint64_t part = 0;
    for (std::size_t j = 0; j < 8; ++j) part = part << 8U | address.bytes[i + j];
    h = mix(h, part);
  }
  return h;
}

using Entry = ThresholdCounts::Entry;

std::uint64_t key_of(std::uint64_t seed, const Rule& rule, const Threshold& threshold, const Packet& packet,
                     const Flow* flow) {
  std::uint64_t h = mix(seed, static_cast<std::uint64_t>(rule.meta.gid) << 32U | rule.meta.sid);
  h = mix(h, static_cast<std::uint64_t>(threshold.track) << 8U | static_cast<std::uint64_t>(threshold.kind));
  h = mix(h, static_cast<std::uint64_t>(threshold.count) << 32U | threshold.seconds);
  switch (threshold.track) {
    case TrackBy::by_src:
      h = mix(h, packet.source);
      break;
    case TrackBy::by_dst:
      h = mix(h, packet.destination);
      break;
    case TrackBy::by_both:
      // The pair, whichever way the packet goes.
      h = mix(mix(h, std::min(packet.source, packet.destination)),
              std::max(packet.source, packet.destination));
      break;
    case TrackBy::by_flow:
      h = mix(h, flow == nullptr ? 0 : flow->id);
      break;
    case TrackBy::by_rule:
      break;
  }
  return h == 0 ? 1 : h;
}

// The first alert comes with match `count`, each further one after `multiplier` times as many.
Admission backoff(Entry& entry, const Threshold& threshold) {
  if (entry.next == 0) entry.next = threshold.count;
  if (entry.count < UINT32_MAX) ++entry.count;
  if (entry.count != entry.next) return Admission::quiet;
  const std::uint64_t next = std::uint64_t{entry.next} * threshold.multiplier;
  entry.next = static_cast<std::uint32_t>(std::min<std::uint64_t>(next, UINT32_MAX));
  return Admission::alert;
}

// More than `count` matches within the window: the new action holds for the time-out, then the
// count starts anew.
Admission rate(Entry& entry, const Threshold& threshold, std::int64_t now_us) {
  if (entry.changed_us != 0) {
    if (now_us - entry.changed_us <= std::int64_t{threshold.timeout_seconds} * 1'000'000)
      return Admission::changed;
    entry.changed_us = 0;
    return Admission::alert;
  }
  if (now_us - entry.start_us > std::int64_t{threshold.seconds} * 1'000'000) {
    entry.start_us = now_us;
    entry.count = 0;
  }
  if (++entry.count <= threshold.count) return Admission::alert;
  entry.changed_us = now_us;
  return Admission::changed;
}

Admission count(Entry& entry, const Threshold& threshold, std::int64_t now_us) {
  if (threshold.kind == Threshold::Kind::backoff) return backoff(entry, threshold);
  if (threshold.kind == Threshold::Kind::rate) return rate(entry, threshold, now_us);
  const std::int64_t window_us = static_cast<std::int64_t>(threshold.seconds) * 1'000'000;
  // The last moment of the window belongs to it.
  if (now_us - entry.start_us > window_us) {
    entry.start_us = now_us;
    entry.count = 0;
  }
  ++entry.count;
  switch (threshold.kind) {
    case Threshold::Kind::limit:
      return entry.count <= threshold.count ? Admission::alert : Admission::quiet;
    case Threshold::Kind::threshold:
      if (entry.count < threshold.count) return Admission::below;
      entry.count = 0;
      entry.start_us = now_us;
      return Admission::alert;
    case Threshold::Kind::both:
      if (entry.count < threshold.count) return Admission::below;
      return entry.count == threshold.count ? Admission::alert : Admission::quiet;
    case Threshold::Kind::detection_filter:
      return entry.count > threshold.count ? Admission::alert : Admission::below;
    case Threshold::Kind::backoff:
    case Threshold::Kind::rate:
      break;
  }
  return Admission::alert;
}

}  // namespace

Admission admit(ThresholdCounts& counts, const Rule& rule, const Threshold& threshold, const Packet& packet,
                const Flow* flow) {
  return counts.update(key_of(counts.seed(), rule, threshold, packet, flow), packet.time_us,
                       [&](Entry& entry) { return count(entry, threshold, packet.time_us); });
}

}  // namespace gatehouse::ids
