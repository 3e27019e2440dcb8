// Learns what hosts are for (roles.h). Finds nothing itself; left out, nobody is excused.
#include "ids/anomaly/detector.h"

namespace gatehouse::ids::anomaly {
namespace {

constexpr std::uint16_t kDns = 53, kNtp = 123, kFirstFreePort = 1024;
// One connection in so many counts for all, at random.
constexpr std::uint32_t kSampled = 16;
// A mail went over: seven replies of RFC 5321 and a message are more than this, a probe is less.
constexpr std::uint64_t kReplyBytes = 100, kMailBytes = 200;

class RoleLearner : public AnomalyDetector {
 public:
  explicit RoleLearner(const Context& context) : c_(context) {}

  void archive(StateArchive& a) override { c_.roles.archive(a); }

  void on_contact(const Sighting& o) override {
    switch (o.contact) {
      case Contact::udp_answered:
        if (o.server_port == kDns)
          return c_.roles.learn(o.client_key, Role::resolver, network(o.server), o.time_us);
        if (o.server_port == kNtp)
          return c_.roles.learn(o.server_key, Role::time_server, network(o.client), o.time_us);
        if (o.client_port >= kFirstFreePort && o.server_port >= kFirstFreePort)
          c_.roles.learn_peer(o.client_key, o.client_port, network(o.server), o.time_us);
        return;
      case Contact::tcp_closed:
        if (o.service == Service::smtp && o.value > kReplyBytes && o.detail > kMailBytes)
          c_.roles.learn(o.client_key, Role::relay, network(o.server), o.time_us);
        return;
      default:
        if (o.contact_key / 256 % kSampled == 0)
          c_.roles.learn(o.client_key, Role::gateway, o.server_key, o.time_us, kSampled);
    }
  }

 private:
  std::uint64_t network(const IpAddress& address) const { return c_.hash(VictimTable::prefix_of(address)); }

  Context c_;
};

std::unique_ptr<AnomalyDetector> make(const Context& context) {
  if (!context.config.scan && !context.config.flood) return nullptr;
  return std::make_unique<RoleLearner>(context);
}

}  // namespace

extern const AnomalyDescriptor detector_role_learner;
const AnomalyDescriptor detector_role_learner = {
    "role_learner",
    "learns resolvers, mail relays, peers, time servers and gateways, and excuses what goes with it",
    contact_bit(Contact::udp_answered) | contact_bit(Contact::tcp_closed) |
        contact_bit(Contact::tcp_completed),
    0,
    false,
    false,
    false,
    make};

}  // namespace gatehouse::ids::anomaly
