#include "ids/anomaly/victims.h"

#include <algorithm>
#include <cmath>
#include <utility>

namespace gatehouse::ids::anomaly {
namespace {

constexpr std::int64_t kSlotUs = 100'000;
constexpr std::int64_t kPauseUs = 10'000'000;
constexpr std::int64_t kDistinctUs = 2'000'000;
constexpr std::int64_t kLookUs = 10'000;
constexpr std::uint32_t kPlenty = 8, kSampled = 16;

// What makes a victim worth a look, and a source worth noting.
bool is_unasked(Tally tally) {
  switch (tally) {
    case Tally::syn:
    case Tally::stray:
    case Tally::reset:
    case Tally::syn_ack:
    case Tally::udp:
    case Tally::icmp:
    case Tally::fragment:
      return true;
    default:
      return false;
  }
}

// What is left of an average after so many seconds of nothing, with a time constant of 32 s.
float left_after(std::int64_t seconds) {
  constexpr std::int64_t kNothing = 1'024;  // 10^-14
  if (seconds >= kNothing) return 0;
  float left = 1;
  for (float power = 31.0F / 32; seconds != 0; seconds /= 2, power *= power) {
    if (seconds % 2 != 0) left *= power;
  }
  return left;
}

std::uint16_t capped(std::uint64_t n) {
  return static_cast<std::uint16_t>(std::min<std::uint64_t>(n, UINT16_MAX));
}

}  // namespace

// Services that answer much to little over UDP (US-CERT TA14-017A and its successors).
int reflecting_service(std::uint16_t port) {
  switch (port) {
    case 53:
      return kReflectDns;
    case 123:
      return kReflectNtp;
    case 1900:
      return kReflectSsdp;
    case 11211:
      return kReflectMemcached;
    case 17:     // quote of the day
    case 19:     // character generator
    case 69:     // TFTP
    case 111:    // portmapper
    case 137:    // NetBIOS names
    case 161:    // SNMP
    case 389:    // CLDAP
    case 520:    // RIPv1
    case 1434:   // SQL Server Resolution
    case 3283:   // Apple Remote Desktop
    case 3389:   // RDP over UDP
    case 3702:   // WS-Discovery
    case 5093:   // Sentinel license manager
    case 5353:   // multicast DNS
    case 5683:   // CoAP
    case 10001:  // Ubiquiti discovery
    case 27015:  // Steam
    case 27960:  // Quake 3
    case 37810:  // DVR discovery
      return kReflectOther;
    default:
      return -1;
  }
}

std::uint32_t Victim::older(Tally tally) const {
  std::uint32_t n = 0;
  for (std::int64_t back = kSlots - kOlder; back < static_cast<std::int64_t>(kSlots); ++back) {
    if (slot < back) break;
    n += slots[static_cast<std::size_t>(slot - back) % kSlots][static_cast<std::size_t>(tally)];
  }
  return n;
}

bool Victim::sound() const {
  return anomaly::sound(address) && sound_time(first_us) && sound_time(last_us) && sound_time(slot) &&
         sound_time(next_look_us) && sound_time(distinct_us) && std::isfinite(usual_syn) && sources.sound() &&
         ports.sound() && hosts.sound() && suspicion < static_cast<int>(kSuspicions);
}

void VictimTable::archive(StateArchive& a) {
  table_.archive(a);
  a.array(pool_);
  a.array(owners_);
  a.array(glances_);
  a.value(glance_buckets_,
          [this](std::uint64_t n) { return std::has_single_bit(n) && n <= glances_.size() / kGlances; });
  a.value(next_free_);
  a.value(random_, [](std::uint64_t random) { return random != 0; });
}

void VictimTable::slide(Victim& v, std::int64_t now_us) {
  const std::int64_t slot = now_us / kSlotUs;
  if (slot <= v.slot) return;
  if (slot - v.slot >= static_cast<std::int64_t>(Victim::kSlots)) {
    v.slots = {};
    v.sum = {};
  } else {
    for (std::int64_t n = v.slot + 1; n <= slot; ++n) {
      auto& gone = v.slots[static_cast<std::size_t>(n) % Victim::kSlots];
      for (std::size_t i = 0; i < kTallies; ++i) v.sum[i] -= gone[i];
      gone = {};
    }
  }
  // Once a second: what is usual here, with a time constant of 32 s.
  const std::int64_t seconds = slot / 10 - v.slot / 10;
  if (seconds > 0) {
    v.usual_syn += (static_cast<float>(v.second_syn) - v.usual_syn) / 32;
    v.second_syn = 0;
    if (v.usual_syn != 0) v.usual_syn *= left_after(seconds - 1);
  }
  v.slot = slot;
}

void VictimTable::count_distinct(Victim& v, const Sighting& o) {
  if (o.time_us - v.distinct_us > kDistinctUs) {
    const bool fresh = o.time_us - v.distinct_us < 2 * kDistinctUs;
    v.sources_before = fresh ? capped(v.sources.estimate()) : 0;
    v.ports_before = fresh ? capped(v.ports.estimate()) : 0;
    v.hosts_before = fresh ? capped(v.hosts.estimate()) : 0;
    v.sources.clear();
    v.ports.clear();
    v.hosts.clear();
    v.top_votes = v.votes = 0;
    v.distinct_us = o.time_us;
  }
  v.sources.add(o.client_key);
  v.ports.add(hash_(o.server_port));
  const std::uint64_t part = prefix_ ? o.server_key : o.server_port;
  if (prefix_) v.hosts.add(part);
  const std::uint32_t count = o.count;
  v.votes += count;
  if (v.top == part) {
    v.top_votes += count;
  } else if (v.top_votes < count) {
    v.top = part;
    v.top_votes = count - v.top_votes;
  } else {
    v.top_votes -= count;
  }
}

// What was answered does not count for what one host gets unasked.
void VictimTable::withdraw(Victim& v, const Sighting& o) const {
  if (v.votes == 0) return;
  --v.votes;
  if (v.top != o.server_key) {
    ++v.top_votes;
  } else if (v.top_votes != 0) {
    --v.top_votes;
  }
}

void VictimTable::release(Victim& v) {
  if (v.suspicion < 0) return;
  const auto at = static_cast<std::size_t>(v.suspicion);
  if (owners_[at] == v.tag) owners_[at] = 0;
  v.suspicion = -1;
}

void VictimTable::suspect(Victim& v, const Sighting& o, Tally tally, std::uint32_t times) {
  if (v.suspicion >= 0 && owners_[static_cast<std::size_t>(v.suspicion)] != v.tag) v.suspicion = -1;
  if (v.suspicion < 0) {
    if (v[tally] < notable_) return;
    // The next one in turn, free or not: who is under attack asks again at once.
    const std::size_t at = next_free_++ % kSuspicions;
    owners_[at] = v.tag;
    pool_[at] = Suspicion{};
    v.suspicion = static_cast<std::int16_t>(at);
  }
  Suspicion& s = pool_[static_cast<std::size_t>(v.suspicion)];
  s.sources.add(o.client_key, o.client, o.count * times);
  const int service = o.protocol == 17 ? reflecting_service(o.client_port) : -1;
  if (service >= 0) s.reflectors[static_cast<std::size_t>(service)] += o.count * times;
}

// Over twice as many buckets: each takes half of what its other half has.
void VictimTable::spread_glances() {
  const std::uint64_t before = std::exchange(glance_buckets_, glance_buckets_ * 2);
  for (std::size_t at = 0; at < before * kGlances; ++at) {
    Glance& from = glances_[at];
    const std::size_t bucket = bucket_of(from.tag);
    if (bucket == at / kGlances * kGlances) continue;
    glances_[bucket + at % kGlances] = std::exchange(from, Glance{});
  }
}

bool VictimTable::glance(std::uint64_t hash, const Sighting& o, std::int64_t& first_us) {
  // As many as a victim may have unasked in a second without being of interest to anybody.
  constexpr std::uint32_t kEnough = 16;
  constexpr std::uint32_t kPause = 100, kSecond = 10;                // tenths of a second
  const auto now = static_cast<std::uint32_t>(o.time_us / kSlotUs);  // differences count; it may wrap
  const std::uint32_t tag = tag_of(hash);
  Glance* g = nullptr;
  for (bool settled = false; !settled;) {
    Glance* const bucket = &glances_[bucket_of(tag)];
    g = bucket;
    for (std::size_t i = 0; i < kGlances; ++i) {
      if (bucket[i].tag == tag) {
        g = &bucket[i];
        break;
      }
      if (now - bucket[i].last > now - g->last) g = &bucket[i];
    }
    // All four are alive.
    const bool crowded = g->tag != tag && g->tag != 0 && now - g->last <= kPause;
    settled = !crowded || glance_buckets_ * kGlances == glances_.size();
    if (!settled) spread_glances();
  }
  if (g->tag != tag || now - g->last > kPause) *g = {tag, now, now, 0};
  if (now - g->last >= kSecond) g->count /= 2;
  g->count += o.count;
  g->last = now;
  if (g->count < kEnough) return false;
  first_us = o.time_us - std::int64_t{now - g->first} * kSlotUs;
  return true;
}

VictimTable::Counted VictimTable::add(const Sighting& o, std::uint64_t key, Tally tally) {
  Victim* found = table_.find(key);
  if (found == nullptr) {
    std::int64_t first_us = o.time_us;
    if (!is_unasked(tally) || !glance(key, o, first_us)) return {};
    bool fresh = false;
    found = &table_.get(key, fresh);
    found->address = prefix_ ? prefix_of(o.server) : o.server;
    found->prefix_bits = o.server.is_v4() ? (prefix_ ? 24 : 32) : (prefix_ ? 64 : 128);
    found->first_us = first_us;
  }
  Victim& v = *found;
  if (o.time_us - v.last_us > kPauseUs && v.last_us != 0) {
    v.first_us = o.time_us;
    release(v);
  }
  slide(v, o.time_us);
  v.last_us = std::max(v.last_us, o.time_us);
  const auto index = static_cast<std::size_t>(tally);
  std::uint16_t& cell = v.slots[static_cast<std::size_t>(v.slot) % Victim::kSlots][index];
  const std::uint32_t room = static_cast<std::uint32_t>(UINT16_MAX) - cell;
  const std::uint32_t count = std::min<std::uint32_t>(o.count, room);
  cell = static_cast<std::uint16_t>(cell + count);
  v.sum[index] += count;
  // Only what was answered is usual: a scan is not, however long it takes.
  if (tally == Tally::syn_completed) v.second_syn += count;
  if (!is_unasked(tally)) {
    if (prefix_) withdraw(v, o);
    return {found, false};
  }
  // Of a network far beyond doubt one packet in four tells who takes part.
  if (!prefix_ || v.sum[index] < notable_ * kPlenty || (draw() & 3U) == 0) count_distinct(v, o);
  // Of what is far beyond doubt one packet in sixteen names its source, at random: patterns would show.
  const std::uint32_t every = v.sum[index] >= notable_ * kPlenty        ? kSampled
                              : prefix_ && v.sum[index] >= 2 * notable_ ? kSampled / 4
                                                                        : 1;
  static_assert(std::has_single_bit(kSampled));
  if (every == 1 || (draw() & (every - 1)) == 0) suspect(v, o, tally, every);
  v.last_port = o.server_port;
  v.last_protocol = o.protocol;
  v.bytes = o.bytes;
  if (v.sum[index] < notable_ || o.time_us < v.next_look_us) return {found, false};
  v.next_look_us = o.time_us + kLookUs;
  return {found, true};
}

void VictimTable::describe(MonitorView& view) const {
  constexpr std::int64_t kRecentUs = 2'000'000;
  table_.each([&](const Victim& v) {
    if (view.now_us() - v.last_us > kRecentUs) return;
    VictimView row;
    row.address = v.address;
    row.prefix_bits = prefix_ ? v.prefix_bits : 0;
    row.syn = v[Tally::syn];
    row.completed = v[Tally::syn_completed];
    row.udp = v[Tally::udp];
    row.icmp = v[Tally::icmp];
    row.stray = v[Tally::stray];
    row.fragments = v[Tally::fragment];
    row.sources = v.source_count();
    row.last_us = v.last_us;
    if (row.unasked() != 0) view.add(row);
  });
}

}  // namespace gatehouse::ids::anomaly
