// Puts IP fragments together. One per worker; bounded in memory and time.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <utility>
#include <vector>

#include "ids/decode/packet.h"
#include "ids/flow/os_policy.h"

namespace gatehouse::ids {

struct DefragOptions {
  std::uint64_t memcap_bytes = 32U << 20U;
  unsigned max_trackers = 65'535;              // datagrams under construction
  unsigned max_fragments = 1'024;              // of one datagram; more are ignored
  std::int64_t timeout_us = 60 * 1'000'000LL;  // since the first fragment
  OsPolicyMap policies;
  bool use_vlan = true;
  std::uint64_t hash_seed = 0;  // 0: random
};

struct DefragCounters {
  std::uint64_t ipv4_fragments = 0, ipv6_fragments = 0;
  std::uint64_t ipv4_reassembled = 0, ipv6_reassembled = 0;
  std::uint64_t timeouts = 0;  // datagrams given up
  std::uint64_t evicted = 0;   // the oldest, dropped to make room
  std::uint64_t max_fragments_hits = 0;
  std::uint64_t memuse = 0, active = 0;
};

// A complete datagram: the link header of the fragment with offset 0, an IP header without
// fragmentation, the payload.
class Datagram {
 public:
  ByteView frame() const { return bytes_; }
  std::size_t ip_offset() const { return ip_offset_; }

 private:
  friend class Defragmenter;
  std::vector<std::uint8_t> bytes_;
  std::size_t ip_offset_ = 0;
};

class Defragmenter {
 public:
  explicit Defragmenter(DefragOptions options);
  ~Defragmenter();
  Defragmenter(const Defragmenter&) = delete;
  Defragmenter& operator=(const Defragmenter&) = delete;

  // `packet.fragment` must be set. Adds decode events (overlap, too large, ...) to it. Returns the
  // datagram that it completes.
  std::optional<Datagram> add(Packet& packet);
  // Hands the buffer back for reuse.
  void recycle(Datagram datagram);
  // Gives up datagrams whose time is over.
  void expire(std::int64_t now_us);
  const DefragCounters& counters() const { return counters_; }

 private:
  struct Table;

  bool make_room(std::uint64_t bytes);
  void drop_oldest();
  std::optional<Datagram> assemble(const Packet& packet, const class FragmentTracker& tracker);

  DefragOptions options_;
  DefragCounters counters_;
  std::unique_ptr<Table> table_;
  std::vector<std::vector<std::uint8_t>> spare_;
};

}  // namespace gatehouse::ids
