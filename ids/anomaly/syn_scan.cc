// Port scans by TCP SYN or connect(), per source: many distinct (host, port) that fail.
#include <algorithm>
#include <array>

#include "ids/anomaly/bucket_table.h"
#include "ids/anomaly/detector.h"
#include "ids/anomaly/distinct.h"
#include "ids/anomaly/keyed_hash.h"
#include "ids/anomaly/pending.h"
#include "ids/anomaly/sids.h"

namespace gatehouse::ids::anomaly {
namespace {

// Evidence in quarters, so that it stays a whole number.
constexpr std::int32_t kRefused = 4;
constexpr std::int32_t kSilent = 2;
constexpr std::int32_t kRetriedCredit = 2;  // silence that is retried is a client's, not a scanner's

constexpr std::int64_t kSilentAfterUs = 1'000'000;
// Kernels repeat a SYN after 1 s and after 3 s.
constexpr std::int64_t kForgetAfterUs = 4'000'000;
constexpr std::int64_t kEvidenceLivesUs = 6LL * 3600 * 1'000'000;

// A slow scan needs fewer failures, but nearly nothing else beside them.
constexpr std::int32_t kSlowTargets = 10;

constexpr std::size_t kSamples = 6;

// What a probe looks like. Only the first packet counts.
enum class Probe : std::uint8_t { syn, fin, null, xmas, ack };
constexpr std::size_t kProbes = 5;

constexpr std::uint8_t kFin = 0x01, kSyn = 0x02, kPsh = 0x08, kAck = 0x10, kUrg = 0x20;

Probe probe_of(std::uint8_t flags) {
  if ((flags & kSyn) != 0) return Probe::syn;
  if ((flags & kAck) != 0) return Probe::ack;
  if ((flags & (kFin | kPsh | kUrg)) == (kFin | kPsh | kUrg)) return Probe::xmas;
  return (flags & kFin) != 0 ? Probe::fin : Probe::null;
}

struct Source {
  std::uint64_t tag = 0;
  IpAddress address;
  std::int64_t first_us = 0, last_us = 0;
  std::int64_t window_start_us = 0;
  std::int32_t window_evidence = 0;  // of the running window
  std::int32_t evidence = 0;         // of the whole life
  std::uint32_t failed = 0, good = 0;
  std::uint32_t window_failed = 0, window_good = 0;
  std::array<std::uint16_t, kProbes> probes{};  // failed ones, by their look
  Distinct<2> pairs;
  Distinct<1> ports, hosts;
  std::array<IpAddress, kSamples> samples{};
  std::uint8_t sample_count = 0;
  std::uint32_t updates = 0;
  std::uint32_t reported_failed = 0;  // at the last event; 0: none yet
  std::int64_t reported_us = 0;

  std::int64_t worth() const { return last_us + std::int64_t{evidence} * 1'000'000; }
};

class SynScan : public AnomalyDetector {
 public:
  explicit SynScan(const AnomalyConfig& config)
      : config_(config),
        hash_(config.hash_seed),
        sources_(config.max_sources),
        pending_(config.max_sources) {}

  void observe(const Observation& o, DetectionSink& sink) override {
    switch (o.contact) {
      case Contact::tcp_attempt:
      case Contact::tcp_stray:
        pending_.add({key(o), o.time_us, o.client, o.server, o.server_port, o.tcp_flags, false});
        return;
      case Contact::tcp_retry:
        return retried(o);
      case Contact::tcp_refused:
        return settle(o, sink, true);
      case Contact::tcp_answered:
      case Contact::tcp_completed:
      case Contact::tcp_abandoned:
        return settle(o, sink, false);
      default:
        return;
    }
  }

  void tick(std::int64_t now_us, DetectionSink& sink) override {
    while (!pending_.empty() && (pending_.oldest().key == 0 || pending_.oldest().silent) &&
           pending_.oldest().time_us + kForgetAfterUs <= now_us) {
      pending_.pop();
    }
    pending_.from_cursor([&](Attempt& attempt) {
      if (attempt.time_us + kSilentAfterUs > now_us) return false;
      if (attempt.key != 0 && !attempt.silent) {
        attempt.silent = true;
        // A lone ACK whose answer we miss is the middle of a connection, not a probe.
        if (probe_of(attempt.flags) != Probe::ack)
          failure(attempt, kSilent, attempt.time_us + kSilentAfterUs, sink);
      }
      return true;
    });
  }

 private:
  std::uint64_t key(const Observation& o) const {
    const std::uint64_t ports = std::uint64_t{o.client_port} << 16 | o.server_port;
    const std::uint64_t k = hash_(o.client, hash_(o.server, ports));
    return k == 0 ? 1 : k;
  }

  void retried(const Observation& o) {
    Attempt* attempt = pending_.find(key(o));
    if (attempt == nullptr) return;
    if (attempt->silent) {
      if (Source* source = sources_.find(hash_(attempt->client))) {
        source->evidence = std::max(0, source->evidence - kRetriedCredit);
        source->window_evidence = std::max(0, source->window_evidence - kRetriedCredit);
      }
    }
    attempt->key = 0;  // settled: a client that tries again
  }

  void settle(const Observation& o, DetectionSink& sink, bool refused) {
    Attempt* attempt = pending_.find(key(o));
    if (refused) {
      // Forgotten under a flood: what it looked like is not known any more.
      Attempt known = attempt != nullptr
                          ? *attempt
                          : Attempt{0, o.time_us, o.client, o.server, o.server_port, kSyn, false};
      if (attempt != nullptr) attempt->key = 0;
      const bool counted = known.silent && probe_of(known.flags) != Probe::ack;
      failure(known, counted ? kRefused - kSilent : kRefused, o.time_us, sink);
      return;
    }
    if (attempt != nullptr) attempt->key = 0;
    if (o.contact != Contact::tcp_answered) return;
    // Only sources that failed before are worth an entry: everybody else is an ordinary client.
    Source* source = sources_.find(hash_(o.client));
    if (source == nullptr) return;
    if (attempt == nullptr || attempt->silent) source->evidence = std::max(0, source->evidence - kSilent);
    ++source->good;
    ++source->window_good;
  }

  void failure(const Attempt& attempt, std::int32_t weight, std::int64_t now_us, DetectionSink& sink) {
    const IpAddress& client = attempt.client;
    const IpAddress& server = attempt.server;
    const std::uint16_t port = attempt.server_port;
    bool fresh = false;
    Source& s = sources_.get(hash_(client), fresh);
    if (fresh || now_us - s.last_us > kEvidenceLivesUs) start(s, client, now_us);
    if (now_us - s.window_start_us > config_.scan_window_us) new_window(s, now_us);
    s.last_us = now_us;
    if (!s.pairs.add(hash_(server, port))) return;  // repeats prove nothing
    s.ports.add(hash_(port));
    if (s.hosts.add(hash_(server)) && s.sample_count < kSamples) s.samples[s.sample_count++] = server;
    s.evidence += weight;
    s.window_evidence += weight;
    ++s.failed;
    ++s.window_failed;
    ++s.probes[static_cast<std::size_t>(probe_of(attempt.flags))];
    judge(s, server, now_us, sink);
  }

  static void start(Source& s, const IpAddress& client, std::int64_t now_us) {
    const std::uint64_t tag = s.tag;
    s = Source{};
    s.tag = tag;
    s.address = client;
    s.first_us = s.window_start_us = now_us;
  }
  static void new_window(Source& s, std::int64_t now_us) {
    s.window_start_us = now_us;
    s.window_evidence = 0;
    s.window_failed = s.window_good = 0;
  }

  void judge(Source& s, const IpAddress& server, std::int64_t now_us, DetectionSink& sink) {
    const std::uint64_t ports = s.ports.estimate();
    const std::uint64_t hosts = s.hosts.estimate();
    const bool wide = hosts > ports;
    const auto need = static_cast<std::int32_t>(wide ? config_.scan_hosts : config_.scan_ports);
    // 4 of 5 contacts fail; kRefused quarters make one whole failure, and two silent ones do too.
    const bool fast = s.window_evidence >= need * kSilent &&
                      s.window_failed * 5 >= (s.window_failed + s.window_good) * 4 &&
                      s.window_failed >= static_cast<std::uint32_t>(need) / 2;
    const bool slow = s.evidence >= kSlowTargets * kSilent && s.failed * 10 >= (s.failed + s.good) * 9 &&
                      now_us - s.first_us > config_.scan_window_us &&
                      s.failed >= static_cast<std::uint32_t>(kSlowTargets);
    if (!fast && !slow) return;
    if (s.reported_failed != 0) {
      // Updates: four times the evidence and at least ten seconds later, then forty ...
      const std::int64_t pause = 10'000'000LL << std::min<std::uint32_t>(2 * s.updates, 20);
      if (s.failed < s.reported_failed * 4 || now_us - s.reported_us < pause) return;
      ++s.updates;
    }
    s.reported_failed = s.failed;
    s.reported_us = now_us;
    report(s, server, now_us, fast, ports, hosts, sink);
  }

  void report(const Source& s, const IpAddress& server, std::int64_t now_us, bool fast, std::uint64_t ports,
              std::uint64_t hosts, DetectionSink& sink) const {
    Detection d;
    d.time_us = now_us;
    d.source = s.address;
    d.target = server;
    d.severity = 2;
    const auto most = std::max_element(s.probes.begin(), s.probes.end()) - s.probes.begin();
    if (most != 0) {
      struct Look {
        std::uint32_t sid;
        std::string_view klass, message;
      };
      constexpr Look kLooks[] = {{kSidScanFin, "scan.fin", "GATEHOUSE port scan with FIN"},
                                 {kSidScanNull, "scan.null", "GATEHOUSE port scan with no flags"},
                                 {kSidScanXmas, "scan.xmas", "GATEHOUSE port scan with FIN, PSH and URG"},
                                 {kSidScanAck, "scan.ack", "GATEHOUSE port scan with ACK"}};
      const Look& look = kLooks[most - 1];
      d.sid = look.sid;
      d.klass = look.klass;
      d.message = look.message;
    } else if (!fast) {
      d.sid = kSidScanSlow;
      d.klass = "scan.slow";
      d.message = "GATEHOUSE slow port scan";
    } else if (hosts <= 2) {
      d.sid = kSidScanVertical;
      d.klass = "scan.syn.vertical";
      d.message = "GATEHOUSE port scan of one host";
    } else if (ports <= 2 || hosts >= 2 * ports) {
      d.sid = kSidScanHorizontal;
      d.klass = "scan.syn.horizontal";
      d.message = "GATEHOUSE scan of many hosts for one port";
    } else {
      d.sid = kSidScanBlock;
      d.klass = "scan.syn.block";
      d.message = "GATEHOUSE port scan of several hosts";
    }
    const IpAddress source = s.address;
    d.sources = std::span(&source, 1);
    d.targets = std::span(s.samples).first(s.sample_count);
    d.sources_total = 1;
    d.targets_total = hosts;
    const std::pair<std::string_view, std::uint64_t> evidence[] = {
        {"failed", s.failed}, {"succeeded", s.good}, {"ports", ports}, {"hosts", hosts}};
    d.evidence = evidence;
    d.window_us = now_us - (fast ? s.window_start_us : s.first_us);
    const double share = static_cast<double>(s.failed) / static_cast<double>(s.failed + s.good);
    d.confidence = std::min(0.99, share * (1.0 - 1.0 / static_cast<double>(1 + s.failed)));
    d.update = s.updates;
    sink.on_detection(d);
  }

  AnomalyConfig config_;
  KeyedHash hash_;
  BucketTable<Source> sources_;
  PendingAttempts pending_;
};

std::unique_ptr<AnomalyDetector> make(const AnomalyConfig& config) {
  if (!config.scan) return nullptr;
  return std::make_unique<SynScan>(config);
}

}  // namespace

extern const AnomalyDescriptor detector_syn_scan;
const AnomalyDescriptor detector_syn_scan = {"syn_scan", "TCP port scans: vertical, horizontal, block, slow",
                                             make};

}  // namespace gatehouse::ids::anomaly
