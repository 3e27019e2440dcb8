// Work that costs a server much and its client little: HTTP/2 streams that are opened to be cancelled,
// headers that never end, TLS handshakes that are begun and left, keys that are changed again and again.
#include <algorithm>

#include "ids/anomaly/detector.h"

namespace gatehouse::ids::anomaly {
namespace {

constexpr std::int64_t kStreamsUs = 1'000'000, kHandshakesUs = 2'000'000;
static_assert(kStreamsUs <= kHandshakesUs);
// Who leaves a page cancels what is under way, and opens nothing meanwhile.
constexpr std::uint32_t kCancelled = 100;
// Header blocks of requests fit into one frame, rarely into two.
constexpr std::uint32_t kContinuations = 100, kContinuationsOfRequest = 10;
// Round trips take up to 0.4 s: of a crowd's handshakes four in five are done within the window.
constexpr std::uint32_t kHellosOfOne = 100, kHellosOfMany = 300, kHellosOfDone = 5;
// A server that asks for a certificate late changes keys once more; nothing does it nine times.
constexpr std::uint32_t kKeyChanges = 10;

struct Burden {  // of one client on one server, or on the server in all
  std::uint64_t tag = 0;
  std::int64_t streams_us = 0, hellos_us = 0, last_us = 0;
  std::uint32_t opened = 0, cancelled = 0, continued = 0, hellos = 0, done = 0;
  bool is_over(std::int64_t now_us) const { return now_us - last_us > kHandshakesUs; }
  std::int64_t worth() const { return last_us; }
  bool sound() const { return sound_time(streams_us) && sound_time(hellos_us) && sound_time(last_us); }
  bool undone(std::uint32_t least) const { return hellos >= least && done * kHellosOfDone <= hellos; }
};

struct Hurt {  // a server that many leave with handshakes undone
  std::uint64_t tag = 0;
  std::int64_t last_us = 0;
  AddressCounts clients;
  std::int64_t worth() const { return last_us; }
  bool sound() const { return sound_time(last_us) && clients.sound(); }
};

static_assert(sizeof(Burden) <= kPairBytes && sizeof(Hurt) <= kServerBytes);

class ProtocolFlood : public AnomalyDetector {
 public:
  ProtocolFlood(const Context& context, std::size_t pairs)
      : c_(context), pairs_(pairs), servers_(context.sizes.servers), hurt_(kFewServers) {}

  void archive(StateArchive& a) override {
    pairs_.archive(a);
    servers_.archive(a);
    hurt_.archive(a);
  }

  void on_contact(const Sighting& o) override {
    switch (o.contact) {
      case Contact::tcp_data:
        if (o.value == static_cast<std::uint64_t>(FirstWords::tls)) hello(o);
        return;
      case Contact::tls_keys:
        return keys(o);
      case Contact::http2_streams:
        return streams(o, Verdict::http2_reset);
      default:
        return streams(o, Verdict::http2_continuation);
    }
  }

 private:
  static void begin_hellos(Burden& b, std::int64_t now_us) {
    b.last_us = now_us;
    if (now_us - b.hellos_us <= kHandshakesUs) return;
    b.hellos_us = now_us;
    b.hellos = b.done = 0;
  }

  void hello(const Sighting& o) {
    bool fresh = false;
    Burden& pair = pairs_.get(o.pair_key, fresh, o.time_us);
    Burden& server = servers_.get(o.server_key, fresh, o.time_us);
    for (Burden* b : {&pair, &server}) {
      begin_hellos(*b, o.time_us);
      ++b->hellos;
    }
    const std::uint32_t of_one = c_.config.scaled(kHellosOfOne, o.server);
    const std::uint32_t of_many = c_.config.scaled(kHellosOfMany, o.server);
    const bool one = pair.undone(of_one);
    const bool many = server.undone(of_many);
    if (!one && !server.undone(of_many / 2)) return;
    Hurt& hurt = hurt_.get(o.server_key, fresh);
    if (o.time_us - hurt.last_us > 2 * kHandshakesUs) hurt.clients.clear();
    hurt.last_us = o.time_us;
    hurt.clients.add(o.client_key, o.client);
    if (!one && !many) return;
    const std::uint64_t subject = c_.log.subject(Verdict::tls_handshakes, o.server);
    if (!c_.log.due(subject, o.time_us, server.hellos)) return;
    Finding f = finding(o, Verdict::tls_handshakes, server.hellos_us);
    f.name_senders(hurt.clients, std::max<std::uint32_t>(1, hurt.clients.largest() / 4), o.client);
    f.figure("begun", server.hellos);
    f.figure("done", server.done);
    f.limit("begun", one ? of_one : of_many);
    f.confidence = 0.9;
    c_.log.report(subject, f);
  }

  void keys(const Sighting& o) {
    if (o.value == 1) {
      for (Burden* b : {pairs_.find(o.pair_key), servers_.find(o.server_key)}) {
        if (b == nullptr || b->is_over(o.time_us)) continue;
        begin_hellos(*b, o.time_us);
        ++b->done;
      }
      return;
    }
    const std::uint32_t least = c_.config.scaled(kKeyChanges, o.server);
    if (o.value < least) return;
    const std::uint64_t subject = c_.log.subject(Verdict::tls_renegotiation, o.client, o.server_key);
    if (!c_.log.due(subject, o.time_us, o.value)) return;
    Finding f = finding(o, Verdict::tls_renegotiation, o.time_us);
    f.name_source(o.client);
    f.figure("key_changes", o.value);
    f.limit("key_changes", least);
    f.confidence = 0.9;
    c_.log.report(subject, f);
  }

  void streams(const Sighting& o, Verdict verdict) {
    bool fresh = false;
    Burden& b = pairs_.get(o.pair_key, fresh, o.time_us);
    b.last_us = o.time_us;
    if (o.time_us - b.streams_us > kStreamsUs) {
      b.streams_us = o.time_us;
      b.opened = b.cancelled = b.continued = 0;
    }
    const bool resets = verdict == Verdict::http2_reset;
    // Both say what was opened: it counts once.
    if (resets) b.opened += static_cast<std::uint32_t>(o.detail);
    std::uint32_t& count = resets ? b.cancelled : b.continued;
    count += static_cast<std::uint32_t>(o.value);
    const std::uint32_t least = c_.config.scaled(resets ? kCancelled : kContinuations, o.server);
    if (count < least) return;
    if (resets && (b.opened * 2 < count || count * 10ULL < b.opened * 8ULL)) return;
    if (!resets && count < b.opened * kContinuationsOfRequest) return;
    const std::uint64_t subject = c_.log.subject(verdict, o.client, o.server_key);
    if (!c_.log.due(subject, o.time_us, count)) return;
    Finding f = finding(o, verdict, b.streams_us);
    f.name_source(o.client);
    f.figure(resets ? "cancelled" : "continuations", count);
    f.figure("opened", b.opened);
    f.limit(resets ? "cancelled" : "continuations", least);
    f.confidence = 0.9;
    c_.log.report(subject, f);
  }

  static Finding finding(const Sighting& o, Verdict verdict, std::int64_t first_us) {
    Finding f(verdict, first_us, o.time_us);
    f.name_target(o.server, o.server_port);
    return f;
  }

  Context c_;
  BucketTable<Burden> pairs_, servers_;
  BucketTable<Hurt> hurt_;
};

std::unique_ptr<AnomalyDetector> make(const Context& context) {
  if (!context.config.flood) return nullptr;
  return std::make_unique<ProtocolFlood>(context, context.sizes.pairs);
}

}  // namespace

extern const AnomalyDescriptor detector_protocol_flood;
const AnomalyDescriptor detector_protocol_flood = {
    "protocol_flood",
    "TLS handshakes left undone and repeated, HTTP/2 streams cancelled, headers without end",
    contact_bit(Contact::tcp_data) | contact_bit(Contact::tls_keys) | contact_bit(Contact::http2_streams) |
        contact_bit(Contact::http2_continued),
    0,
    false,
    false,
    false,
    make};

}  // namespace gatehouse::ids::anomaly
