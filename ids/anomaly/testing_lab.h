// For tests: contacts by hand into a Monitor, findings out.
#pragma once

#include <algorithm>
#include <string>
#include <vector>

#include "ids/anomaly/monitor.h"

namespace gatehouse::ids::anomaly::testing {

inline constexpr std::int64_t kStart = 1'700'000'000'000'000;
inline constexpr std::int64_t kMs = 1'000;
inline constexpr std::int64_t kSecond = 1'000'000;
inline constexpr std::uint32_t kAttacker = 0xc6336401;  // 198.51.100.1
inline constexpr std::uint32_t kServer = 0x0a000001;

struct Found {
  Verdict verdict;
  Phase phase;
  std::string source, target;
  std::uint32_t update;
  std::int64_t time_us;
  std::vector<IpAddress> sources;
  std::uint64_t id;
  std::vector<IpAddress> targets;
  std::uint8_t source_bits, target_bits;
};

class Lab : public DetectionSink {
 public:
  explicit Lab(AnomalyConfig config = {}) : monitor_(seeded(config), *this) {}

  void on_detection(const Detection& d) override {
    found.push_back({d.verdict,
                     d.phase,
                     d.source.version == 0 ? "" : d.source.to_string(),
                     d.target.version == 0 ? "" : d.target.to_string(),
                     d.update,
                     d.time_us,
                     {d.sources.begin(), d.sources.end()},
                     d.id,
                     {d.targets.begin(), d.targets.end()},
                     d.source_bits,
                     d.target_bits});
  }
  // An observation to fill in and tell().
  Observation make(Contact contact, const IpAddress& client, const IpAddress& server, std::uint16_t port,
                   std::uint16_t client_port = 40000, std::uint8_t flags = 0x02) const {
    Observation o;
    o.time_us = now;
    o.client = client;
    o.server = server;
    o.client_port = client_port;
    o.server_port = port;
    o.contact = contact;
    o.tcp_flags = flags;
    return o;
  }
  void tell(const Observation& o) {
    monitor_.advance(now);
    monitor_.on_observation(o);
    monitor_.flush();
  }
  void contact(Contact contact, std::uint32_t client, std::uint32_t server, std::uint16_t port,
               std::uint16_t client_port = 40000, std::uint8_t flags = 0x02) {
    tell(make(contact, IpAddress::v4(client), IpAddress::v4(server), port, client_port, flags));
  }
  void udp(Contact contact, std::uint32_t client, std::uint32_t server, std::uint16_t port,
           std::uint16_t client_port, std::uint32_t count = 1) {
    Observation o = make(contact, IpAddress::v4(client), IpAddress::v4(server), port, client_port, 0);
    o.protocol = 17;
    o.count = count;
    o.bytes = 400;
    if (contact == Contact::unreachable) o.value = 3;
    tell(o);
  }
  void ping(Contact contact, std::uint32_t client, std::uint32_t server, std::uint32_t count = 1) {
    Observation o = make(contact, IpAddress::v4(client), IpAddress::v4(server), 0, 0, 0);
    o.protocol = 1;
    o.count = count;
    o.value = count;
    tell(o);
  }
  // A connection that works: SYN to ACK.
  void connect(std::uint32_t client, std::uint32_t server, std::uint16_t port, std::uint16_t client_port) {
    for (const Contact c : {Contact::tcp_attempt, Contact::tcp_answered, Contact::tcp_completed})
      contact(c, client, server, port, client_port);
  }
  void probe(std::uint32_t client, std::uint32_t server, std::uint16_t port,
             std::uint16_t client_port = 40000) {
    contact(Contact::tcp_attempt, client, server, port, client_port);
    contact(Contact::tcp_refused, client, server, port, client_port);
  }
  void wait(std::int64_t us) {
    // As packets of others would come meanwhile.
    for (const std::int64_t end = now + us; now < end;) {
      now = std::min(end, now + 50 * kMs);
      monitor_.advance(now);
    }
  }
  void finish() { monitor_.finish(now); }
  std::size_t starts() const { return count(Phase::start); }
  std::size_t count(Phase phase) const {
    return static_cast<std::size_t>(
        std::count_if(found.begin(), found.end(), [&](const Found& f) { return f.phase == phase; }));
  }
  std::size_t count(Verdict verdict) const {
    return static_cast<std::size_t>(std::count_if(found.begin(), found.end(), [&](const Found& f) {
      return f.verdict == verdict && f.phase == Phase::start;
    }));
  }
  bool accuses(const std::string& source) const {
    const auto address = IpAddress::parse(source);
    return std::any_of(found.begin(), found.end(), [&](const Found& f) {
      return f.source == source || std::find(f.sources.begin(), f.sources.end(), *address) != f.sources.end();
    });
  }
  std::string names() const {
    std::string out;
    for (const Found& f : found) out += std::string(attack_class(f.verdict).klass) + " ";
    return out;
  }
  Monitor& monitor() { return monitor_; }

  std::int64_t now = kStart;
  std::vector<Found> found;

 private:
  static AnomalyConfig seeded(AnomalyConfig config) {
    if (config.hash_seed == 0) config.hash_seed = 42;
    return config;
  }
  Monitor monitor_;
};

}  // namespace gatehouse::ids::anomaly::testing
