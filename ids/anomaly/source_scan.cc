// Scans, per source: a sequential test over distinct (host, port) and what became of them.
#include <algorithm>
#include <array>

#include "ids/anomaly/address_list.h"
#include "ids/anomaly/detector.h"
#include "ids/anomaly/scan_source.h"

namespace gatehouse::ids::anomaly {
namespace {

constexpr std::int64_t kEvidenceLivesUs = 6LL * 3600 * 1'000'000;
constexpr std::uint32_t kSlowTargets = 10;  // few, but nearly nothing else beside them
constexpr std::uint32_t kGatewayHeads = 2;
constexpr std::uint32_t kDeadHosts = 8;  // of a ping sweep
constexpr std::uint32_t kProtocols = 6;  // distinct IP protocols; hosts speak two or three
constexpr std::uint32_t kUdpHosts = 30;  // one UDP port, silent everywhere
class SourceScan : public AnomalyDetector {
 public:
  SourceScan(const Context& context, std::size_t entries)
      : c_(context), sources_(entries), firsts_(entries), lists_(context.sizes.lists) {}

  void archive(StateArchive& a) override {
    sources_.archive(a);
    firsts_.archive(a);
    lists_.archive(a);
  }

  bool looks_ahead() const override { return true; }
  void expect(std::uint64_t client_key, std::uint64_t /*server_key*/) const override {
    sources_.prefetch_place(client_key);
    firsts_.prefetch_place(client_key);
  }
  void on_outcome(const Outcome& o) override {
    const Look look = look_of(o);
    switch (o.result) {
      case Result::refused:
      case Result::unreachable:
      case Result::silent:
      case Result::odd:
      case Result::abandoned:
        if (!is_known_service(o, look) && !is_excused(o, look)) failure(o, look);
        return;
      case Result::taken_back:
      case Result::retried:
        if (!o.counted && o.result != Result::retried) return;
        take_back(known(o.client_key, o.client, 0), o, look);
        if (o.client.is_v6()) {
          const IpAddress network = network_of(o.client, kSenderBits).address;
          take_back(known(c_.hash(network), network, kSenderBits), o, look);
        }
        return;
      case Result::completed:
        if (Source* s = known(o.client_key, o.client, 0)) {
          ++s->completed;
          if (s->focus == o.server_key) s->focus_good.add(c_.hash(o.server_port));
        }
        return;
      case Result::answered:
      case Result::count_:
        return;
    }
  }

  void describe(MonitorView& view) const override {
    sources_.each([&](const Source& s) {
      if (s.bits != 0 || s.failed == 0 || view.now_us() - s.last_us > kEvidenceLivesUs) return;
      Suspect row;
      row.address = s.address;
      row.failed = s.failed;
      row.succeeded = good(s);
      row.ports = s.ports.estimate();
      row.hosts = s.hosts.estimate();
      row.last_us = s.last_us;
      const auto share = [&](std::int32_t units, std::uint32_t limit) {
        const IpAddress& host = s.sample_count == 0 ? s.address : s.samples[0];
        const auto wanted = static_cast<std::int64_t>(c_.config.scaled(limit, host)) * kRefused;
        return static_cast<std::uint32_t>(std::int64_t{units} * 100 / wanted);
      };
      row.percent =
          std::max(share(s.focus_units, c_.config.scan_ports), share(s.window_units, c_.config.scan_hosts));
      view.add(row);
    });
  }

 private:
  std::uint64_t subject(const IpAddress& address, std::uint8_t bits) const {
    return c_.log.subject(Verdict::scan_vertical, address, bits);
  }

  // A service that was there before and is gone now tells of the service.
  bool is_known_service(const Outcome& o, Look look) const {
    return look != Look::ping && c_.successes.knows_service(c_.hash.join(o.server_key, o.server_port));
  }

  // It answered this source before, as what a monitor watches; or it goes with what the source is for.
  bool is_excused(const Outcome& o, Look look) const {
    const std::uint64_t service = c_.hash.join(o.server_key, o.server_port);
    const bool datagram = look == Look::ping || look == Look::udp;
    if (datagram && o.result == Result::silent &&
        c_.successes.knows_pair(c_.hash.pair(o.client_key, service)))
      return true;
    switch (o.server_port) {
      case 53:
        return c_.roles.is(o.client_key, Role::resolver, o.time_us);
      case 25:
      case 465:
      case 587:
        return c_.roles.is(o.client_key, Role::relay, o.time_us);
      default:
        return false;
    }
  }

  void failure(const Outcome& o, Look look) {
    if (o.client.is_v6()) {
      const IpAddress network = network_of(o.client, kSenderBits).address;
      if (Source* s = entry(c_.hash(network), network, kSenderBits, o)) count(*s, o, look);
      if (c_.log.active(subject(network, kSenderBits))) return;  // it speaks for its addresses
    }
    if (Source* s = entry(o.client_key, o.client, 0, o)) count(*s, o, look);
  }

  // Null: not worth one (yet).
  Source* entry(std::uint64_t hash, const IpAddress& address, std::uint8_t bits, const Outcome& o) {
    if (Source* s = sources_.find(hash)) {
      if (o.time_us - s->last_us > kEvidenceLivesUs) begin(*s, address, bits, o.began_us);
      return s;
    }
    FirstFailure* first = firsts_.find(hash);
    if (first == nullptr || is_gone(*first, o.time_us)) {
      if (is_crowd(o)) return nullptr;
      bool fresh = false;
      if (first == nullptr) first = firsts_.get_shy(hash, fresh);
      if (first != nullptr) first->set(o);
      return nullptr;
    }
    if (!first->is_repeated(o, c_.config.scan_window_us)) return promote(*first, address, bits);
    first->last_us = std::max(first->last_us, o.time_us);
    return nullptr;
  }

  // As entry() left it; null: nothing failed.
  Source* known(std::uint64_t hash, const IpAddress& address, std::uint8_t bits) {
    if (Source* s = sources_.find(hash)) return s;
    FirstFailure* first = firsts_.find(hash);
    return first == nullptr || first->gone != 0 ? nullptr : promote(*first, address, bits);
  }

  // There is more to be kept of it than one failure. Null: no room for it.
  Source* promote(FirstFailure& first, const IpAddress& address, std::uint8_t bits) {
    bool fresh = false;
    Source* const s = sources_.get_shy(first.tag, fresh);
    if (s == nullptr) return nullptr;
    begin(*s, address, bits, first.began_us);
    Outcome o = first.outcome();
    o.client_key = c_.hash(o.client);
    o.server_key = c_.hash(o.server);
    count(*s, o, look_of(o));
    first.gone = 1;
    first.last_us = 0;
    return s;
  }
  static bool is_gone(const FirstFailure& first, std::int64_t now_us) {
    return first.gone != 0 || now_us - first.last_us > kEvidenceLivesUs;
  }

  static void begin(Source& s, const IpAddress& address, std::uint8_t bits, std::int64_t now_us) {
    renew(s);
    s.address = address;
    s.bits = bits;
    s.first_us = s.window_us = now_us;
  }

  void count(Source& source, const Outcome& o, Look look) {
    Source* const s = &source;
    if (o.time_us - s->window_us > c_.config.scan_window_us) {
      s->window_us = o.began_us;
      s->window_units = 0;
      s->window_failed = 0;
    }
    s->last_us = std::max(s->last_us, o.time_us);
    if (o.result == Result::abandoned) ++s->abandoned;
    if (!s->pairs.add(c_.hash.join(o.server_key, target_of(look, o)))) return;  // repeats prove nothing
    if (s->bits != 0) count_sender(*s, o);
    if (add(*s, c_.hash, o, look)) count_target(*s, o);
    judge(*s, o, look);
  }

  // Strangers by the hundred at one port of one host, or silent under a flood: they are counted there.
  bool is_crowd(const Outcome& o) const {
    if (o.result == Result::silent && c_.log.flooded(o.server)) return true;
    const Victim* v = c_.victims.find(o.server_key);
    return v != nullptr && (*v)[Tally::syn] >= c_.config.flood_syn_per_second &&
           v->mostly_port(o.server_port) &&
           v->source_count() * 2 >= std::min<std::uint64_t>((*v)[Tally::syn], 500);
  }

  static std::uint64_t list_key(const Source& s, std::uint64_t what) { return s.tag * 2 + what; }
  std::span<const IpAddress> listed(const Source& s, std::uint64_t what) const {
    const AddressList* list = lists_.find(c_.hash(list_key(s, what)));
    return list == nullptr ? std::span<const IpAddress>() : list->list();
  }
  AddressList& list_of(const Source& s, std::uint64_t what) {
    bool fresh = false;
    return lists_.get(c_.hash(list_key(s, what)), fresh);
  }

  void count_sender(Source& s, const Outcome& o) {
    if (s.senders.add(o.client_key)) list_of(s, kSenders).add(o.client, o.time_us);
    if (s.sender_votes == 0) s.sender = o.client_key;
    s.sender_votes =
        static_cast<std::uint16_t>(s.sender == o.client_key ? s.sender_votes + 1 : s.sender_votes - 1);
  }

  void count_target(Source& s, const Outcome& o) {
    if (s.sample_count < kSamples) {
      s.samples[s.sample_count++] = o.server;
      return;
    }
    AddressList& list = list_of(s, kTargets);
    if (list.used == 0) {
      for (const IpAddress& sample : s.samples) list.add(sample, o.time_us);
    }
    list.add(o.server, o.time_us);
  }

  // `of` failures among all distinct contacts: at least `share` tenths.
  bool mostly(const Source& s, std::uint32_t of, std::uint32_t share) const {
    return std::uint64_t{of} * 10 >= std::uint64_t{of + good(s)} * share;
  }
  // Of a network: of those of it that failed.
  std::uint32_t good(const Source& s) const {
    if (s.bits == 0) return c_.successes.count(s.tag);
    std::uint32_t sum = 0;
    for (const IpAddress& sender : listed(s, kSenders)) sum += c_.successes.count(c_.hash(sender));
    return sum;
  }
  // Of several addresses; one that has most of it is named itself.
  static bool is_shared(const Source& s) {
    return s.senders.bits_set() >= 2 && std::uint32_t{s.sender_votes} * 3 <= s.failed;
  }

  bool is_vertical(const Source& s, std::int32_t units) const {
    return s.focus_units >= units && s.focus_good.bits_set() * 4 <= s.focus_ports.bits_set() &&
           (s.bits == 0 || mostly(s, s.failed, 8));
  }
  bool is_wide(const Source& s, std::int32_t units, Look look, const IpAddress& host) const {
    return s.window_units >= units && mostly(s, s.window_failed, 8) && enough_of_datagrams(s, look, host);
  }
  bool is_slow(const Source& s, std::uint32_t failed, std::int32_t units, Look look, const Outcome& o) const {
    return s.failed >= failed && s.units >= units && mostly(s, s.failed, 9) &&
           o.time_us - s.first_us > c_.config.scan_window_us && enough_of_datagrams(s, look, o.server);
  }

  void judge(Source& s, const Outcome& o, Look look) {
    // Of the host asked for last: one source rarely asks in zones of different sensitivity. Behind a gateway
    // are many, who find dead ports together.
    std::uint32_t heads = 1;
    const auto scaled = [&](std::uint32_t n) { return c_.config.scaled(n, o.server) * heads; };
    const auto units_of = [&](std::uint32_t n) { return static_cast<std::int32_t>(scaled(n)) * kRefused; };
    bool vertical = is_vertical(s, units_of(c_.config.scan_ports));
    bool wide = is_wide(s, units_of(c_.config.scan_hosts), look, o.server);
    bool slow = is_slow(s, scaled(kSlowTargets), units_of(kSlowTargets) * 3 / 4, look, o);
    if ((vertical || wide || slow) && c_.roles.is(s.tag, Role::gateway, o.time_us)) {
      heads = kGatewayHeads;
      vertical = vertical && is_vertical(s, units_of(c_.config.scan_ports));
      wide = wide && is_wide(s, units_of(c_.config.scan_hosts), look, o.server);
      slow = slow && is_slow(s, scaled(kSlowTargets), units_of(kSlowTargets) * 3 / 4, look, o);
    }
    // Peers come and go, each with a port of his own; a sweep has one port.
    if ((wide || slow) && s.ports.bits_set() * 2 >= s.hosts.bits_set() &&
        c_.roles.is(s.tag, Role::peer, o.time_us))
      wide = slow = false;
    // Who asks for hosts it knows finds few of them dead; who asks for all finds most.
    const std::uint32_t pings = s.looks[static_cast<std::size_t>(Look::ping)];
    // Few silent hosts say nothing before any answer was seen: perhaps we see one direction only.
    const std::uint32_t dead = std::max(scaled(kDeadHosts), c_.symmetry.unknown() ? kDeadHosts : 0U);
    const bool sweep = look == Look::ping && pings >= dead && pings * 2 >= good(s);
    const bool protocols = look == Look::protocol && s.protocols.bits_set() >= scaled(kProtocols);
    if (!vertical && !wide && !slow && !sweep && !protocols) return;
    if (s.bits != 0 && !is_shared(s)) return;
    const std::uint64_t about = subject(s.address, s.bits);
    const bool goes_on = c_.log.active(about);
    if (!goes_on && c_.log.explained(s.address, o.server)) return;
    if (!c_.log.due(about, o.time_us, s.failed)) return;
    if (s.bits != 0 && !goes_on) c_.log.absorb_network({s.address, s.bits}, Verdict::scan_vertical, o.server);
    Finding f;
    if (vertical) {
      f.limit("evidence", static_cast<std::uint64_t>(units_of(c_.config.scan_ports)));
    } else if (sweep) {
      f.limit("failed", dead);
    } else if (protocols) {
      f.limit("failed", scaled(kProtocols));
    } else if (wide) {
      f.limit("evidence", static_cast<std::uint64_t>(units_of(c_.config.scan_hosts)));
      f.limit("failed_percent", 80);
    } else {
      f.limit("failed", scaled(kSlowTargets));
      f.limit("failed_percent", 90);
    }
    report(s, o, about, vertical, wide || sweep || protocols, f);
  }

  // UDP that is not answered is usual: only one port asked of many hosts is a sweep.
  // Routing and tunnel protocols are not answered either: they count by their number alone.
  bool enough_of_datagrams(const Source& s, Look look, const IpAddress& host) const {
    if (look == Look::protocol) return false;
    if (look != Look::udp) return true;
    return s.ports.bits_set() <= 2 && s.hosts.estimate() >= c_.config.scaled(kUdpHosts, host) &&
           mostly(s, s.failed, 9);
  }

  void report(const Source& s, const Outcome& o, std::uint64_t about, bool vertical, bool fast, Finding& f) {
    // Eight ports of one host within the window are no slow scan.
    fast = fast || (vertical && o.time_us - s.focus_first_us <= c_.config.scan_window_us);
    f.verdict = verdict(s, fast);
    f.time_us = o.time_us;
    f.first_us = s.first_us;
    f.protocol = o.protocol;
    if (s.bits == 0) {
      f.name_source(s.address);
    } else {
      f.name_network(listed(s, kSenders), s.senders.estimate(), s.bits);
      if (f.source_count == 0) f.name_network(std::span(&o.client, 1), s.senders.estimate(), s.bits);
    }
    std::span<const IpAddress> targets = listed(s, kTargets);
    if (targets.empty()) targets = std::span(s.samples).first(s.sample_count);
    f.name_targets(o.server, targets, s.hosts.estimate());
    const std::uint32_t good_contacts = good(s);
    f.figure("failed", s.failed);
    f.figure("succeeded", good_contacts);
    f.figure("ports", s.ports.estimate());
    f.figure("hosts", f.targets_total);
    f.figure("retried", s.retried);
    f.figure("evidence", static_cast<std::uint64_t>(s.units));
    f.window_us = o.time_us - (fast ? s.window_us : s.first_us);
    const double share = static_cast<double>(s.failed) / static_cast<double>(s.failed + good_contacts);
    f.confidence =
        std::min(0.99, vertical ? 1.0 - 1.0 / (1 + s.failed) : share * (1.0 - 1.0 / (1 + s.failed)));
    c_.log.report(about, f);
  }

  static constexpr std::uint64_t kTargets = 0, kSenders = 1;  // what a list is of
  Context c_;
  BucketTable<Source> sources_;
  BucketTable<FirstFailure> firsts_;
  BucketTable<AddressList> lists_;
};

std::unique_ptr<AnomalyDetector> make(const Context& context) {
  if (!context.config.scan) return nullptr;
  return std::make_unique<SourceScan>(context, context.sizes.sources);
}

}  // namespace

extern const AnomalyDescriptor detector_source_scan;
const AnomalyDescriptor detector_source_scan = {
    "source_scan",
    "scans of ports, hosts and protocols by one source, fast and slow",
    0,
    result_bit(Result::count_) - 1,
    false,
    false,
    false,
    make};

}  // namespace gatehouse::ids::anomaly
