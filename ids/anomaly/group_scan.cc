// Scans of one host by many sources: shared out among them (distributed), or the same from each (decoys); and
// of one port of a network whose hosts are shared out.
#include <algorithm>

#include "ids/anomaly/address_list.h"
#include "ids/anomaly/detector.h"

namespace gatehouse::ids::anomaly {
namespace {

constexpr std::int64_t kWindowUs = 60'000'000;
// Shared out: twelve dead ports of one host, asked for by four or more, nobody having half of them. Clients
// of one host agree on its ports, and ports that ever answered do not count.
constexpr std::uint32_t kSharedPorts = 12, kSharedSources = 4;
// Decoys: three or more ask for the same dead ports.
constexpr std::uint32_t kDecoyPorts = 5, kDecoySources = 3;

// Dead hosts of one network on one port within a minute, nobody having half of them. Before so many failures
// there nobody looks closer.
constexpr std::uint32_t kSharedHosts = 24, kGlimpses = 12;

struct Swept {
  std::uint64_t tag = 0;
  std::int64_t first_us = 0, last_us = 0;
  std::uint32_t taken_back = 0;
  bool told = false;  // it may go on for longer than the window
  Distinct<8> hosts;
  Distinct<16> pairs;
  AddressCounts sources;
  AddressList targets;

  bool sound() const {
    return sound_time(first_us) && sound_time(last_us) && hosts.sound() && pairs.sound() && sources.sound() &&
           targets.sound();
  }
  bool is_over(std::int64_t now_us) const { return !told && now_us - first_us > kWindowUs; }
  std::int64_t worth() const { return last_us + static_cast<std::int64_t>(pairs.bits_set()) * 1'000'000; }
};
static_assert(sizeof(Swept) <= kSweptBytes);

struct Scanned {
  std::uint64_t tag = 0;
  IpAddress address;
  bool told = false;
  std::int64_t first_us = 0, last_us = 0;
  Distinct<8> ports;
  Distinct<16> pairs;
  AddressCounts sources;

  bool sound() const {
    return anomaly::sound(address) && sound_time(first_us) && sound_time(last_us) && ports.sound() &&
           pairs.sound() && sources.sound();
  }
  bool is_over(std::int64_t now_us) const { return !told && now_us - first_us > kWindowUs; }
  std::int64_t worth() const { return last_us + static_cast<std::int64_t>(pairs.bits_set()) * 1'000'000; }
};

static_assert(sizeof(Scanned) <= kSharedBytes);

class GroupScan : public AnomalyDetector {
 public:
  GroupScan(const Context& context, std::size_t entries)
      : c_(context), table_(entries), swept_(kSweptNetworks) {}

  void archive(StateArchive& a) override {
    table_.archive(a);
    swept_.archive(a);
    a.value(glimpses_);
    a.value(glimpses_us_, sound_time);
  }

  void on_outcome(const Outcome& o) override {
    if (o.result == Result::taken_back && o.counted && o.protocol == 6) return take_back(o);
    const bool failed = o.result == Result::refused || o.result == Result::silent || o.result == Result::odd;
    if (!failed || (o.protocol != 6 && o.result != Result::refused)) return;
    if (o.protocol != 6 && o.protocol != 17) return;
    if (c_.successes.knows_service(c_.hash.join(o.server_key, o.server_port))) return;
    if (o.protocol == 6 && o.result != Result::odd) sweep(o);
    bool fresh = false;
    Scanned& s = table_.get(o.server_key, fresh, o.time_us);
    const std::uint64_t subject = c_.log.subject(Verdict::scan_distributed, o.server);
    if (fresh || (o.time_us - s.first_us > kWindowUs && !c_.log.active(subject))) {
      if (!fresh) renew(s);
      s.address = o.server;
      s.first_us = o.began_us;
    }
    s.last_us = o.time_us;
    if (!s.pairs.add(c_.hash.join(o.client_key, o.server_port))) return;
    s.ports.add(c_.hash(o.server_port));
    s.sources.add(sender_key(o), o.client);
    judge(s, o, subject);
  }

 private:
  std::uint64_t sender_key(const Outcome& o) const {
    return o.client.is_v4() ? o.client_key : c_.hash(network_of(o.client, kSenderBits).address);
  }

  static core::IpPrefix network_around(const IpAddress& server) {
    return network_of(server, server.is_v4() ? 24 : 64);
  }
  // It answered after all.
  void take_back(const Outcome& o) {
    if (Swept* s = swept_.find(c_.hash(network_around(o.server).address, o.server_port))) ++s->taken_back;
  }

  void sweep(const Outcome& o) {
    const core::IpPrefix network = network_around(o.server);
    const std::uint64_t key = c_.hash(network.address, o.server_port);
    if (o.time_us - glimpses_us_ > kWindowUs) {
      glimpses_us_ = o.time_us;
      for (std::uint8_t& n : glimpses_) n /= 2;
    }
    std::uint8_t& seen = glimpses_[key % glimpses_.size()];
    if (seen < kGlimpses) {
      ++seen;
      return;
    }
    bool fresh = false;
    Swept& s = swept_.get(key, fresh, o.time_us);
    const std::uint64_t subject = c_.log.subject(Verdict::scan_distributed, network.address, o.server_port);
    if (fresh || (o.time_us - s.first_us > kWindowUs && !c_.log.active(subject))) {
      if (!fresh) renew(s);
      s.first_us = o.began_us;
    }
    s.last_us = o.time_us;
    if (!s.pairs.add(c_.hash.pair(o.client_key, o.server_key))) return;
    s.hosts.add(o.server_key);
    s.sources.add(sender_key(o), o.client);
    s.targets.add(o.server, o.time_us);
    const std::uint64_t hosts = s.hosts.estimate();
    const std::uint64_t sources = s.sources.distinct();
    const std::uint64_t pairs = s.pairs.estimate();
    const std::uint32_t least = c_.config.scaled(kSharedHosts, o.server);
    // Clients of a network that died ask for the same hosts; who shares a scan does not ask twice.
    if (hosts < least + s.taken_back || sources < kSharedSources || pairs * 2 > hosts * 3) return;
    if (std::uint64_t{s.sources.largest()} * 2 > pairs || s.sources.again() * 6 < s.sources.total()) return;
    if (c_.log.flooded_within(network.address, network.length) || !c_.log.due(subject, o.time_us, pairs))
      return;
    Finding f(Verdict::scan_distributed, s.first_us, o.time_us);
    f.protocol = o.protocol;
    f.name_targets(o.server, s.targets.list(), hosts);
    f.target_port = o.server_port;
    f.target_bits = network.length;
    f.name_senders(s.sources, 1, o.client);
    f.sources_total = sources;
    f.figure("pairs", pairs);
    f.figure("hosts", hosts);
    f.figure("sources", sources);
    f.limit("hosts", least);
    f.limit("sources", kSharedSources);
    f.confidence = 1.0 - 2.0 / static_cast<double>(1 + hosts);
    c_.log.absorb(f);
    c_.log.report(subject, f);
    s.told = true;
  }

  // Forged senders come once each and fast; those who share a scan come again, or take their time.
  bool is_no_flood(const Scanned& s, std::int64_t now_us, std::uint64_t pairs) const {
    if (s.sources.again() * 6 >= s.sources.total()) return true;
    const auto span_ms = static_cast<std::uint64_t>(now_us - s.first_us) / 1000;
    return pairs >= 4 * kSharedPorts && pairs * 2000 <= span_ms * c_.config.flood_syn_per_second;
  }

  void judge(Scanned& s, const Outcome& o, std::uint64_t subject) {
    const std::uint64_t sources = s.sources.distinct();
    const std::uint64_t ports = s.ports.estimate();
    const auto scaled = [&](std::uint32_t n) { return c_.config.scaled(n, o.server); };
    if (sources < kDecoySources || ports < scaled(kDecoyPorts)) return;
    const std::uint64_t pairs = s.pairs.estimate();
    const bool decoy = pairs * 10 >= sources * ports * 6;
    const bool shared = sources >= kSharedSources && ports >= scaled(kSharedPorts) &&
                        pairs * 2 <= ports * 3 && std::uint64_t{s.sources.largest()} * 2 <= pairs &&
                        is_no_flood(s, o.time_us, pairs);
    if (!decoy && !shared) return;
    if (!c_.log.due(subject, o.time_us, pairs)) return;
    Finding f(decoy ? Verdict::scan_decoy : Verdict::scan_distributed, s.first_us, o.time_us);
    f.protocol = o.protocol;
    f.name_target(o.server, 0);
    f.name_senders(s.sources, 1, o.client);
    f.sources_total = sources;
    f.figure("pairs", pairs);
    f.figure("ports", ports);
    f.figure("sources", sources);
    f.limit("ports", scaled(decoy ? kDecoyPorts : kSharedPorts));
    f.limit("sources", decoy ? kDecoySources : kSharedSources);
    f.confidence = 1.0 - 1.0 / static_cast<double>(1 + ports);
    c_.log.absorb(f);
    c_.log.report(subject, f);
    s.told = true;
  }

  Context c_;
  BucketTable<Scanned> table_;
  BucketTable<Swept> swept_;
  std::array<std::uint8_t, 2048> glimpses_{};
  std::int64_t glimpses_us_ = 0;
};

std::unique_ptr<AnomalyDetector> make(const Context& context) {
  if (!context.config.scan) return nullptr;
  return std::make_unique<GroupScan>(context, context.sizes.shared_victims);
}

}  // namespace

extern const AnomalyDescriptor detector_group_scan;
const AnomalyDescriptor detector_group_scan = {
    "group_scan",
    "scans of one host or network by many sources: distributed, decoys",
    0,
    result_bit(Result::refused) | result_bit(Result::silent) | result_bit(Result::odd) |
        result_bit(Result::taken_back),
    false,
    false,
    false,
    make};

}  // namespace gatehouse::ids::anomaly
