// From contacts to outcomes: what became of each attempt, and when silence counts as an answer.
#pragma once

#include "ids/anomaly/keyed_hash.h"
#include "ids/anomaly/pending.h"

namespace gatehouse::ids::anomaly {

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
};

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
};

// Counts answers we should have seen: a capture of one direction shows clients that go on without any.
class Symmetry {
 public:
  void answered() { add(seen_); }
  void blind() { add(blind_); }
  static bool sound() { return true; }
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
  ContactTracker(const KeyedHash& hash, OutcomeSink& sink, std::size_t tcp, std::size_t datagrams)
      : hash_(hash), sink_(sink), tcp_(tcp), datagrams_(datagrams) {}

  // Kernels repeat a SYN after 1 s and after 3 s; answers later than this are not waited for.
  static constexpr std::int64_t kWaitsUs = 4'000'000;

  void observe(const Observation& o);
  // Without its flow a packet does not say what it belongs to: is it the next one of an attempt that still
  // waits? Makes `o` that.
  bool make_next(Observation& o) const;
  // Silence is judged here.
  void tick(std::int64_t now_us);
  const Symmetry& symmetry() const { return symmetry_; }
  // For an observe() that comes soon.
  void prefetch(const Observation& o) { ring(o).prefetch(o.contact_key); }
  void prefetch_found(const Observation& o) { ring(o).prefetch_found(o.contact_key); }
  // Sets the hashes of the contact; those of the addresses are set.
  void set_keys(Observation& o) const;
  void archive(StateArchive& a) {
    tcp_.archive(a);
    datagrams_.archive(a);
    a.value(symmetry_);
  }
  static std::size_t bytes(std::size_t tcp, std::size_t datagrams) {
    return PendingAttempts::bytes(tcp) + PendingAttempts::bytes(datagrams);
  }

 private:
  void see(const Observation& o);
  PendingAttempts& ring(const Observation& o) { return o.protocol == 6 ? tcp_ : datagrams_; }
  void begin(const Observation& o);
  void settle(const Observation& o, Result result);
  void retried(const Observation& o);
  void answered(const Observation& o, Result result);
  void judge_silence(PendingAttempts& ring, std::int64_t now_us);
  void tell(const Attempt& attempt, std::int64_t now_us, Result result, bool counted = false,
            Result before = Result::silent);

  const KeyedHash& hash_;
  OutcomeSink& sink_;
  PendingAttempts tcp_, datagrams_;
  Symmetry symmetry_;
  const Observation* told_for_ = nullptr;
};

}  // namespace gatehouse::ids::anomaly
