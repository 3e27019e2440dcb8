// SYN floods: handshakes begun at one host and not completed, more than is usual there; and servers that
// died, whose clients look alike but ask again.
#include <algorithm>

#include "ids/anomaly/detector.h"

namespace gatehouse::ids::anomaly {
namespace {

// Kernels ask again after one second: only then are the clients of a dead server told from a flood.
constexpr std::int64_t kRetrySeenUs = 1'300'000;
constexpr std::uint32_t kDeadSyn = 16;  // unanswered within a second
constexpr std::uint64_t kDeadClients = 8;
constexpr std::uint64_t kManyPorts = 128;
// The vote begins anew with each count of ports, and the first port leads.
constexpr std::uint32_t kEnoughVotes = 32;

class SynFlood : public AnomalyDetector {
 public:
  explicit SynFlood(const Context& context) : c_(context) {}

  void on_victim(Victim& v, std::int64_t now_us) override {
    if (v[Tally::syn] == 0) return;
    dead(v, now_us);
    const std::uint32_t begun = v[Tally::syn];
    const std::uint32_t most = c_.config.scaled(c_.config.flood_syn_per_second, v.address);
    const std::uint32_t settled = v[Tally::syn_refused] + v[Tally::syn_retried];
    if (begun < settled + v[Tally::syn_completed] + most) return;
    // A server whose clients go on as ever but get no answer has died.
    if (static_cast<float>(begun) < 2 * v.usual_syn) return;
    // What had half a second to be completed, against as much time's completions. A crowd with round trips
    // below 0.4 s keeps under one half even while it sets in.
    const std::uint32_t older = v.older(Tally::syn);
    const std::uint32_t done = (v[Tally::syn_completed] + settled) * Victim::kOlder / Victim::kSlots;
    const std::uint32_t lost = older - std::min(older, done);
    if (lost * 3 < most || lost * 2 < older) return;
    if (v[Tally::syn_retried] * 3 > begun) return;
    const Suspicion* suspicion = c_.victims.suspicion(v);
    const bool few = suspicion != nullptr && suspicion->sources.repeats();
    if (!few && now_us - v.first_us < kRetrySeenUs) return;
    // One source that asks port after port is a scan, at any rate: the count of ports ends far below that of
    // a fast one.
    const std::uint64_t sources = v.source_count();
    const bool one_port = v.votes >= kEnoughVotes && v.is_one();
    const bool many_ports = v.port_count() * 4 >= begun || (v.port_count() >= kManyPorts && !one_port);
    if (many_ports && sources * 4 < std::min<std::uint64_t>(begun, kManyPorts)) return;
    const std::uint64_t subject = c_.log.subject(Verdict::syn_flood, v.address);
    if (!c_.log.due(subject, now_us, begun)) return;
    Finding f(Verdict::syn_flood, now_us - 1'000'000, now_us);
    f.name_target(v.address, v.port_count() <= 1 ? v.last_port : 0);
    f.sources_total = sources;
    if (suspicion != nullptr) f.name_sources(suspicion->sources, begun / 50 + 2);
    f.figure("syn_per_second", begun);
    f.figure("completed", v[Tally::syn_completed]);
    f.figure("retried", v[Tally::syn_retried]);
    f.figure("refused", v[Tally::syn_refused]);
    f.figure("usual_per_second", static_cast<std::uint64_t>(v.usual_syn));
    f.figure("sources", sources);
    f.limit("syn_per_second", std::max<std::uint64_t>(most, static_cast<std::uint64_t>(2 * v.usual_syn)));
    f.confidence = std::min(0.99, static_cast<double>(lost) / static_cast<double>(older + 1));
    c_.log.absorb(f);
    c_.log.report(subject, f);
  }

 private:
  // Informs; no attack.
  void dead(const Victim& v, std::int64_t now_us) {
    if (v[Tally::syn_retried] < kDeadSyn || v[Tally::syn_completed] != 0) return;
    if (v[Tally::syn_refused] != 0 || now_us - v.first_us < kRetrySeenUs) return;
    const std::uint64_t clients = v.source_count();
    if (clients < kDeadClients || v[Tally::syn_retried] * 3 < v[Tally::syn]) return;
    const std::uint64_t subject = c_.log.subject(Verdict::dead_server, v.address);
    if (!c_.log.due(subject, now_us, v[Tally::syn_retried])) return;
    Finding f(Verdict::dead_server, v.first_us, now_us);
    f.name_target(v.address, v.port_count() <= 1 ? v.last_port : 0);
    f.sources_total = clients;
    f.figure("retried_per_second", v[Tally::syn_retried]);
    f.figure("new_per_second", v[Tally::syn]);
    f.figure("clients", clients);
    f.limit("retried_per_second", kDeadSyn);
    f.limit("clients", kDeadClients);
    f.window_us = 1'000'000;
    f.confidence = 0.9;
    c_.log.report(subject, f);
  }

  Context c_;
};

std::unique_ptr<AnomalyDetector> make(const Context& context) {
  if (!context.config.flood) return nullptr;
  return std::make_unique<SynFlood>(context);
}

}  // namespace

extern const AnomalyDescriptor detector_syn_flood;
const AnomalyDescriptor detector_syn_flood = {
    "syn_flood", "handshakes begun and never completed; servers that died", 0, 0, true, false, false, make};

}  // namespace gatehouse::ids::anomaly
