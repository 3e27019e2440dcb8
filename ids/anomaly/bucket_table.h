// A table of fixed size: 8-way buckets, evicting the entry that matters least. Never allocates after
// construction.
#pragma once

#include <bit>
#include <cstdint>

#include "ids/anomaly/lazy_array.h"
#include "ids/anomaly/state.h"

namespace gatehouse::ids::anomaly {

// Entry needs: `std::uint64_t tag` (0: free), and `std::int64_t worth() const`: the entry with the
// lowest worth of a full bucket goes.
template <class Entry>
class BucketTable {
 public:
  explicit BucketTable(std::size_t entries)
      : buckets_(std::bit_ceil(entries < kWays ? kWays : entries) / kWays),
        entries_(buckets_ * kWays),
        tags_(buckets_ * kWays) {}

  Entry* find(std::uint64_t hash) {
    const std::size_t bucket = bucket_of(hash);
    const std::uint64_t tag = tag_of(hash);
    for (std::size_t i = bucket; i < bucket + kWays; ++i) {
      if (tags_[i] == tag) return &entries_[i];
    }
    return nullptr;
  }

  // As get(), but into a full bucket only one newcomer in eight is let: a flood of strangers who each have as
  // little evidence as those before them would else turn the table over. Null: not let in.
  Entry* get_shy(std::uint64_t hash, bool& fresh) {
    fresh = false;
    if (Entry* found = find(hash)) return found;
    const std::size_t bucket = bucket_of(hash);
    bool room = false;
    for (std::size_t i = bucket; i < bucket + kWays; ++i) room = room || tags_[i] == 0;
    if (!room && (++shy_ & 7U) != 0) return nullptr;
    return &get(hash, fresh);
  }

  // `fresh`: the entry was just made, all members but `tag` as default-constructed.
  Entry& get(std::uint64_t hash, bool& fresh) {
    fresh = false;
    if (Entry* found = find(hash)) return *found;
    const std::size_t bucket = bucket_of(hash);
    std::size_t victim = bucket;
    for (std::size_t i = bucket; i < bucket + kWays; ++i) {
      if (tags_[i] == 0) {
        victim = i;
        break;
      }
      if (entries_[i].worth() < entries_[victim].worth()) victim = i;
    }
    if (tags_[victim] != 0) ++evicted_;
    Entry& entry = entries_[victim];
    entry = Entry{};
    entry.tag = tags_[victim] = tag_of(hash);
    fresh = true;
    return entry;
  }

  void archive(StateArchive& a) {
    a.array(tags_);
    a.array(entries_);
    a.value(evicted_);
    a.value(shy_);
  }
  // For a find() that comes soon.
  void prefetch(std::uint64_t hash) const { __builtin_prefetch(&tags_[bucket_of(hash)]); }
  template <class F>
  void each(F&& f) const {
    for (std::size_t i = 0; i < tags_.size(); ++i) {
      if (tags_[i] != 0) f(entries_[i]);
    }
  }
  std::uint64_t evicted() const { return evicted_; }
  std::size_t capacity() const { return entries_.size(); }
  LazyArray<Entry>& entries() { return entries_; }

 private:
  static constexpr std::size_t kWays = 8;
  // Two keys with one hash share an entry: 2^-64 apart from chosen keys, which the keyed hash prevents.
  static std::uint64_t tag_of(std::uint64_t hash) { return hash == 0 ? 1 : hash; }
  std::size_t bucket_of(std::uint64_t hash) const { return (hash & (buckets_ - 1)) * kWays; }

  std::size_t buckets_;
  LazyArray<Entry> entries_;
  LazyArray<std::uint64_t> tags_;  // of the entries: one cache line a bucket
  std::uint64_t evicted_ = 0, shy_ = 0;
};

}  // namespace gatehouse::ids::anomaly
