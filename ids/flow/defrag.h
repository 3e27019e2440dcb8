// Puts IP fragments together. One per worker; bounded in memory and time.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
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
  std::uint64_t evicted = 0;   // trackers dropped to make room
  std::uint64_t max_fragments_hits = 0, memcap_hits = 0;
  std::uint64_t memuse = 0, active = 0;
};

class Defragmenter {
 public:
  // The bytes of a complete datagram: IP header without fragmentation, then the payload. Gives
  // its buffer back when it goes; must not outlive the Defragmenter.
  class Datagram {
   public:
    Datagram(Datagram&& other) noexcept : owner_(other.owner_), bytes_(std::move(other.bytes_)) {
      other.owner_ = nullptr;
    }
    Datagram& operator=(Datagram&&) = delete;
    ~Datagram();
    ByteView bytes() const { return bytes_; }

   private:
    friend class Defragmenter;
    Datagram(Defragmenter* owner, std::vector<std::uint8_t> bytes)
        : owner_(owner), bytes_(std::move(bytes)) {}
    Defragmenter* owner_;
    std::vector<std::uint8_t> bytes_;
  };

  explicit Defragmenter(DefragOptions options);
  ~Defragmenter();
  Defragmenter(const Defragmenter&) = delete;
  Defragmenter& operator=(const Defragmenter&) = delete;

  // `packet.fragment` must be set. Adds decode events (overlap, too large, ...) to it.
  std::optional<Datagram> add(Packet& packet);
  // Gives up datagrams whose time is over.
  void expire(std::int64_t now_us);
  const DefragCounters& counters() const { return counters_; }

 private:
  struct Tracker;
  struct Table;
  friend class Datagram;

  DefragOptions options_;
  DefragCounters counters_;
  std::unique_ptr<Table> table_;
  std::vector<std::vector<std::uint8_t>> spare_;
};

}  // namespace gatehouse::ids
