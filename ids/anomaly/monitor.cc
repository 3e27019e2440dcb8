#include "ids/anomaly/monitor.h"

#include <algorithm>

namespace gatehouse::ids::anomaly {
namespace {

constexpr std::uint8_t kAck = 0x10, kRst = 0x04;

bool is_left_out(const AnomalyConfig& config, std::string_view name) {
  return std::find(config.without.begin(), config.without.end(), name) != config.without.end();
}

// Contacts that the table of networks may hear of.
bool is_counted(Contact contact) {
  constexpr std::uint32_t kCounted = contact_bit(Contact::tcp_attempt) | contact_bit(Contact::tcp_completed) |
                                     contact_bit(Contact::tcp_retry) | contact_bit(Contact::udp_attempt) |
                                     contact_bit(Contact::udp_answered) | contact_bit(Contact::more) |
                                     contact_bit(Contact::ping);
  return (kCounted & contact_bit(contact)) != 0;
}

// Of a connection that is known already, for detectors alone: nothing is counted at the victim, nothing was
// waited for.
constexpr std::uint64_t kOfConversation =
    contact_bit(Contact::tcp_data) | contact_bit(Contact::tcp_busy) | contact_bit(Contact::tcp_starved) |
    contact_bit(Contact::tcp_closed) | contact_bit(Contact::http_head) | contact_bit(Contact::http_request) |
    contact_bit(Contact::http_response) | contact_bit(Contact::dns_query) |
    contact_bit(Contact::dns_response) | contact_bit(Contact::login) | contact_bit(Contact::http2_streams) |
    contact_bit(Contact::http2_continued) | contact_bit(Contact::tls_keys) |
    contact_bit(Contact::udp_amplified);

// What may be spread over a network.
bool spreads(Tally tally) {
  switch (tally) {
    case Tally::syn:
    case Tally::syn_completed:
    case Tally::syn_refused:
    case Tally::syn_retried:
    case Tally::udp:
    case Tally::udp_answered:
    case Tally::icmp:
      return true;
    default:
      return false;
  }
}

}  // namespace

std::span<const std::string_view> result_names() {
  static constexpr std::string_view kNames[] = {"refused",   "unreachable", "silent",
                                                "odd",       "answered",    "completed",
                                                "abandoned", "retried",     "taken_back"};
  return kNames;
}

bool can_be_left_out(std::string_view name) {
  const auto results = result_names();
  // An answer is not told of on its own, so there is nothing to leave out.
  if (name == results[static_cast<std::size_t>(Result::answered)]) return false;
  if (std::find(results.begin(), results.end(), name) != results.end()) return true;
  const auto table = detector_table();
  return std::any_of(table.begin(), table.end(), [&](const AnomalyDescriptor* d) { return d->name == name; });
}

namespace {

AnomalyConfig with_seed(AnomalyConfig config) {
  if (config.hash_seed == 0) config.hash_seed = random_seed();
  return config;
}

}  // namespace

Monitor::Monitor(const AnomalyConfig& config, DetectionSink& sink)
    : config_(with_seed(config)),
      sizes_(table_sizes(config.memory_bytes)),
      hash_(config_.hash_seed),
      log_(hash_, sink),
      successes_(sizes_.success_cells),
      victims_(hash_, sizes_.victims, false,
               std::min(config.flood_syn_per_second, config.flood_packets_per_second)),
      prefixes_(hash_, sizes_.prefixes, true, config.flood_packets_per_second),
      tracker_(hash_, *this, sizes_.tcp_attempts, sizes_.datagram_attempts) {
  const Context context{config_,  sizes_,    hash_,       log_, successes_, roles_, tracker_.symmetry(),
                        victims_, prefixes_, restored_us_};
  for (std::size_t i = 0; i < result_names().size(); ++i) {
    if (is_left_out(config, result_names()[i])) left_out_ |= 1U << i;
  }
  for (const AnomalyDescriptor* d : detector_table()) {
    if (is_left_out(config, d->name)) continue;
    auto detector = d->make(context);
    if (detector == nullptr) continue;
    for (std::size_t i = 0; i < kContacts; ++i) {
      if ((d->contacts & contact_bit(static_cast<Contact>(i))) == 0) continue;
      by_contact_[i].push_back(detector.get());
      if ((detector->looks_ahead_of() & contact_bit(static_cast<Contact>(i))) != 0)
        ahead_of_contact_[i].push_back(detector.get());
    }
    for (std::size_t i = 0; i < kResults; ++i) {
      if ((d->outcomes & result_bit(static_cast<Result>(i))) != 0) by_outcome_[i].push_back(detector.get());
    }
    if (d->outcomes != 0 && detector->looks_ahead()) ahead_of_outcome_.push_back(detector.get());
    if (d->victims) by_victim_.push_back(detector.get());
    if (d->prefixes) by_prefix_.push_back(detector.get());
    if (d->ticks) by_tick_.push_back(detector.get());
    detectors_.push_back(std::move(detector));
    names_.push_back(d->name);
  }
}

std::uint64_t Monitor::memory_bytes() const {
  return table_bytes(sizes_);
}

void Monitor::count(const Sighting& o, Tally tally) {
  if (spreads(tally)) {
    const VictimTable::Counted network = prefixes_.add(o, o.network_key, tally);
    if (network.look) {
      for (AnomalyDetector* d : by_prefix_) d->on_prefix(*network.victim, o.time_us);
    }
    // No host of a quiet network is busy. Spread thinly: the network has it all, and its hosts would only
    // push others out.
    if ((network.victim == nullptr || prefixes_.spread(*network.victim)) &&
        victims_.find(o.server_key) == nullptr)
      return;
  }
  const VictimTable::Counted host = victims_.add(o, o.server_key, tally);
  if (!host.look) return;
  for (AnomalyDetector* d : by_victim_) d->on_victim(*host.victim, o.time_us);
}

void Monitor::tally(const Sighting& o) {
  switch (o.contact) {
    case Contact::tcp_attempt:
      return count(o, Tally::syn);
    case Contact::tcp_completed:
      return count(o, Tally::syn_completed);
    case Contact::tcp_retry:
      return count(o, Tally::syn_retried);
    case Contact::tcp_stray:
      if ((o.tcp_flags & kAck) != 0) count(o, Tally::stray);
      return;
    case Contact::tcp_backscatter:
      return count(o, (o.tcp_flags & kRst) != 0 ? Tally::reset : Tally::syn_ack);
    case Contact::udp_attempt:
    case Contact::more:
      if (o.protocol != 17) return;
      // The part before the whole: who judges `udp` looks at both.
      if (reflecting_service(o.client_port) >= 0) {
        victims_.add(o, o.server_key, Tally::reflected);
        return count(o, Tally::udp);
      }
      // A long stream without an answer is usual (media, logs); only many streams are not.
      if (o.contact == Contact::udp_attempt) count(o, Tally::udp);
      return;
    case Contact::udp_answered:
      return count(o, Tally::udp_answered);
    case Contact::ping:
      return count(o, Tally::icmp);
    case Contact::fragment:
      return count(o, Tally::fragment);
    case Contact::defragmented:
      return count(o, Tally::defragmented);
    default:
      return;
  }
}

void Monitor::take(std::span<const Observation> batch) {
  // One step is announced while that before it is looked at.
  const auto step = [batch](std::size_t from) {
    return batch.subspan(from, std::min(kStep, batch.size() - from));
  };
  for (std::size_t from = 0; from < batch.size() + kStep; from += kStep) {
    if (from < batch.size()) announce(step(from), &window_[from % window_.size()]);
    if (from < kStep) continue;
    const std::span now(&window_[(from - kStep) % window_.size()], step(from - kStep).size());
    for (const Sighting& o : now) {
      if (o.time_us >= next_tick_us_) pass(o.time_us);
      if (!is_group(o.server)) see(o);
    }
  }
}

void Monitor::announce(std::span<const Observation> some, Sighting* to) {
  // Each on its own: the processor works on several at once.
  for (std::size_t i = 0; i < some.size(); ++i) {
    set_keys(some[i], to[i]);
    static_cast<Observation&>(to[i]) = some[i];
  }
  for (std::size_t i = 0; i < some.size(); ++i) prefetch(to[i]);
  tracker_.foresee(some.back().time_us);
}

// Not of its copy: what was just written is not read again at once where its parts lie otherwise.
void Monitor::set_keys(const Observation& o, Sighting& to) const {
  to.client_key = hash_(o.client);
  to.server_key = hash_(o.server);
  to.network_key = hash_.network(o.server);
  tracker_.set_keys(o, to);
}

void Monitor::prefetch(const Sighting& o) const {
  for (const AnomalyDetector* d : ahead_of_contact_[static_cast<std::size_t>(o.contact)]) d->foresee(o);
  if ((kOfConversation & contact_bit(o.contact)) != 0) return;
  switch (o.contact) {
    case Contact::tcp_completed:
    case Contact::udp_answered: {
      const std::uint64_t service = hash_.join(o.server_key, o.server_port);
      successes_.prefetch(o.client_key, hash_.pair(o.client_key, service));
      if (o.protocol == 6) successes_.prefetch_service(service);
      prefixes_.prefetch_found(o.network_key);
      victims_.prefetch_found(o.server_key);
      for (const AnomalyDetector* d : ahead_of_outcome_) d->expect(o.client_key, o.server_key);
      break;
    }
    case Contact::tcp_answered:
    case Contact::tcp_refused:
    case Contact::unreachable:
      break;
    case Contact::tcp_stray:
      successes_.prefetch_service(hash_.join(o.client_key, o.client_port));
      victims_.prefetch(o.server_key);
      break;
    default:
      if (is_counted(o.contact)) {
        prefixes_.prefetch(o.network_key);
        if (!prefixes_.may_know(o.network_key)) break;
      }
      victims_.prefetch(o.server_key);
      break;
  }
  tracker_.prefetch(o);
}

void Monitor::see(const Sighting& o) {
  log_.at_packet(o.packet);
  if ((kOfConversation & contact_bit(o.contact)) != 0) return tell_detectors(o);
  // The other end of a connection whose client restarted or moved goes on for a while: its port is a service
  // our hosts have used, so it answers, it does not ask.
  if (o.contact == Contact::tcp_stray && successes_.knows_service(hash_.join(o.client_key, o.client_port)))
    return;
  // Half a packet has no flow, and those of the run before are gone.
  if ((o.cut && o.contact == Contact::udp_attempt) || o.time_us < flows_gone_until_us_) {
    if (Sighting next = o; tracker_.make_next(next)) {
      next.network_key = hash_.network(next.server);
      return look_at(next);
    }
  }
  look_at(o);
}

void Monitor::look_at(const Sighting& o) {
  tally(o);
  tracker_.observe(o);
  tell_detectors(o);
}

void Monitor::tell_detectors(const Sighting& o) const {
  for (AnomalyDetector* d : by_contact_[static_cast<std::size_t>(o.contact)]) d->on_contact(o);
}

// A refusal is an answer: nothing stays half open for it, and the host does not want it.
void Monitor::count_outcome(const Outcome& o) {
  const bool syn = (o.tcp_flags & 0x02) != 0;
  const bool answered = o.result == Result::completed && o.protocol == 6 && !syn;
  if (o.result != Result::refused && !answered) return;
  Sighting counted;
  counted.time_us = o.time_us;
  counted.client = o.client;
  counted.server = o.server;
  counted.client_key = o.client_key;
  counted.server_key = o.server_key;
  counted.server_port = o.server_port;
  counted.protocol = o.protocol;
  const Tally tally = answered           ? Tally::stray_answered
                      : o.protocol == 17 ? Tally::udp_refused
                      : syn              ? Tally::syn_refused
                                         : Tally::stray_refused;
  if (spreads(tally)) counted.network_key = hash_.network(o.server);
  count(counted, tally);
}

void Monitor::on_outcome(const Outcome& o) {
  if ((left_out_ >> static_cast<unsigned>(o.result) & 1U) != 0) return;
  count_outcome(o);
  for (AnomalyDetector* d : by_outcome_[static_cast<std::size_t>(o.result)]) d->on_outcome(o);
  // Patience counts as a success of the client, though not of the service.
  if (o.result != Result::completed && o.result != Result::retried) return;
  const std::uint64_t service = hash_.join(o.server_key, o.server_port);
  successes_.add(o.client_key, hash_.pair(o.client_key, service), o.time_us);
  if (o.result == Result::completed && o.protocol == 6) successes_.add_service(service);
}

void Monitor::expect(const Attempt& a) {
  const std::uint64_t client = hash_(a.client), server = hash_(a.server);
  const std::uint64_t service = hash_.join(server, a.server_port);
  successes_.prefetch_known(service, hash_.pair(client, service));
  for (const AnomalyDetector* d : ahead_of_outcome_) d->expect(client, server);
}

void Monitor::wake() {
  if (!restored_.empty()) take_up(now_us_);
  if (next_tick_us_ == INT64_MIN) next_tick_us_ = now_us_ / kTickUs * kTickUs;
  wake_us_ = INT64_MAX;
  if (!patient_) flush();
}

void Monitor::flush() {
  pass_on();
  if (next_tick_us_ == INT64_MIN) return;
  if (now_us_ >= next_tick_us_) pass(now_us_);
  if (!patient_) wake_us_ = now_us_ / kTickUs * kTickUs + kTickUs;
}

// The first moment of the grid at which something is to be done.
std::int64_t Monitor::next_tick() {
  const auto on_grid = [](std::int64_t us, std::int64_t grid) { return (us + grid - 1) / grid * grid; };
  constexpr std::int64_t kNever = INT64_MAX - kSecondUs;
  std::int64_t due = std::min(tracker_.due_us(), kNever);
  for (AnomalyDetector* d : by_tick_) due = std::min(due, d->due_us());
  return std::max(next_tick_us_, std::min(on_grid(due, kTickUs),
                                          on_grid(std::min(log_.due_us(), kNever - 1) + 1, kSecondUs)));
}

void Monitor::pass(std::int64_t now_us) {
  // Nearly always something is to be done at the moment that was foreseen: to find out costs as much as a
  // tick that finds nothing.
  std::int64_t next = next_tick_us_;
  for (int n = 0; next <= now_us; ++n, next = next_tick()) {
    // All that waits is decided within seconds; of a longer pause the last moment is enough.
    tick(n == kMostTicks ? now_us / kTickUs * kTickUs : next);
  }
  // What is told from now on is due later than that.
  next_tick_us_ = std::max(next_tick_us_, std::min(next, (now_us + kNoticeUs) / kTickUs * kTickUs));
}

void Monitor::tick(std::int64_t now_us) {
  next_tick_us_ = now_us + kTickUs;
  log_.at_packet(0);
  tracker_.tick(now_us);
  for (AnomalyDetector* d : by_tick_) d->on_tick(now_us);
  if (now_us % kSecondUs == 0) log_.tick(now_us);
}

void Monitor::finish(std::int64_t now_us) {
  advance(now_us);
  flush();
  log_.finish();
}

void Monitor::describe(MonitorView& view) const {
  victims_.describe(view);
  prefixes_.describe(view);
  for (const auto& detector : detectors_) detector->describe(view);
}

}  // namespace gatehouse::ids::anomaly
