// What the scan detector keeps of a source, and how much each kind of evidence weighs.
#pragma once

#include <array>
#include <cstdint>

#include "ids/anomaly/classes.h"
#include "ids/anomaly/config.h"
#include "ids/anomaly/contact_tracker.h"
#include "ids/anomaly/distinct.h"

namespace gatehouse::ids::anomaly {

// Evidence in eighths of a refusal.
inline constexpr std::int32_t kRefused = 8;      // the other end said no
inline constexpr std::int32_t kOdd = 8;          // no client sends such a packet
inline constexpr std::int32_t kSilent = 6;       // and did not ask again within the time every kernel does
inline constexpr std::int32_t kUnreachable = 6;  // a router said no: true of dead hosts a client may know
inline constexpr std::int32_t kAbandoned = 4;    // answered and dropped: probes do it, health checks too
inline constexpr std::int32_t kUdpSilent = 2;    // UDP is often silent
inline constexpr std::int32_t kPingSilent = 8;

inline constexpr std::size_t kSamples = 4;           // of targets; who has more gets a list
inline constexpr std::int32_t kMostUnits = 1 << 24;  // nobody gets there: 512 distinct contacts are counted

enum class Look : std::uint8_t { syn, fin, null, xmas, ack, udp, ping, protocol, count_ };
inline constexpr std::size_t kLooks = static_cast<std::size_t>(Look::count_);

inline constexpr std::uint8_t kFin = 0x01, kSynFlag = 0x02, kPsh = 0x08, kAckFlag = 0x10, kUrg = 0x20;

inline Look look_of(const Outcome& o) {
  if (o.protocol == 17) return Look::udp;
  if (o.protocol == 1 || o.protocol == 58) return Look::ping;
  if (o.protocol != 6) return Look::protocol;
  if ((o.tcp_flags & kSynFlag) != 0) return Look::syn;
  if ((o.tcp_flags & kAckFlag) != 0) return Look::ack;
  if ((o.tcp_flags & (kFin | kPsh | kUrg)) == (kFin | kPsh | kUrg)) return Look::xmas;
  return (o.tcp_flags & kFin) != 0 ? Look::fin : Look::null;
}

// From its second failure on, small and with what each outcome touches in front.
struct Source {
  std::uint64_t tag = 0;
  IpAddress address;
  std::uint8_t bits = 0;  // of a network; 0: a host
  std::uint8_t sample_count = 0;
  // The host most failures are at (majority vote), and how many distinct ports failed there. Of a network
  // also its senders, and the one most failures are of (a Majority, packed closer).
  std::uint16_t sender_votes = 0, focus_votes = 0;
  std::uint64_t focus = 0, sender = 0;
  // Ports of the host that answered: a thousand visits to one of them prove no more than one.
  Distinct<1> focus_good;
  std::uint16_t completed = 0, abandoned = 0, retried = 0;
  std::int64_t first_us = 0, last_us = 0, window_us = 0, focus_first_us = 0;
  std::int32_t units = 0, window_units = 0, focus_units = 0;
  std::uint32_t failed = 0, window_failed = 0;
  std::array<std::uint16_t, kLooks> looks{};
  Distinct<4> focus_ports;
  Distinct<8> pairs;
  Distinct<4> ports, hosts;
  Distinct<1> protocols;
  Distinct<2> senders;
  std::array<IpAddress, kSamples> samples{};

  // Evidence outlives mere novelty: a flood of strangers cannot push a scanner out.
  std::int64_t worth() const { return last_us + std::int64_t{units} * 60'000'000; }
  bool sound() const {
    return anomaly::sound(address) && sound_time(first_us) && sound_time(last_us) && sound_time(window_us) &&
           sound_time(focus_first_us) && units >= 0 && units <= kMostUnits && window_units >= 0 &&
           window_units <= kMostUnits && focus_units >= 0 && focus_units <= kMostUnits && pairs.sound() &&
           ports.sound() && hosts.sound() && protocols.sound() && focus_ports.sound() && focus_good.sound() &&
           anomaly::sound(samples) && sample_count <= kSamples && bits <= 128 && senders.sound();
  }
};

static_assert(sizeof(Source) <= kSourceBytes);

// Of a source that has no other: most have none, and those whose addresses are forged come by the thousand.
struct FirstFailure {
  std::uint64_t tag = 0;
  std::int64_t began_us = 0, last_us = 0;
  IpAddress client, server;
  std::uint16_t server_port = 0;
  std::uint8_t protocol = 0, tcp_flags = 0;
  Result result = Result::silent;
  std::uint8_t gone = 0;  // not 0: taken up into a Source

  void set(const Outcome& o);
  // The same once more, soon after, proves nothing and changes nothing else.
  bool is_repeated(const Outcome& o, std::int64_t window_us) const;
  // As it was told; the hashes are to be set.
  Outcome outcome() const;
  std::int64_t worth() const { return last_us; }
  bool sound() const {
    return sound_time(began_us) && sound_time(last_us) && anomaly::sound(client) && anomaly::sound(server) &&
           result < Result::count_;
  }
};

static_assert(sizeof(FirstFailure) <= kFirstBytes);

// What tells two contacts of a source with one host apart.
inline std::uint64_t target_of(Look look, const Outcome& o) {
  return look == Look::protocol ? 0x10000ULL | o.protocol : o.server_port;
}

inline std::int32_t weight(Result result, Look look) {
  switch (result) {
    case Result::refused:
      return kRefused;
    case Result::odd:
      return kOdd;
    case Result::unreachable:
      return kUnreachable;
    case Result::abandoned:
      return kAbandoned;
    default:
      return look == Look::udp ? kUdpSilent : look == Look::ping ? kPingSilent : kSilent;
  }
}

// One more distinct (host, port) that failed. True: the host is new.
bool add(Source& s, const KeyedHash& hash, const Outcome& o, Look look);
// An answer after all, or a client that asks again as kernels do. Null: nothing is known of it.
void take_back(Source* s, const Outcome& o, Look look);
// What the failures look like; `fast`: they came within the window.
Verdict verdict(const Source& s, bool fast);

}  // namespace gatehouse::ids::anomaly
