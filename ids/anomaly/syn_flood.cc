// SYN floods, per (server, port): handshakes that are begun and never completed.
#include <algorithm>
#include <array>

#include "ids/anomaly/bucket_table.h"
#include "ids/anomaly/detector.h"
#include "ids/anomaly/distinct.h"
#include "ids/anomaly/keyed_hash.h"
#include "ids/anomaly/sids.h"

namespace gatehouse::ids::anomaly {
namespace {

constexpr std::size_t kSlots = 10;  // the window slides by a tenth of itself
constexpr std::size_t kSources = 8;
constexpr std::uint64_t kFewSources = 8;  // up to so many are named; more are taken for spoofed

struct Slot {
  std::uint32_t begun = 0, completed = 0, retried = 0;
};

struct Victim {
  std::uint64_t tag = 0;
  IpAddress address;
  std::uint16_t port = 0;
  std::int64_t first_us = 0, last_us = 0;
  std::int64_t slot_number = 0;  // of the newest slot
  std::array<Slot, kSlots> slots{};
  Distinct<8> sources;
  std::array<IpAddress, kSources> samples{};
  std::uint8_t sample_count = 0;
  bool attacked = false;
  std::uint32_t updates = 0;
  std::int64_t reported_us = 0;
  std::uint64_t total_begun = 0;

  std::int64_t worth() const { return last_us + (attacked ? 3600LL * 1'000'000 : 0); }
};

class SynFlood : public AnomalyDetector {
 public:
  explicit SynFlood(const AnomalyConfig& config)
      : hash_(config.hash_seed),
        victims_(config.max_victims),
        window_us_(std::max<std::int64_t>(config.flood_window_us, 100'000)),
        slot_us_(window_us_ / static_cast<std::int64_t>(kSlots)),
        needed_(std::max<std::uint64_t>(
            config.flood_syn_per_second * static_cast<std::uint64_t>(window_us_) / 1'000'000, 10)) {}

  void observe(const Observation& o, DetectionSink& sink) override {
    const bool begun = o.contact == Contact::tcp_attempt;
    if (!begun && o.contact != Contact::tcp_completed && o.contact != Contact::tcp_retry) return;
    const std::uint64_t hash = hash_(o.server, o.server_port);
    Victim* found = victims_.find(hash);
    if (found == nullptr) {
      if (!begun) return;
      bool fresh = false;
      found = &victims_.get(hash, fresh);
      found->address = o.server;
      found->port = o.server_port;
      found->first_us = o.time_us;
    }
    Victim& v = *found;
    slide(v, o.time_us);
    v.last_us = o.time_us;
    Slot& slot = v.slots[static_cast<std::size_t>(v.slot_number) % kSlots];
    if (o.contact == Contact::tcp_completed) {
      ++slot.completed;
    } else if (o.contact == Contact::tcp_retry) {
      ++slot.retried;
    } else {
      ++slot.begun;
      ++v.total_begun;
      if (v.sources.add(hash_(o.client)) && v.sample_count < kSources) v.samples[v.sample_count++] = o.client;
      judge(v, o.time_us, sink);
    }
  }

  void tick(std::int64_t, DetectionSink&) override {}

 private:
  // Empties the slots that time has passed over; after a quiet window everything starts anew.
  void slide(Victim& v, std::int64_t now_us) const {
    const std::int64_t number = now_us / slot_us_;
    if (number <= v.slot_number) return;
    if (number - v.slot_number >= static_cast<std::int64_t>(kSlots)) {
      v.slots = {};
      v.sources.clear();
      v.sample_count = 0;
      v.first_us = now_us;
      v.total_begun = 0;
      // An attack that pauses for some windows is the same attack; after a minute it is a new one.
      if (now_us - v.last_us > 60'000'000) v.attacked = false;
    } else {
      for (std::int64_t n = v.slot_number + 1; n <= number; ++n)
        v.slots[static_cast<std::size_t>(n) % kSlots] = {};
    }
    v.slot_number = number;
  }

  void judge(Victim& v, std::int64_t now_us, DetectionSink& sink) const {
    Slot sum;
    for (const Slot& slot : v.slots) {
      sum.begun += slot.begun;
      sum.completed += slot.completed;
      sum.retried += slot.retried;
    }
    if (sum.begun < needed_) return;
    // Handshakes in flight are not completed yet, and a crowd at a live server completes most.
    if (std::uint64_t{sum.completed} * 5 > sum.begun) return;
    // Clients of a dead server try again; forged and raw-socket SYNs come once.
    if (std::uint64_t{sum.retried} * 3 > sum.begun) return;
    if (v.attacked) {
      const std::int64_t pause = 10'000'000LL << std::min<std::uint32_t>(2 * v.updates, 20);
      if (now_us - v.reported_us < pause) return;
      ++v.updates;
    } else {
      v.attacked = true;
      v.updates = 0;
    }
    v.reported_us = now_us;
    report(v, sum, now_us, sink);
  }

  void report(const Victim& v, const Slot& sum, std::int64_t now_us, DetectionSink& sink) const {
    const std::uint64_t sources = v.sources.estimate();
    Detection d;
    d.sid = kSidSynFlood;
    d.klass = "dos.synflood";
    d.message = "GATEHOUSE SYN flood";
    d.severity = 1;
    d.time_us = now_us;
    d.target = v.address;
    d.target_port = v.port;
    const IpAddress target = v.address;
    d.targets = std::span(&target, 1);
    d.targets_total = 1;
    d.sources_total = sources;
    // Many sources are forged addresses: naming them would accuse the innocent.
    if (sources <= kFewSources && v.sample_count != 0) {
      d.sources = std::span(v.samples).first(v.sample_count);
      d.source = v.samples[0];
    }
    const std::pair<std::string_view, std::uint64_t> evidence[] = {
        {"begun", sum.begun}, {"completed", sum.completed}, {"retried", sum.retried}, {"port", v.port}};
    d.evidence = evidence;
    d.window_us = std::min(now_us - v.first_us, window_us_);
    d.confidence = std::min(
        0.99, 1.0 - static_cast<double>(sum.completed + sum.retried) / static_cast<double>(sum.begun));
    d.update = v.updates;
    sink.on_detection(d);
  }

  KeyedHash hash_;
  BucketTable<Victim> victims_;
  std::int64_t window_us_;
  std::int64_t slot_us_;
  std::uint64_t needed_;
};

std::unique_ptr<AnomalyDetector> make(const AnomalyConfig& config) {
  if (!config.flood) return nullptr;
  return std::make_unique<SynFlood>(config);
}

}  // namespace

extern const AnomalyDescriptor detector_syn_flood;
const AnomalyDescriptor detector_syn_flood = {"syn_flood", "TCP handshakes begun and never completed", make};

}  // namespace gatehouse::ids::anomaly
