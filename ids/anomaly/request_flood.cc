// Floods of requests that are each in order: one page again and again, names that do not exist.
#include <algorithm>

#include "ids/anomaly/detector.h"
#include "ids/anomaly/majority.h"

namespace gatehouse::ids::anomaly {
namespace {

constexpr std::int64_t kWindowUs = 1'000'000;
// One page a hundred times a second from one client: no person, and no browser, which asks for what a page
// needs and then keeps it.
constexpr std::uint32_t kOfOne = 100;
// A machine asks for one page twenty times a second; four that do so at the same page belong together.
constexpr std::uint32_t kMachine = 20;
constexpr std::uint64_t kMachines = 4;
constexpr std::uint32_t kOfMachines = 200;
// Queries below one domain for names that do not exist, nearly each another.
constexpr std::uint32_t kQueries = 100;

struct Asker {  // one client at one server
  std::uint64_t tag = 0;
  std::int64_t window_us = 0, last_us = 0;
  std::uint32_t requests = 0;
  Majority page;
  bool is_over(std::int64_t now_us) const { return now_us - window_us > kWindowUs; }
  std::int64_t worth() const { return last_us; }
  bool sound() const { return sound_time(window_us) && sound_time(last_us); }
};

struct Asked {  // a server
  std::uint64_t tag = 0;
  std::int64_t first_us = 0, window_us = 0, last_us = 0;
  std::uint32_t requests = 0;  // of machines
  std::uint64_t page = 0;
  AddressCounts machines;
  std::int64_t worth() const { return last_us; }
  bool sound() const {
    return sound_time(first_us) && sound_time(window_us) && sound_time(last_us) && machines.sound();
  }
};

struct NameServer {
  std::uint64_t tag = 0;
  std::int64_t window_us = 0, last_us = 0;
  std::uint32_t queries = 0, answers = 0, missing = 0;
  Majority parent;
  Distinct<8> names;
  AddressCounts clients;
  // A second is over with nearly every query of a quiet network: what is not in use is left alone.
  void begin(std::int64_t now_us) {
    window_us = now_us;
    queries = answers = missing = 0;
    parent = {};
    names.clear();
    clients.clear();
  }
  bool is_over(std::int64_t now_us) const { return now_us - window_us > kWindowUs; }
  std::int64_t worth() const { return last_us; }
  bool sound() const {
    return sound_time(window_us) && sound_time(last_us) && names.sound() && clients.sound();
  }
};

static_assert(sizeof(Asker) <= kPairBytes && sizeof(Asked) <= kServerBytes &&
              sizeof(NameServer) <= kServerBytes);

class RequestFlood : public AnomalyDetector {
 public:
  RequestFlood(const Context& context, std::size_t pairs)
      : c_(context), askers_(pairs), asked_(context.sizes.servers), name_servers_(context.sizes.servers) {}

  void archive(StateArchive& a) override {
    askers_.archive(a);
    asked_.archive(a);
    name_servers_.archive(a);
  }

  void on_contact(const Sighting& o) override {
    if (o.contact == Contact::http_request) return request(o);
    if (o.contact == Contact::dns_query) return query(o);
    if (NameServer* n = name_servers_.find(o.server_key)) {
      constexpr std::uint64_t kServFail = 2, kNameError = 3;
      ++n->answers;
      if (o.value == kNameError || o.value == kServFail) ++n->missing;
    }
  }

 private:
  void request(const Sighting& o) {
    bool fresh = false;
    Asker& a = askers_.get(o.pair_key, fresh, o.time_us);
    if (fresh || a.is_over(o.time_us)) {
      a.window_us = o.time_us;
      a.requests = 0;
      a.page = {};
    }
    a.last_us = o.time_us;
    ++a.requests;
    a.page.add(o.value);
    const bool same = a.page.votes * 10 >= a.requests * 8;
    if (a.requests < kMachine || !same) return;
    Asked& s = asked_.get(o.server_key, fresh);
    if (fresh || o.time_us - s.last_us > 2 * kWindowUs || s.page != a.page.value) {
      renew(s);
      s.first_us = s.window_us = a.window_us;
      s.page = a.page.value;
    }
    s.last_us = o.time_us;
    const std::uint32_t count = a.requests == kMachine ? kMachine : 1;
    s.requests += count;
    s.machines.add(o.client_key, o.client, count);
    const bool many =
        s.machines.distinct() >= kMachines && s.requests >= c_.config.scaled(kOfMachines, o.server);
    std::uint32_t of_one = c_.config.scaled(kOfOne, o.server);
    // Behind a gateway are many.
    if (a.requests >= of_one && c_.roles.is(o.client_key, Role::gateway, o.time_us)) of_one *= 2;
    if (a.requests >= of_one || many)
      report_http(s, o, many ? c_.config.scaled(kOfMachines, o.server) : of_one);
  }

  void report_http(const Asked& s, const Sighting& o, std::uint32_t least) {
    const std::uint64_t subject = c_.log.subject(Verdict::http_flood, o.server);
    if (!c_.log.due(subject, o.time_us, s.requests)) return;
    Finding f(Verdict::http_flood, s.first_us, o.time_us);
    f.name_target(o.server, o.server_port);
    f.name_senders(s.machines, 1, o.client);
    f.sources_total = s.machines.distinct();
    f.figure("same_page_requests", s.requests);
    f.figure("machines", s.machines.distinct());
    f.limit("same_page_requests", least);
    f.confidence = 0.9;
    c_.log.report(subject, f);
  }

  void query(const Sighting& o) {
    bool fresh = false;
    NameServer& n = name_servers_.get(o.server_key, fresh, o.time_us);
    if (fresh || n.is_over(o.time_us)) n.begin(o.time_us);
    n.last_us = o.time_us;
    ++n.queries;
    n.parent.add(o.detail);
    n.names.add(o.value);
    n.clients.add(o.client_key, o.client);
    if (n.queries < c_.config.scaled(kQueries, o.server) || n.parent.votes * 2 < n.queries) return;
    if (n.names.estimate() * 10 < std::uint64_t{n.queries} * 7) return;
    // What is answered does not exist; a server that answers nothing any more is part of the picture.
    if (n.missing * 2 < n.answers) return;
    report_dns(n, o);
  }

  void report_dns(const NameServer& n, const Sighting& o) {
    const std::uint64_t subject = c_.log.subject(Verdict::dns_flood, o.server);
    if (!c_.log.due(subject, o.time_us, n.queries)) return;
    Finding f(Verdict::dns_flood, n.window_us, o.time_us);
    f.protocol = 17;
    f.name_target(o.server, o.server_port);
    f.name_sources(n.clients, n.queries / 50 + 2);
    f.figure("queries", n.queries);
    f.figure("distinct_names", n.names.estimate());
    f.figure("answers", n.answers);
    f.figure("no_such_name", n.missing);
    f.limit("queries", c_.config.scaled(kQueries, o.server));
    f.confidence = 0.9;
    c_.log.report(subject, f);
  }

  Context c_;
  BucketTable<Asker> askers_;
  BucketTable<Asked> asked_;
  BucketTable<NameServer> name_servers_;
};

std::unique_ptr<AnomalyDetector> make(const Context& context) {
  if (!context.config.flood) return nullptr;
  return std::make_unique<RequestFlood>(context, context.sizes.pairs);
}

}  // namespace

extern const AnomalyDescriptor detector_request_flood;
const AnomalyDescriptor detector_request_flood = {
    "request_flood",
    "one page asked again and again; names that do not exist",
    contact_bit(Contact::http_request) | contact_bit(Contact::dns_query) | contact_bit(Contact::dns_response),
    0,
    false,
    false,
    false,
    make};

}  // namespace gatehouse::ids::anomaly
