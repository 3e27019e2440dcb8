// What a person may set, and how the one memory budget is shared out.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

#include "core/ip.h"

namespace gatehouse::ids::anomaly {

struct AnomalyConfig {
  bool scan = true, flood = true;
  // Distinct refused ports of one host: eight refusals in a row are 4^8 times likelier from a scanner (who
  // fails four times in five) than from a client (who fails once in five).
  std::uint32_t scan_ports = 8;
  std::uint32_t scan_hosts = 12;  // distinct hosts on one port; more, because hosts die together
  std::int64_t scan_window_us = 60'000'000;
  // Handshakes a second at one victim that are not completed.
  std::uint32_t flood_syn_per_second = 80;
  // Packets a second at one victim that nobody asked for. Benign peaks measured: 98 (a time server's
  // clients, answered) and 178 (one direction of asymmetric traffic).
  std::uint32_t flood_packets_per_second = 200;
  // All tables together; no traffic makes it more.
  std::uint64_t memory_bytes = 64U << 20U;
  // How soon what is done to hosts of a network is an attack: 200 % asks for twice as much evidence.
  struct ZoneLimit {
    core::IpPrefix network;
    std::uint32_t percent = 100;
  };
  std::vector<ZoneLimit> zones;
  // `limit` as it holds for what is done to `host`; the narrowest network decides.
  std::uint32_t scaled(std::uint32_t limit, const core::IpAddress& host) const {
    return zones.empty() ? limit : in_zone(limit, host);
  }
  // Detectors, and results of contacts (Result), that are left out: to see what each is needed for.
  std::vector<std::string> without;
  // What is known survives in this file; empty: in none. While packets come it is written this often.
  std::string state_path;
  bool state_kept = true;  // false: it is read, and left as it is
  std::int64_t state_interval_us = 300'000'000;
  std::uint64_t hash_seed = 0;  // 0: random, so that nobody can aim at one bucket

 private:
  std::uint32_t in_zone(std::uint32_t limit, const core::IpAddress& host) const;
};

// Table sizes that fit the budget; all powers of two, halved together until they do.
struct TableSizes {
  std::size_t sources = 1U << 16U;
  std::size_t tcp_attempts = 1U << 17U, datagram_attempts = 1U << 16U;
  std::size_t success_cells = 1U << 20U;
  std::size_t victims = 1U << 14U, prefixes = 1U << 11U;
  std::size_t shared_victims = 1U << 10U;
  std::size_t connections = 1U << 16U;
  std::size_t pairs = 1U << 13U;
  std::size_t lists = 1U << 10U;
  std::size_t servers = 1U << 9U;  // under suspicion
};

// Of the connections that are counted: those that are held, when they are older than a few seconds.
inline constexpr std::size_t kHeldShare = 2;

// What an entry of a detector's own table may take; each detector asserts its own.
inline constexpr std::size_t kSourceBytes = 400, kFirstBytes = 64, kSharedBytes = 2'112,
                             kConnectionBytes = 80, kPairBytes = 72;
// Tables of the detectors that do not grow with the budget: attacks, servers under suspicion.
inline constexpr std::size_t kServerBytes = 1'984;
// Of long lists of addresses, and of networks that several sources scan.
inline constexpr std::size_t kListBytes = 1'120, kSweptNetworks = 64, kSweptBytes = 3'200, kFewServers = 64,
                             kTalks = 8'192, kTalkBytes = 16;

}  // namespace gatehouse::ids::anomaly
