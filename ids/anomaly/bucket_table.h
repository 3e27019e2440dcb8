// A table of fixed size: 8-way buckets, evicting the entry that matters least. Never allocates after
// construction.
#pragma once

#include <bit>
#include <cstdint>
#include "ids/anomaly/lazy_array.h"

namespace gatehouse::ids::anomaly {

// Entry needs: `std::uint64_t tag` (0: free), and `std::int64_t worth() const`: the entry with the
// lowest worth of a full bucket goes.
template <class Entry>
class BucketTable {
 public:
  explicit BucketTable(std::size_t entries)
      : buckets_(std::bit_ceil(entries < kWays ? kWays : entries) / kWays), entries_(buckets_ * kWays) {}

  Entry* find(std::uint64_t hash) {
    Entry* bucket = bucket_of(hash);
    const std::uint64_t tag = tag_of(hash);
    for (std::size_t i = 0; i < kWays; ++i) {
      if (bucket[i].tag == tag) return &bucket[i];
    }
    return nullptr;
  }

  // As get(), but into a full bucket only one newcomer in eight is let: a flood of strangers who each have as
  // little evidence as those before them would else turn the table over. Null: not let in.
  Entry* get_shy(std::uint64_t hash, bool& fresh) {
    fresh = false;
    if (Entry* found = find(hash)) return found;
    const Entry* bucket = bucket_of(hash);
    bool room = false;
    for (std::size_t i = 0; i < kWays; ++i) room = room || bucket[i].tag == 0;
    if (!room && (++shy_ & 7U) != 0) return nullptr;
    return &get(hash, fresh);
  }

  // `fresh`: the entry was just made, all members but `tag` as default-constructed.
  Entry& get(std::uint64_t hash, bool& fresh) {
    fresh = false;
    if (Entry* found = find(hash)) return *found;
    Entry* bucket = bucket_of(hash);
    Entry* victim = bucket;
    for (std::size_t i = 0; i < kWays; ++i) {
      if (bucket[i].tag == 0) {
        victim = &bucket[i];
        break;
      }
      if (bucket[i].worth() < victim->worth()) victim = &bucket[i];
    }
    if (victim->tag != 0) ++evicted_;
    *victim = Entry{};
    victim->tag = tag_of(hash);
    fresh = true;
    return *victim;
  }

  std::uint64_t evicted() const { return evicted_; }
  std::size_t capacity() const { return entries_.size(); }
  LazyArray<Entry>& entries() { return entries_; }

 private:
  static constexpr std::size_t kWays = 8;
  // Two keys with one hash share an entry: 2^-64 apart from chosen keys, which the keyed hash prevents.
  static std::uint64_t tag_of(std::uint64_t hash) { return hash == 0 ? 1 : hash; }
  Entry* bucket_of(std::uint64_t hash) { return &entries_[(hash & (buckets_ - 1)) * kWays]; }

  std::size_t buckets_;
  LazyArray<Entry> entries_;
  std::uint64_t evicted_ = 0, shy_ = 0;
};

}  // namespace gatehouse::ids::anomaly
