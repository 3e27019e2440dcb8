// What arrives at a host (or a network) that it did not ask for, second by second.
#pragma once

#include <algorithm>
#include <array>
#include <bit>

#include "core/lazy_array.h"
#include "ids/anomaly/address_counts.h"
#include "ids/anomaly/bucket_table.h"
#include "ids/anomaly/keyed_hash.h"
#include "ids/anomaly/observation.h"
#include "ids/anomaly/prefetch.h"
#include "ids/anomaly/view.h"

namespace gatehouse::ids::anomaly {

enum class Tally : std::uint8_t {
  syn,            // handshakes begun
  syn_completed,  // and completed
  syn_refused,    // and refused: nothing is held open for them
  syn_retried,    // asked again, as real clients do
  stray,          // ACK without a connection
  stray_refused,  // which the host refused
  stray_answered,
  reset,    // RST that answers nothing
  syn_ack,  // SYN/ACK that answers nothing
  udp,      // first datagrams and more of flows without an answer
  udp_answered,
  udp_refused,
  reflected,  // of `udp`: from a port of services that amplify
  icmp,
  fragment,  // first fragments
  defragmented,
  count_,
};
inline constexpr std::size_t kTallies = static_cast<std::size_t>(Tally::count_);

// Who takes part, kept only for victims that look attacked.
struct Suspicion {
  AddressCounts sources;
  std::array<std::uint32_t, 6> reflectors{};  // packets by service, see victims.cc
  bool sound() const { return sources.sound(); }
};

// Victims that have one at a time.
inline constexpr std::size_t kSuspicions = 256;

struct Victim {
  static constexpr std::size_t kSlots = 10;  // of 100 ms: the window is one second and slides
  static constexpr std::size_t kOlder = 4;   // slots that lie half a second back
  std::uint64_t tag = 0;
  IpAddress address;
  std::uint8_t prefix_bits = 0;
  std::int64_t first_us = 0;  // of the busy time that goes on: no pause of ten seconds
  std::int64_t last_us = 0;
  std::int64_t slot = 0;
  std::int64_t next_look_us = 0;
  std::array<std::uint32_t, kTallies> sum{};
  std::array<std::array<std::uint16_t, kTallies>, kSlots> slots{};
  // Completed handshakes a second, averaged over half a minute: what is usual here.
  float usual_syn = 0;
  std::uint32_t second_syn = 0;
  // Distinct things of this and the last two seconds.
  Distinct<4> sources, ports, hosts;
  std::uint16_t sources_before = 0, ports_before = 0, hosts_before = 0;
  std::int64_t distinct_us = 0;
  // Majority vote among the hosts of a network, or the ports of a host, and how many votes were cast.
  std::uint64_t top = 0;
  std::uint32_t top_votes = 0, votes = 0;
  std::uint16_t last_port = 0;
  std::uint8_t last_protocol = 0;
  std::int16_t suspicion = -1;  // index into the pool
  std::uint32_t bytes = 0;      // of the last datagram

  std::int64_t worth() const { return last_us + (suspicion >= 0 ? 60'000'000 : 0); }
  bool sound() const;
  std::uint32_t operator[](Tally tally) const { return sum[static_cast<std::size_t>(tally)]; }
  // Of the four oldest slots: what has had half a second to be settled.
  std::uint32_t older(Tally tally) const;
  // The largest of what nobody asked for.
  std::uint32_t busiest() const {
    return std::max({(*this)[Tally::syn], (*this)[Tally::udp], (*this)[Tally::icmp]});
  }
  // Has one host (port) two thirds of it?
  bool is_one() const { return top_votes * 3 > votes; }
  bool mostly_port(std::uint16_t port) const { return is_one() && top == port; }
  std::uint64_t source_count() const { return std::max<std::uint64_t>(sources.estimate(), sources_before); }
  std::uint64_t port_count() const { return std::max<std::uint64_t>(ports.estimate(), ports_before); }
  std::uint64_t host_count() const { return std::max<std::uint64_t>(hosts.estimate(), hosts_before); }
};

// A host before anything is unusual about it: 16 bytes, four to a cache line.
struct Glance {
  std::uint32_t tag = 0;    // 0: free
  std::uint32_t first = 0;  // in tenths of a second, as the next: since when it is busy
  std::uint32_t last = 0;
  std::uint32_t count = 0;  // unasked packets of this second and the one before, roughly
  static bool sound() { return true; }
};

// By address, or by prefix when `prefix` is set: /24, and /64 of IPv6.
class VictimTable {
 public:
  VictimTable(const KeyedHash& hash, std::size_t entries, bool prefix, std::uint32_t per_second)
      : hash_(hash),
        table_(entries),
        pool_(kSuspicions),
        owners_(kSuspicions),
        prefix_(prefix),
        glances_(std::bit_ceil(entries) * kGlances),
        notable_(std::max<std::uint32_t>(per_second / 4, 10)) {}

  void archive(StateArchive& a);
  static std::size_t bytes(std::size_t entries) {
    return entries * (BucketTable<Victim>::bytes() + kGlances * sizeof(Glance)) +
           kSuspicions * sizeof(Suspicion);
  }
  struct Counted {
    Victim* victim = nullptr;  // null: not worth an entry (yet)
    bool look = false;         // something is worth a look now
  };
  // `key`: of the host or its network, see key_of.
  Counted add(const Sighting& o, std::uint64_t key, Tally tally);
  std::uint64_t key_of(const Sighting& o) const {
    return prefix_ ? hash_(prefix_of(o.server)) : o.server_key;
  }
  // For what is no news of a host that nothing is known of.
  void prefetch_found(std::uint64_t key) const { table_.prefetch(key); }
  void prefetch(std::uint64_t key) const {
    table_.prefetch(key);
    prefetch_line(&glances_[bucket_of(tag_of(key))]);
  }
  const Victim* find(std::uint64_t key) { return table_.find(key); }
  // False: find() finds nothing.
  bool may_know(std::uint64_t key) const { return table_.may_have(key); }
  // A network whose hosts are not worth a look each: what it gets is spread over them.
  bool spread(const Victim& network) const {
    return network.busiest() >= notable_ * 4 && !network.is_one() && network.host_count() >= kSpreadHosts;
  }
  // Those something came to within the last two seconds.
  void describe(MonitorView& view) const;
  // Null: nothing is known.
  const Suspicion* suspicion(const Victim& victim) const {
    return victim.suspicion < 0 ? nullptr : &pool_[static_cast<std::size_t>(victim.suspicion)];
  }
  // /24, and /64 of IPv6.
  static IpAddress prefix_of(const IpAddress& address) {
    IpAddress prefix = address;
    if (address.is_v4()) {
      prefix.bytes[3] = 0;
    } else {
      std::fill(prefix.bytes.begin() + 8, prefix.bytes.end(), 0);
    }
    return prefix;
  }
  // Spread over so many hosts, none of which has two thirds of it.
  static constexpr std::uint64_t kSpreadHosts = 16;

 private:
  static constexpr std::size_t kGlances = 4, kFirstGlances = 1'024;
  // Of a glance's tag: where it lies follows from what is kept of its key.
  static std::uint32_t tag_of(std::uint64_t key) { return static_cast<std::uint32_t>(key >> 32U) | 1U; }
  std::size_t bucket_of(std::uint32_t tag) const { return ((tag >> 1U) & (glance_buckets_ - 1)) * kGlances; }
  void spread_glances();
  // Has it had enough for an entry of its own? Sets since when it is busy.
  bool glance(std::uint64_t hash, const Sighting& o, std::int64_t& first_us);
  static void slide(Victim& v, std::int64_t now_us);
  void count_distinct(Victim& v, const Sighting& o);
  void withdraw(Victim& v, const Sighting& o) const;
  void suspect(Victim& v, const Sighting& o, Tally tally, std::uint32_t times);
  void release(Victim& v);

  const KeyedHash& hash_;
  BucketTable<Victim> table_;
  core::LazyArray<Suspicion> pool_;
  core::LazyArray<std::uint64_t> owners_;  // tag of the victim that has it; 0: free
  bool prefix_;
  core::LazyArray<Glance> glances_;
  // Those in use: as many as are alive at a time need.
  std::uint64_t glance_buckets_ = std::min<std::size_t>(kFirstGlances, glances_.size()) / kGlances;
  std::uint32_t notable_;
  std::size_t next_free_ = 0;
  // Random enough for sampling (xorshift), and the same for the same packets and seed.
  std::uint64_t draw() {
    random_ ^= random_ << 13U;
    random_ ^= random_ >> 7U;
    random_ ^= random_ << 17U;
    return random_ >> 16U;
  }
  std::uint64_t random_ = hash_(0x5eed) | 1;
};

// The service whose answers come from this port, as an index into Suspicion::reflectors; negative: none
// that amplifies.
int reflecting_service(std::uint16_t port);
inline constexpr int kReflectDns = 0, kReflectNtp = 1, kReflectSsdp = 2, kReflectMemcached = 3,
                     kReflectOther = 4;

}  // namespace gatehouse::ids::anomaly
