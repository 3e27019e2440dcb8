#include "ids/anomaly/contact_tracker.h"

#include <algorithm>
#include <utility>

namespace gatehouse::ids::anomaly {
namespace {

constexpr std::int64_t kMs = 1'000;
// RFC 6298: the first retransmission of a SYN comes after one second. Who has not asked again by then, with
// some room for timers, is no kernel's connection.
constexpr std::int64_t kTcpSilentUs = 1'200 * kMs;
// Nothing retransmits a ping or a datagram; answers from the far side of the world take 0.4 s.
constexpr std::int64_t kDatagramSilentUs = 600 * kMs;

// Silences told in one tick, that is in 50 ms.
constexpr int kMostSilent = 256;

constexpr std::uint8_t kSyn = 0x02, kRst = 0x04, kAck = 0x10;

// ICMP errors that speak of the port itself: RFC 792 type 3 code 3, RFC 4443 type 1 code 4.
bool port_unreachable(const Sighting& o) {
  return o.value == (o.client.is_v4() ? 3U : 4U);
}

}  // namespace

ContactTracker::ContactTracker(const KeyedHash& hash, OutcomeSink& sink, std::size_t tcp,
                               std::size_t datagrams)
    : hash_(hash), sink_(sink), tcp_(tcp, kTcpSilentUs), datagrams_(datagrams, kDatagramSilentUs) {}

void ContactTracker::archive(StateArchive& a) {
  for (Waiting* w : {&tcp_, &datagrams_}) {
    w->ring.archive(a);
    a.value(w->judged, [](std::uint64_t number) { return number >> 62U == 0; });
  }
  a.value(symmetry_);
}

Attempt* ContactTracker::find(const Sighting& o) {
  Attempt* const a = waiting(o).ring.find(o.contact_key);
  return a == nullptr || o.time_us - a->time_us > kWaitsUs ? nullptr : a;
}

void ContactTracker::forget_old(RecentRing<Attempt>& ring, std::int64_t now_us) {
  while (!ring.empty() && now_us - ring.oldest().time_us > kWaitsUs) ring.pop();
}

void ContactTracker::tell(const Attempt& attempt, std::int64_t now_us, Result result, bool counted,
                          Result before) {
  Outcome outcome;
  outcome.time_us = now_us;
  outcome.began_us = attempt.time_us;
  outcome.client = attempt.client;
  outcome.server = attempt.server;
  // Those of the observation it is told for, when there is one.
  outcome.client_key = told_for_ != nullptr ? told_for_->client_key : hash_(attempt.client);
  outcome.server_key = told_for_ != nullptr ? told_for_->server_key : hash_(attempt.server);
  outcome.server_port = attempt.server_port;
  outcome.protocol = attempt.protocol;
  outcome.tcp_flags = attempt.flags;
  outcome.result = result;
  outcome.before = before;
  outcome.counted = counted;
  sink_.on_outcome(outcome);
}

// The attempt an observation tells of.
void ContactTracker::fill(Attempt& attempt, const Sighting& o) {
  attempt.key = o.contact_key;
  attempt.time_us = o.time_us;
  attempt.client = o.client;
  attempt.server = o.server;
  attempt.server_port = o.server_port;
  attempt.flags = o.tcp_flags;
  attempt.protocol = o.protocol;
  attempt.stage = o.known == Known::answered ? Stage::answered : Stage::open;
}

void ContactTracker::begin(const Sighting& o) {
  if (o.known == Known::settled) return;
  if (o.contact == Contact::tcp_stray && (o.tcp_flags & kAck) == 0) {
    // Whatever comes back, no client speaks like this.
    Attempt odd;
    fill(odd, o);
    return tell(odd, o.time_us, Result::odd);
  }
  RecentRing<Attempt>& ring = waiting(o).ring;
  if (ring.crowded()) forget_old(ring, o.time_us);
  fill(ring.add(o.contact_key), o);
}

void ContactTracker::observe(const Sighting& o) {
  told_for_ = &o;
  see(o);
  told_for_ = nullptr;
}

void ContactTracker::see(const Sighting& o) {
  switch (o.contact) {
    case Contact::tcp_attempt:
    case Contact::tcp_stray:
    case Contact::udp_attempt:
    case Contact::ip_attempt:
      return begin(o);
    case Contact::ping:
      // Only the first of a sequence is an attempt; the rest is volume.
      if (o.value <= 1) begin(o);
      return;
    case Contact::tcp_retry:
      return retried(o);
    case Contact::tcp_refused:
      return settle(o, Result::refused);
    case Contact::unreachable:
      return settle(o, port_unreachable(o) ? Result::refused : Result::unreachable);
    case Contact::tcp_answered:
      return answered(o, Result::answered);
    case Contact::tcp_completed:
    case Contact::udp_answered:
    case Contact::ping_answered:
    case Contact::ip_answered:
      return answered(o, Result::completed);
    case Contact::tcp_abandoned:
      return answered(o, Result::abandoned);
    default:
      return;
  }
}

bool ContactTracker::make_next(Sighting& o) const {
  if (o.contact == Contact::tcp_stray) {
    const Attempt* a = find(o);
    if (a == nullptr || a->stage != Stage::answered) return false;
    o.contact = Contact::tcp_completed;
    return true;
  }
  const bool answer = o.contact == Contact::tcp_backscatter || o.contact == Contact::udp_attempt;
  if (!answer && o.contact != Contact::tcp_answered) return false;
  Sighting back = o;
  std::swap(back.client, back.server);
  std::swap(back.client_port, back.server_port);
  std::swap(back.client_key, back.server_key);
  set_keys(back);
  const Attempt* a = find(back);
  if (a == nullptr) return false;
  if (o.contact == Contact::tcp_answered) {
    // The client goes on, in a flow that seems to be the server's.
    if (a->stage != Stage::answered) return false;
    back.contact = Contact::tcp_completed;
  } else if (o.contact == Contact::udp_attempt) {
    back.contact = Contact::udp_answered;
  } else {
    back.contact = (o.tcp_flags & kRst) != 0 ? Contact::tcp_refused : Contact::tcp_answered;
  }
  o = back;
  return true;
}

void ContactTracker::settle(const Sighting& o, Result result) {
  Attempt* a = find(o);
  // A refusal of something nobody tried accuses nobody: answers can be forged.
  if (a == nullptr || (a->stage != Stage::open && a->stage != Stage::silent && a->stage != Stage::retried))
    return;
  if (a->stage == Stage::silent) tell(*a, o.time_us, Result::taken_back, true, Result::silent);
  a->stage = result == Result::refused ? Stage::refused : Stage::unreachable;
  tell(*a, o.time_us, result);
}

void ContactTracker::retried(const Sighting& o) {
  Attempt* a = find(o);
  if (a == nullptr || (a->stage != Stage::open && a->stage != Stage::silent)) return;
  const bool counted = a->stage == Stage::silent;
  a->stage = Stage::retried;
  tell(*a, o.time_us, Result::retried, counted, Result::silent);
}

// An attempt that did not have to wait.
void ContactTracker::succeeded(const Sighting& o) {
  Attempt attempt;
  fill(attempt, o);
  if (o.contact == Contact::tcp_completed) {
    attempt.flags = kSyn;
    symmetry_.answered();
  }
  tell(attempt, o.time_us, Result::completed);
}

void ContactTracker::answered(const Sighting& o, Result result) {
  if (o.known >= Known::whole) return succeeded(o);
  Attempt* a = find(o);
  if (a == nullptr || a->stage == Stage::done) return;
  if (o.contact == Contact::tcp_completed && (a->flags & kSyn) != 0) {
    if (a->stage == Stage::answered) {
      symmetry_.answered();
    } else {
      symmetry_.blind();
    }
  }
  const bool wrong =
      a->stage == Stage::silent || a->stage == Stage::refused || a->stage == Stage::unreachable;
  const Result before = a->stage == Stage::refused       ? Result::refused
                        : a->stage == Stage::unreachable ? Result::unreachable
                                                         : Result::silent;
  a->stage = result == Result::answered ? Stage::answered : Stage::done;
  if (wrong) tell(*a, o.time_us, Result::taken_back, true, before);
  // An answer alone proves nothing yet.
  if (result != Result::answered) tell(*a, o.time_us, result);
}

void ContactTracker::judge_silence(Waiting& w, std::int64_t now_us) {
  int told = 0;
  for (w.judged = std::clamp(w.judged, w.ring.head(), w.ring.tail()); w.judged < w.ring.tail(); ++w.judged) {
    Attempt& a = w.ring.at(w.judged);
    if (now_us - a.time_us < w.patience_us) break;
    // Where answers take another way, silence is no evidence at all.
    if (!may_be_silent(a) || symmetry_.one_sided()) continue;
    // Under a flood nobody learns what became of each single packet: who is flooded knows.
    if (++told > kMostSilent) continue;
    a.stage = Stage::silent;
    // It has been silent since then, whenever the next packet happens to come.
    tell(a, a.time_us + w.patience_us, Result::silent);
  }
  forget_old(w.ring, now_us);
}

void ContactTracker::tick(std::int64_t now_us) {
  judge_silence(tcp_, now_us);
  judge_silence(datagrams_, now_us);
}

std::int64_t ContactTracker::due_us() {
  std::int64_t due = INT64_MAX;
  for (Waiting* w : {&tcp_, &datagrams_}) {
    w->judged = std::clamp(w->judged, w->ring.head(), w->ring.tail());
    while (w->judged < w->ring.tail() && !may_be_silent(w->ring.at(w->judged))) ++w->judged;
    if (w->judged < w->ring.tail()) due = std::min(due, w->ring.at(w->judged).time_us + w->patience_us);
  }
  return due;
}

}  // namespace gatehouse::ids::anomaly
