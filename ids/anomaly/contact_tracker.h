// From contacts to outcomes: what became of each attempt, and when silence counts as an answer.
#pragma once

#include <algorithm>

#include "ids/anomaly/keyed_hash.h"
#include "ids/anomaly/observation.h"
#include "ids/anomaly/recent_ring.h"

namespace gatehouse::ids::anomaly {

// How far an attempt has come.
enum class Stage : std::uint8_t { open, retried, silent, refused, unreachable, answered, done };

// A connection attempt that waits for its outcome.
struct Attempt {
  std::uint64_t key = 0;  // hash of both ends; 0: gone
  std::int64_t time_us = 0;
  IpAddress client, server;
  std::uint16_t server_port = 0;
  std::uint8_t flags = 0;  // TCP flags of the first packet
  std::uint8_t protocol = 0;
  Stage stage = Stage::open;
  bool sound() const {
    return sound_time(time_us) && anomaly::sound(client) && anomaly::sound(server) && stage <= Stage::done;
  }
};

enum class Result : std::uint8_t {
  refused,      // RST, port unreachable
  unreachable,  // host, network, protocol or administratively
  silent,       // nothing came, and the client did not ask again
  odd,          // a packet no client sends: FIN, NULL, XMAS
  answered,     // SYN/ACK; not completed yet
  completed,
  abandoned,   // reset by the client after the SYN/ACK
  retried,     // the client asked again: a kernel's patience, hardly a scanner's
  taken_back,  // `before` was wrong: an answer came after all
  count_,
};
inline constexpr std::size_t kResults = static_cast<std::size_t>(Result::count_);

struct Outcome {
  std::int64_t time_us = 0;   // of the verdict
  std::int64_t began_us = 0;  // of the attempt
  IpAddress client, server;
  std::uint16_t server_port = 0;
  std::uint64_t client_key = 0, server_key = 0;  // hashes of the addresses
  std::uint8_t protocol = 6;
  std::uint8_t tcp_flags = 0;  // of the first packet
  Result result = Result::silent;
  Result before = Result::silent;
  bool counted = false;  // taken_back and retried: `before` was told
};

class OutcomeSink {
 public:
  virtual ~OutcomeSink() = default;
  virtual void on_outcome(const Outcome& outcome) = 0;
  // Its silence will be told soon, unless an answer comes.
  virtual void expect(const Attempt&) {}
};

// Counts answers we should have seen: a capture of one direction shows clients that go on without any.
class Symmetry {
 public:
  void answered() { add(seen_); }
  void blind() { add(blind_); }
  static bool sound() { return true; }
  // No answer was seen yet: it is not known whether we see both directions.
  bool unknown() const { return seen_ == 0; }
  bool one_sided() const { return blind_ >= 8 && blind_ > seen_; }

 private:
  void add(std::uint32_t& counter) {
    if (++counter < 4096) return;
    seen_ /= 2;
    blind_ /= 2;
  }
  std::uint32_t seen_ = 0, blind_ = 0;
};

class ContactTracker {
 public:
  ContactTracker(const KeyedHash& hash, OutcomeSink& sink, std::size_t tcp, std::size_t datagrams);

  // Kernels repeat a SYN after 1 s and after 3 s; answers later than this are not waited for.
  static constexpr std::int64_t kWaitsUs = 4'000'000;

  void observe(const Sighting& o);
  // Without its flow a packet does not say what it belongs to: is it the next one of an attempt that still
  // waits? Makes `o` that.
  bool make_next(Sighting& o) const;
  // Silence is judged here.
  void tick(std::int64_t now_us);
  // Announces silences that may be judged until then.
  void foresee(std::int64_t until_us) {
    foresee(tcp_, until_us);
    foresee(datagrams_, until_us);
  }
  // When the next silence is to be judged; a tick before that does nothing.
  std::int64_t due_us();
  const Symmetry& symmetry() const { return symmetry_; }
  // For an observe() that comes soon.
  void prefetch(const Sighting& o) const {
    if (o.known <= Known::answered) waiting(o).ring.prefetch(o.contact_key);
  }
  // Sets the hashes of a contact; those of the addresses are set.
  void set_keys(Sighting& o) const { set_keys(o, o); }
  void set_keys(const Observation& o, Sighting& to) const {
    // The type and code that stand for ports of ICMP say nothing about the attempt.
    const bool ports = o.protocol != 1 && o.protocol != 58;
    const std::uint64_t pair =
        (std::uint64_t{o.client_port} << 16U | o.server_port) * static_cast<unsigned>(ports);
    to.pair_key = hash_.pair(to.client_key, to.server_key);
    to.contact_key = hash_.join(to.pair_key, pair << 8U | o.protocol) | 1U;
  }
  void archive(StateArchive& a);
  static std::size_t bytes(std::size_t tcp, std::size_t datagrams) {
    return RecentRing<Attempt>::bytes(tcp) + RecentRing<Attempt>::bytes(datagrams);
  }

 private:
  void see(const Sighting& o);
  // When the ring is full the oldest attempt is forgotten: under a flood nobody learns what became of each
  // single SYN, and the flood detector does not need it.
  struct Waiting {
    explicit Waiting(std::size_t capacity, std::int64_t patience) : ring(capacity), patience_us(patience) {}
    RecentRing<Attempt> ring;
    std::uint64_t judged = 0;  // those before this number
    std::uint64_t foreseen = 0;
    std::int64_t patience_us;
  };
  Waiting& waiting(const Sighting& o) { return o.protocol == 6 ? tcp_ : datagrams_; }
  const Waiting& waiting(const Sighting& o) const { return o.protocol == 6 ? tcp_ : datagrams_; }
  Attempt* find(const Sighting& o);
  const Attempt* find(const Sighting& o) const { return const_cast<ContactTracker*>(this)->find(o); }
  static void forget_old(RecentRing<Attempt>& ring, std::int64_t now_us);
  static void fill(Attempt& attempt, const Sighting& o);
  void begin(const Sighting& o);
  void settle(const Sighting& o, Result result);
  void retried(const Sighting& o);
  void answered(const Sighting& o, Result result);
  void succeeded(const Sighting& o);
  // Silence says something of these only: the middle of a connection looks like an ACK probe.
  static bool may_be_silent(const Attempt& a) {
    constexpr std::uint8_t kSyn = 0x02;
    return a.key != 0 && a.stage == Stage::open && (a.protocol != 6 || (a.flags & kSyn) != 0);
  }
  void foresee(Waiting& waiting, std::int64_t until_us) {
    std::uint64_t& next = waiting.foreseen;
    next = std::clamp(next, waiting.judged, waiting.ring.tail());
    for (; next < waiting.ring.tail(); ++next) {
      const Attempt& a = waiting.ring.at(next);
      if (until_us - a.time_us < waiting.patience_us) return;
      if (may_be_silent(a)) sink_.expect(a);
    }
  }
  void judge_silence(Waiting& waiting, std::int64_t now_us);
  void tell(const Attempt& attempt, std::int64_t now_us, Result result, bool counted = false,
            Result before = Result::silent);

  const KeyedHash& hash_;
  OutcomeSink& sink_;
  Waiting tcp_, datagrams_;
  Symmetry symmetry_;
  const Sighting* told_for_ = nullptr;
};

}  // namespace gatehouse::ids::anomaly
