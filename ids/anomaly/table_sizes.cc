// How the one budget is shared out among the tables.
#include "ids/anomaly/monitor.h"

namespace gatehouse::ids::anomaly {
namespace {

// Five detectors keep pairs of client and server; three keep servers they suspect.
constexpr std::uint64_t kPairTables = 5, kServerTables = 3, kListTables = 2;
// What the index of a RecentRing and of a BucketTable takes for an entry.
constexpr std::uint64_t kIndexBytes = 2 * sizeof(std::uint64_t), kBucketBytes = sizeof(std::uint64_t) + 1;
// A source has one entry or the other, and the tables are of one size.
constexpr std::uint64_t kOfSource = kSourceBytes + kFirstBytes + 2 * kBucketBytes;

}  // namespace

std::uint64_t table_bytes(const TableSizes& s) {
  return s.sources * kOfSource + ContactTracker::bytes(s.tcp_attempts, s.datagram_attempts) +
         Successes::bytes(s.success_cells) + VictimTable::bytes(s.victims) + VictimTable::bytes(s.prefixes) +
         s.shared_victims * (kSharedBytes + kBucketBytes) +
         (s.connections + s.connections / kHeldShare) * (kConnectionBytes + kIndexBytes) +
         s.pairs * (kPairBytes + kBucketBytes) * kPairTables + s.servers * kServerBytes * kServerTables +
         s.lists * kListBytes * kListTables + kSweptNetworks * kSweptBytes + kFewServers * kServerBytes +
         kTalks * kTalkBytes + Roles::kEntries * Roles::kEntryBytes +
         (s.servers + kFewServers * 8) * kPairBytes + AttackLog::bytes();
}

TableSizes table_sizes(std::uint64_t memory_bytes) {
  TableSizes s;
  std::size_t* const all[] = {&s.sources,        &s.tcp_attempts, &s.datagram_attempts,
                              &s.success_cells,  &s.victims,      &s.prefixes,
                              &s.shared_victims, &s.connections,  &s.pairs,
                              &s.lists,          &s.servers};
  while (table_bytes(s) > memory_bytes && s.sources > 64) {
    for (std::size_t* size : all) *size /= 2;
  }
  // A larger budget goes to what an attacker can fill.
  while (table_bytes(s) + s.sources * kOfSource < memory_bytes) s.sources *= 2;
  return s;
}

}  // namespace gatehouse::ids::anomaly
