// Password guessing, per client and server: connections that end before anybody is logged in.
#include <algorithm>

#include "ids/anomaly/detector.h"

namespace gatehouse::ids::anomaly {
namespace {

constexpr std::int64_t kWindowUs = 60'000'000;
// People mistype three times; a minute of ten connections that all end at the door is a program.
constexpr std::uint32_t kAttempts = 10;
// RFC 4252: key exchange and refused passwords fit into 3,000 bytes to the client; a session that opened
// has had more (host keys, channel, what was asked for).
constexpr std::uint64_t kDoorBytes = 3'000;
constexpr std::uint64_t kUnauthorised = 401, kForbidden = 403;

struct Knocks {
  std::uint64_t tag = 0;
  std::int64_t first_us = 0, last_us = 0;
  std::uint32_t ssh = 0, ssh_open = 0, http = 0, http_good = 0;
  bool sound() const { return sound_time(first_us) && sound_time(last_us); }
  std::int64_t worth() const { return last_us + static_cast<std::int64_t>(ssh + http) * 1'000'000; }
};

static_assert(sizeof(Knocks) <= kPairBytes);

class Guessing : public AnomalyDetector {
 public:
  Guessing(const Context& context, std::size_t pairs) : c_(context), table_(pairs) {}

  void archive(StateArchive& a) override { table_.archive(a); }

  void on_contact(const Observation& o) override {
    const bool closed = o.contact == Contact::tcp_closed && o.service == Service::ssh;
    const bool refused = o.contact == Contact::http_response;
    if (!closed && !refused) return;
    const bool bad = closed ? o.value < kDoorBytes : o.value == kUnauthorised || o.value == kForbidden;
    const std::uint64_t hash = c_.hash.join(o.pair_key, closed ? 1 : 2);
    bool fresh = false;
    Knocks* k = table_.find(hash);
    if (k == nullptr) {
      if (!bad) return;
      k = &table_.get(hash, fresh);
    }
    if (fresh || o.time_us - k->first_us > kWindowUs) {
      const std::uint64_t tag = k->tag;
      *k = Knocks{};
      k->tag = tag;
      k->first_us = o.time_us;
    }
    k->last_us = o.time_us;
    std::uint32_t& count = closed ? (bad ? k->ssh : k->ssh_open) : (bad ? k->http : k->http_good);
    ++count;
    if (bad) judge(*k, o, closed);
  }

 private:
  void judge(const Knocks& k, const Observation& o, bool ssh) {
    const std::uint32_t bad = ssh ? k.ssh : k.http;
    const std::uint32_t good = ssh ? k.ssh_open : k.http_good;
    if (bad < c_.config.scaled(kAttempts, o.server) || good * 4 > bad) return;
    const Verdict verdict = ssh ? Verdict::ssh_guessing : Verdict::http_guessing;
    const std::uint64_t subject = c_.log.subject(verdict, o.client, o.server_key);
    if (!c_.log.due(subject, o.time_us, bad)) return;
    Finding f;
    f.verdict = verdict;
    f.time_us = o.time_us;
    f.first_us = k.first_us;
    f.name_source(o.client);
    f.name_target(o.server, o.server_port);
    f.figure("failed", bad);
    f.figure("opened", good);
    f.limit("failed", c_.config.scaled(kAttempts, o.server));
    f.window_us = o.time_us - k.first_us;
    f.confidence = std::min(0.99, 1.0 - 2.0 / bad);
    c_.log.report(subject, f);
  }

  Context c_;
  BucketTable<Knocks> table_;
};

std::unique_ptr<AnomalyDetector> make(const Context& context) {
  if (!context.config.scan) return nullptr;
  return std::make_unique<Guessing>(context, context.sizes.pairs);
}

}  // namespace

extern const AnomalyDescriptor detector_guessing;
const AnomalyDescriptor detector_guessing = {
    "guessing",
    "passwords guessed over SSH and HTTP",
    contact_bit(Contact::tcp_closed) | contact_bit(Contact::http_response),
    false,
    false,
    false,
    false,
    make};

}  // namespace gatehouse::ids::anomaly
