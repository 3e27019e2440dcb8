// Connections that are held and not used: requests that never end, bodies that trickle, answers that are not
// read, connections on which nothing is said. Counted at the server, per client.
#include <algorithm>
#include <limits>

#include "ids/anomaly/detector.h"
#include "ids/anomaly/recent_ring.h"

namespace gatehouse::ids::anomaly {
namespace {

constexpr std::int64_t kMs = 1'000;
// The rest of a header comes within a round trip: 0.4 s from the far side of the world.
constexpr std::int64_t kHeaderUs = 400 * kMs;
static_assert(kHeaderUs >= kNoticeUs && kHeaderUs >= kBriefUs);
// Browsers open connections ahead of need, uploads take their time.
constexpr std::int64_t kIdleUs = 3'000 * kMs;
// Who says nothing for so long has no flow any more (flow-timeouts), and nobody tells of his end: he must not
// be counted for ever.
constexpr std::int64_t kHeldUs = 600'000 * kMs;
// A browser opens six connections to a server; several of them behind one address still stay below.
constexpr std::uint32_t kStuckOfOne = 20, kSilentOfOne = 50;
// Of many clients together, when it is most of what the server holds.
constexpr std::uint32_t kStuckOfMany = 200;

enum class Kind : std::uint8_t { none, header, body, read, silent };
constexpr std::size_t kKinds = 5;

struct Connection {
  std::uint64_t key = 0;  // 0: free or gone
  std::int64_t since_us = 0;
  IpAddress client, server;
  std::uint16_t port = 0;
  std::uint8_t data = 0, head = 0, request = 0, busy = 0, web = 0;
  std::uint8_t grown = 0;  // not 0: no longer among the young
  Kind stuck = Kind::none;
  bool sound() const {
    return sound_time(since_us) && anomaly::sound(client) && anomaly::sound(server) &&
           static_cast<std::size_t>(stuck) < kKinds;
  }
};

struct Pair {
  std::uint64_t tag = 0;
  std::int64_t last_us = 0;
  std::array<std::uint16_t, kKinds> stuck{};
  std::int64_t worth() const { return last_us; }
  bool is_over(std::int64_t) const {
    return std::all_of(stuck.begin(), stuck.end(), [](std::uint16_t n) { return n == 0; });
  }
  bool sound() const { return sound_time(last_us); }
};

struct Server {
  std::uint64_t tag = 0;
  std::int64_t first_us = 0, last_us = 0;
  std::array<std::uint32_t, kKinds> stuck{};
  std::uint32_t open = 0;
  AddressCounts clients;
  std::int64_t worth() const { return last_us; }
  bool sound() const { return sound_time(first_us) && sound_time(last_us) && clients.sound(); }
};

static_assert(sizeof(Connection) <= kConnectionBytes && sizeof(Pair) <= kPairBytes &&
              sizeof(Server) <= kServerBytes);

class SlowConnections : public AnomalyDetector {
 public:
  SlowConnections(const Context& context, std::size_t connections, std::size_t pairs)
      : c_(context),
        young_(connections),
        held_(connections / kHeldShare),
        pairs_(pairs),
        servers_(context.sizes.servers) {}

  void archive(StateArchive& a) override {
    young_.archive(a);
    held_.archive(a);
    const auto before = [](std::uint64_t number) { return number >> 62U == 0; };
    a.value(early_, before);
    a.value(late_, before);
    pairs_.archive(a);
    servers_.archive(a);
  }

  void on_contact(const Sighting& o) override {
    if (o.contact == Contact::tcp_completed) return o.known == Known::brief ? void() : open(o);
    Connection* const c = find(o);
    if (o.contact == Contact::tcp_starved) return starved(c, o);
    if (o.contact == Contact::tcp_closed) return closed(c, o);
    if (c == nullptr) return;
    if (o.service == Service::http) c->web = true;
    switch (o.contact) {
      case Contact::tcp_data:
        c->data = true;
        if (c->stuck == Kind::silent) free_of(*c);
        return;
      case Contact::tcp_busy:
        c->busy = true;
        return;
      case Contact::http_head:
        c->web = c->data = c->head = true;
        if (c->stuck == Kind::header || c->stuck == Kind::silent) free_of(*c);
        return;
      case Contact::http_request:
        c->web = c->data = c->head = c->request = true;
        if (c->stuck != Kind::none) free_of(*c);
        return;
      case Contact::http_response:
        if (c->stuck == Kind::read) free_of(*c);
        return;
      default:
        return;
    }
  }

  void on_tick(std::int64_t now_us) override {
    expire(now_us);
    look_early(now_us);
    look(late_, now_us, kIdleUs, [&](Connection& c) {
      if (c.stuck == Kind::none && !is_used(c)) {
        if (!c.data) {
          hold(c, Kind::silent, now_us);
        } else if (c.web) {
          hold(c, c.head ? Kind::body : Kind::header, now_us);
        }
      }
      grow_up(c);
    });
  }

  std::int64_t due_us() override {
    return std::min(due_us(early_, kHeaderUs, [](const Connection& c) { return c.head; }),
                    due_us(late_, kIdleUs, is_used));
  }

 private:
  static constexpr std::int64_t kNever = std::numeric_limits<std::int64_t>::max();

  // Whatever else it does not say in its first three seconds, it will not be held for that.
  static bool is_used(const Connection& c) { return c.request || c.busy; }

  Connection* find(const Sighting& o) {
    if (Connection* const c = young_.find(o.contact_key)) return c;
    // Of who is not counted at either end nothing would be taken off.
    const bool held = servers_.may_have(o.server_key) || pairs_.may_have(o.pair_key);
    return held ? held_.find(o.contact_key) : nullptr;
  }

  static void begin(Connection& c, const Sighting& o) {
    c = Connection{};
    c.key = o.contact_key;
    c.since_us = o.time_us;
    c.client = o.client;
    c.server = o.server;
    c.port = o.server_port;
    c.web = o.service == Service::http;
  }

  void open(const Sighting& o) {
    if (find(o) != nullptr) return;
    expire(o.time_us);
    look_early(o.time_us);
    while (!young_.empty() && is_past(young_.oldest(), o.time_us)) {
      grow_up(young_.oldest());
      young_.pop();
    }
    if (young_.full()) grow_up(young_.oldest());
    begin(young_.add(o.contact_key), o);
    if (Server* s = servers_.find(o.server_key)) ++s->open;
  }
  // A late look at it would find nothing.
  static bool is_past(const Connection& c, std::int64_t now_us) {
    return c.key == 0 || (now_us - c.since_us >= kIdleUs && (c.stuck != Kind::none || is_used(c)));
  }
  // Leaves the young: who is held is kept, of the others nothing is to be known any more.
  void grow_up(Connection& c) {
    if (c.key != 0 && c.stuck != Kind::none) keep(c);
    c.key = 0;
  }
  void drop_oldest() {
    if (Connection& oldest = held_.oldest(); oldest.key != 0) free_of(oldest);
    held_.pop();
  }
  void expire(std::int64_t now_us) {
    while (!held_.empty() && (held_.oldest().key == 0 || now_us - held_.oldest().since_us > kHeldUs))
      drop_oldest();
  }
  Connection& keep(const Connection& c) {
    if (held_.full()) drop_oldest();
    Connection& kept = held_.add(c.key);
    kept = c;
    kept.grown = 1;
    return kept;
  }

  // The client takes nothing: while it waits for an answer it holds that.
  void starved(Connection* c, const Sighting& o) {
    if (o.value == 0) return;
    if (c == nullptr) {
      expire(o.time_us);
      Connection old;
      begin(old, o);
      c = &keep(old);
    }
    if (c->stuck == Kind::none) hold(*c, Kind::read, o.time_us);
  }

  void closed(Connection* c, const Sighting& o) {
    if (c != nullptr) {
      if (c->stuck != Kind::none) free_of(*c);
      c->key = 0;
    }
    if (o.known == Known::brief) return;  // it was never open
    if (Server* s = servers_.find(o.server_key); s != nullptr && s->open != 0) --s->open;
  }

  void look_early(std::int64_t now_us) {
    look(early_, now_us, kHeaderUs, [&](Connection& c) {
      // Data, and it is not a whole header: only of a protocol that is known to have one.
      if (c.data && c.web && !c.head) hold(c, Kind::header, now_us);
    });
  }
  template <class F>
  void look(std::uint64_t& cursor, std::int64_t now_us, std::int64_t age_us, F&& f) {
    for (cursor = std::clamp(cursor, young_.head(), young_.tail()); cursor < young_.tail(); ++cursor) {
      Connection& c = young_.at(cursor);
      if (c.key == 0) continue;
      if (now_us - c.since_us < age_us) return;
      f(c);
    }
  }
  // The next one of whom something is still to be known. `is_done`: whatever comes, it will not be held.
  template <class F>
  std::int64_t due_us(std::uint64_t& cursor, std::int64_t age_us, F&& is_done) {
    cursor = std::clamp(cursor, young_.head(), young_.tail());
    while (cursor < young_.tail() && (young_.at(cursor).key == 0 || is_done(young_.at(cursor)))) ++cursor;
    return cursor == young_.tail() ? kNever : young_.at(cursor).since_us + age_us;
  }

  std::uint64_t pair_key(const Connection& c) const {
    return c_.hash.pair(c_.hash(c.client), c_.hash(c.server));
  }
  Pair& pair_of(const Connection& c, std::int64_t now_us) {
    bool fresh = false;
    Pair& pair = pairs_.get(pair_key(c), fresh, now_us);
    pair.last_us = now_us;
    return pair;
  }

  void hold(Connection& c, Kind kind, std::int64_t now_us) {
    c.stuck = kind;
    const auto k = static_cast<std::size_t>(kind);
    Pair& pair = pair_of(c, now_us);
    ++pair.stuck[k];
    bool fresh = false;
    Server& s = servers_.get(c_.hash(c.server), fresh);
    if (fresh) s.first_us = c.since_us;
    ++s.stuck[k];
    s.last_us = now_us;
    s.clients.add(c_.hash(c.client), c.client);
    judge(s, pair, c, kind, now_us);
  }

  void free_of(Connection& c) {
    const auto k = static_cast<std::size_t>(c.stuck);
    c.stuck = Kind::none;
    if (c.grown != 0) c.key = 0;  // nobody waits for anything of it
    if (Pair* pair = pairs_.find(pair_key(c)); pair != nullptr && pair->stuck[k] != 0) --pair->stuck[k];
    if (Server* s = servers_.find(c_.hash(c.server)); s != nullptr && s->stuck[k] != 0) --s->stuck[k];
  }

  void judge(const Server& s, const Pair& pair, const Connection& c, Kind kind, std::int64_t now_us) {
    const bool silent = kind == Kind::silent;
    const std::uint32_t stuck = s.stuck[1] + s.stuck[2] + s.stuck[3];
    const std::uint32_t own =
        silent ? pair.stuck[4] : std::uint32_t{pair.stuck[1]} + pair.stuck[2] + pair.stuck[3];
    const std::uint32_t of_many = c_.config.scaled(kStuckOfMany, c.server);
    std::uint32_t of_one = c_.config.scaled(silent ? kSilentOfOne : kStuckOfOne, c.server);
    // Behind a gateway are many.
    if (own >= of_one && c_.roles.is(c_.hash(c.client), Role::gateway, now_us)) of_one *= 2;
    const bool one = own >= of_one;
    const bool many = stuck >= of_many && stuck * 2 >= s.open;
    if (!one && !many) return;
    const std::uint64_t subject = c_.log.subject(Verdict::slowloris, c.server);
    const std::uint32_t amount = stuck + s.stuck[4];
    if (!c_.log.due(subject, now_us, amount)) return;
    const auto most = std::max_element(s.stuck.begin() + 1, s.stuck.end()) - s.stuck.begin();
    constexpr Verdict kVerdicts[] = {Verdict::slowloris, Verdict::slowloris, Verdict::slow_post,
                                     Verdict::slow_read, Verdict::connection_exhaustion};
    Finding f(kVerdicts[most], s.first_us, now_us);
    f.name_target(c.server, c.port);
    // They have completed handshakes: nobody forged them.
    f.name_senders(s.clients, std::max<std::uint32_t>(2, s.clients.largest() / 8), c.client);
    f.figure("held", amount);
    f.figure("header_unfinished", s.stuck[1]);
    f.figure("body_unfinished", s.stuck[2]);
    f.figure("not_reading", s.stuck[3]);
    f.figure("silent", s.stuck[4]);
    f.limit("held", one ? of_one : of_many);
    f.confidence = std::min(0.99, 1.0 - 2.0 / amount);
    c_.log.report(subject, f);
  }

  Context c_;
  // Connections in their first three seconds, and those that are held: of all others it is known enough.
  RecentRing<Connection> young_, held_;
  std::uint64_t early_ = 0, late_ = 0;  // of the young, those before were looked at
  BucketTable<Pair> pairs_;
  BucketTable<Server> servers_;
};

std::unique_ptr<AnomalyDetector> make(const Context& context) {
  if (!context.config.flood) return nullptr;
  return std::make_unique<SlowConnections>(context, context.sizes.connections, context.sizes.pairs);
}

}  // namespace

extern const AnomalyDescriptor detector_slow_connections;
const AnomalyDescriptor detector_slow_connections = {
    "slow_connections",
    "connections held without use: slow headers, bodies, readers, silence",
    contact_bit(Contact::tcp_completed) | contact_bit(Contact::tcp_data) | contact_bit(Contact::tcp_busy) |
        contact_bit(Contact::tcp_starved) | contact_bit(Contact::tcp_closed) |
        contact_bit(Contact::http_head) | contact_bit(Contact::http_request) |
        contact_bit(Contact::http_response),
    0,
    false,
    false,
    true,
    make};

}  // namespace gatehouse::ids::anomaly
