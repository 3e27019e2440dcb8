// A lost uplink: many clients repeat their SYNs to many servers and hardly any of these clients is answered.
// No attack, but what would else look like many.
#include "ids/anomaly/detector.h"

namespace gatehouse::ids::anomaly {
namespace {

constexpr std::int64_t kWindowUs = 5'000'000;  // SYNs are repeated after one and three seconds
constexpr std::uint64_t kClients = 8, kServers = 16, kContacts = 32;
// What is on this side of the uplink still answers: one in five.
constexpr std::uint64_t kAnsweredShare = 5;

struct Outage {
  std::int64_t first_us = 0, last_us = 0;
  std::uint32_t answered = 0;  // of clients that repeated
  Distinct<8> clients, servers;
  Distinct<16> contacts;
  bool sound() const {
    return sound_time(first_us) && sound_time(last_us) && clients.sound() && servers.sound() &&
           contacts.sound();
  }
};

class LostUplink : public AnomalyDetector {
 public:
  explicit LostUplink(const Context& context) : c_(context) {}

  void archive(StateArchive& a) override { a.value(now_); }

  void on_outcome(const Outcome& o) override {
    if (o.protocol != 6) return;
    if (o.result == Result::completed) {
      if (now_.clients.has(o.client_key)) ++now_.answered;
      return;
    }
    if (o.result != Result::retried) return;
    if (o.time_us - now_.first_us > kWindowUs) {
      now_ = Outage{};
      now_.first_us = o.time_us;
    }
    now_.last_us = o.time_us;
    if (!now_.contacts.add(c_.hash.pair(o.client_key, o.server_key))) return;
    now_.clients.add(o.client_key);
    now_.servers.add(o.server_key);
    judge(o);
  }

 private:
  void judge(const Outcome& o) {
    const std::uint64_t contacts = now_.contacts.estimate();
    if (contacts < kContacts || now_.clients.estimate() < kClients || now_.servers.estimate() < kServers)
      return;
    if (now_.answered * kAnsweredShare > contacts || c_.symmetry.one_sided()) return;
    const std::uint64_t subject = c_.log.subject(Verdict::lost_uplink, IpAddress{});
    if (!c_.log.due(subject, o.time_us, contacts)) return;
    Finding f(Verdict::lost_uplink, now_.first_us, o.time_us);
    // One of them and whom it asked for, as an example.
    f.name_source(o.client);
    f.name_target(o.server, o.server_port);
    f.sources_total = now_.clients.estimate();
    f.targets_total = now_.servers.estimate();
    f.figure("retried", contacts);
    f.figure("clients", f.sources_total);
    f.figure("servers", f.targets_total);
    f.figure("answered", now_.answered);
    f.confidence = 0.8;
    c_.log.report(subject, f);
  }

  Context c_;
  Outage now_;
};

std::unique_ptr<AnomalyDetector> make(const Context& context) {
  if (!context.config.flood) return nullptr;
  return std::make_unique<LostUplink>(context);
}

}  // namespace

extern const AnomalyDescriptor detector_lost_uplink;
const AnomalyDescriptor detector_lost_uplink = {"lost_uplink",
                                                "clients that all ask again and are not answered",
                                                0,
                                                result_bit(Result::completed) | result_bit(Result::retried),
                                                false,
                                                false,
                                                false,
                                                make};

}  // namespace gatehouse::ids::anomaly
