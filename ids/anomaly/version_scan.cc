// Service probing: one client says this and that to one open port, to learn what listens there. A client
// knows what it wants to speak; who tries many protocols does not.
#include <algorithm>
#include <bit>

#include "core/lazy_array.h"
#include "ids/anomaly/detector.h"

namespace gatehouse::ids::anomaly {
namespace {

constexpr std::int64_t kWindowUs = 600'000'000;
// Kinds of first words at one port: a port that is shared by two protocols has two, a monitor adds a silent
// visit.
// Fewer are chance, whatever the sensitivity.
constexpr std::uint32_t kKindsOfOne = 6;
// Or fewer kinds at several ports.
constexpr int kKindsOfMany = 3;
constexpr std::uint32_t kPorts = 4;
// Who tries kinds repeats none: of protocols whose first bytes are random some kind comes with every
// connection.
constexpr std::uint32_t kTalksOfKind = 3;
constexpr std::size_t kProbers = kFewServers * 8;

// One client at one port; 0: free. What is common costs one look at one line.
struct Talk {
  std::uint32_t tag = 0, kinds = 0;
  std::uint32_t first_s = 0, count = 0;
  static bool sound() { return true; }
};
static_assert(sizeof(Talk) <= kTalkBytes);

struct Prober {  // one client at one host
  std::uint64_t tag = 0;
  std::int64_t first_us = 0, last_us = 0;
  Distinct<1> ports;
  std::int64_t worth() const { return last_us; }
  bool sound() const { return sound_time(first_us) && sound_time(last_us) && ports.sound(); }
};
static_assert(sizeof(Prober) <= kPairBytes);

class VersionScan : public AnomalyDetector {
 public:
  explicit VersionScan(const Context& context) : c_(context), talks_(kTalks), probers_(kProbers) {}

  void archive(StateArchive& a) override {
    a.array(talks_);
    probers_.archive(a);
  }

  std::uint64_t looks_ahead_of() const override {
    return contact_bit(Contact::tcp_data) | contact_bit(Contact::tcp_closed);
  }
  void foresee(const Sighting& o) const override { prefetch_line(&talks_[hash_of(o) % kTalks]); }
  void on_contact(const Sighting& o) override {
    // The programs of one host know its ports, and one address stands for all of them.
    if (o.client == o.server) return;
    if (o.contact == Contact::tcp_data) {
      if (o.value != 0) said(o, static_cast<std::uint32_t>(o.value & 31U));
    } else if (o.detail <= kMuteBytes) {
      said(o, static_cast<std::uint32_t>(FirstWords::none));
    }
  }

 private:
  std::uint64_t hash_of(const Sighting& o) const { return c_.hash.pair(o.pair_key, o.server_port); }
  void said(const Sighting& o, std::uint32_t kind) {
    const std::uint64_t hash = hash_of(o);
    Talk& t = talks_[hash % kTalks];
    const auto tag = static_cast<std::uint32_t>(hash >> 32U) | 1U;
    const auto now_s = static_cast<std::uint32_t>(o.time_us / 1'000'000);
    if (t.tag != tag || now_s - t.first_s > kWindowUs / 1'000'000) t = Talk{tag, 0, now_s, 0};
    ++t.count;
    const std::uint32_t bit = std::uint32_t{1} << kind;
    if ((t.kinds & bit) != 0) return;
    t.kinds |= bit;
    const int kinds = std::popcount(t.kinds);
    if (kinds < kKindsOfMany || t.count > static_cast<std::uint32_t>(kinds) * kTalksOfKind) return;
    bool fresh = false;
    Prober& p = probers_.get(o.pair_key, fresh);
    if (fresh || o.time_us - p.first_us > kWindowUs) {
      renew(p);
      p.first_us = std::int64_t{t.first_s} * 1'000'000;
    }
    p.last_us = o.time_us;
    p.ports.add(c_.hash(o.server_port));
    judge(p, t, o, static_cast<std::uint32_t>(kinds));
  }

  void judge(const Prober& p, const Talk& t, const Sighting& o, std::uint32_t kinds) {
    const std::uint32_t of_one = std::max(kKindsOfOne, c_.config.scaled(kKindsOfOne, o.server));
    const std::uint32_t ports = std::max(kPorts, c_.config.scaled(kPorts, o.server));
    const bool one = kinds >= of_one;
    const bool many = p.ports.bits_set() >= ports;
    if (!one && !many) return;
    // A scan of its ports that is told already says more.
    if (c_.log.active(c_.log.subject(Verdict::scan_vertical, o.client))) return;
    const std::uint64_t subject = c_.log.subject(Verdict::scan_version, o.client, o.server_key);
    if (!c_.log.due(subject, o.time_us, kinds + p.ports.bits_set())) return;
    Finding f(Verdict::scan_version, p.first_us, o.time_us);
    f.name_source(o.client);
    f.name_target(o.server, p.ports.bits_set() == 1 ? o.server_port : 0);
    f.figure("kinds", kinds);
    f.figure("ports", p.ports.bits_set());
    f.figure("connections", t.count);
    f.limit(one ? "kinds" : "ports", one ? of_one : ports);
    f.confidence = std::min(0.95, 1.0 - 1.0 / kinds);
    c_.log.report(subject, f);
  }

  Context c_;
  core::LazyArray<Talk> talks_;
  BucketTable<Prober> probers_;
};

std::unique_ptr<AnomalyDetector> make(const Context& context) {
  if (!context.config.scan) return nullptr;
  return std::make_unique<VersionScan>(context);
}

}  // namespace

extern const AnomalyDescriptor detector_version_scan;
const AnomalyDescriptor detector_version_scan = {
    "version_scan",
    "open ports probed for what listens there",
    contact_bit(Contact::tcp_data) | contact_bit(Contact::tcp_closed),
    0,
    false,
    false,
    false,
    make};

}  // namespace gatehouse::ids::anomaly
