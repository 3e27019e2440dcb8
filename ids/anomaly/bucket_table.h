// A table of fixed size: 8-way buckets, evicting the entry that matters least. Never allocates after
// construction. Its index begins small and grows with the entries: a few thousand of them would else take as
// many lines, and touch every page of an index that is made for all. What says nothing any more makes room
// before that: a table is as large as what is alive, not as what was ever seen.
#pragma once

#include <algorithm>
#include <array>
#include <bit>
#include <cstdint>

#include "core/lazy_array.h"
#include "ids/anomaly/cells.h"
#include "ids/anomaly/prefetch.h"
#include "ids/anomaly/state.h"

namespace gatehouse::ids::anomaly {

// An entry begins anew under its key.
template <class Entry>
void renew(Entry& entry) {
  const std::uint64_t tag = entry.tag;
  entry = Entry{};
  entry.tag = tag;
}

// Entry needs: `std::uint64_t tag` (0: free), and `std::int64_t worth() const`: the entry with the
// lowest worth of a full bucket goes. For get() with a time also `bool is_over(std::int64_t now_us) const`:
// from then on a fresh one would do as well, so that nobody can tell whether it is still there.
template <class Entry>
class BucketTable {
 public:
  explicit BucketTable(std::size_t entries)
      : buckets_(std::bit_ceil(std::max(entries, kSmallest)) / kWays),
        entries_(buckets_.size() * kWays),
        known_(entries_.size() * kKnownBits / 64) {}

  // What one entry takes.
  static constexpr std::size_t bytes() { return sizeof(Entry) + sizeof(Bucket) / kWays + 1; }

  Entry* find(std::uint64_t hash) {
    hash = tag_of(hash);
    if (!maybe(hash)) return nullptr;
    const Bucket& bucket = bucket_of(hash);
    for (unsigned same = equal_cells(bucket.tags.data(), short_tag(hash)); same != 0; same &= same - 1) {
      Entry& entry = entries_[bucket.places[static_cast<std::size_t>(std::countr_zero(same))]];
      if (entry.tag == hash) return &entry;
    }
    return nullptr;
  }

  const Entry* find(std::uint64_t hash) const { return const_cast<BucketTable*>(this)->find(hash); }

  // As get(), but into a full bucket only one newcomer in eight is let: a flood of strangers who each have as
  // little evidence as those before them would else turn the table over. Null: not let in.
  Entry* get_shy(std::uint64_t hash, bool& fresh) {
    fresh = false;
    if (Entry* found = find(hash)) return found;
    if (is_grown() && free_of(hash) == 0 && (++shy_ & 7U) != 0) return nullptr;
    return &make(hash, fresh);
  }

  // `fresh`: the entry was just made, all members but `tag` as default-constructed.
  Entry& get(std::uint64_t hash, bool& fresh) {
    fresh = false;
    if (Entry* found = find(hash)) return *found;
    return make(hash, fresh);
  }

  // As get(), and what is over makes room before the table grows.
  Entry& get(std::uint64_t hash, bool& fresh, std::int64_t now_us) {
    fresh = false;
    if (Entry* found = find(hash)) return *found;
    if (made_ >= in_use_ && is_crowded(hash)) sweep(now_us);
    ++made_;
    return make(hash, fresh);
  }

  void archive(StateArchive& a) {
    const auto inside = [this](std::uint32_t place) { return place < entries_.size(); };
    a.array(buckets_, [&](const Bucket& b) { return std::all_of(b.places.begin(), b.places.end(), inside); });
    a.array(entries_);
    a.value(in_use_, [this](std::uint64_t n) { return std::has_single_bit(n) && n <= buckets_.size(); });
    a.value(used_, [&](std::uint32_t used) { return used <= entries_.size(); });
    a.value(made_);
    a.value(evicted_);
    a.value(shy_);
    if (a.restoring()) note_all();
  }
  // False: find() finds nothing.
  bool may_have(std::uint64_t hash) const { return maybe(tag_of(hash)); }
  // For a find() that comes soon.
  void prefetch(std::uint64_t hash) const {
    if (maybe(hash)) prefetch_line(&bucket_of(hash));
  }
  // As prefetch(), where many are here or soon will be, in a table that is seldom asked: nothing is waited
  // for.
  void prefetch_place(std::uint64_t hash) const {
    prefetch_line(&known_[word_of(hash)]);
    prefetch_line(&bucket_of(tag_of(hash)));
  }
  template <class F>
  void each(F&& f) const {
    for (std::size_t i = 0; i < used_; ++i) {
      if (entries_[i].tag != 0) f(entries_[i]);
    }
  }
  std::uint64_t evicted() const { return evicted_; }
  std::size_t capacity() const { return entries_.size(); }

 private:
  static constexpr std::size_t kWays = 8, kSmallest = 64;
  // Half full it has entries of 32 KiB, and an index of a page at most.
  static constexpr std::size_t kFirstBuckets =
      std::clamp<std::size_t>(std::bit_floor(8'192 / sizeof(Entry)), 1, 64);
  struct Bucket {                             // a cache line
    std::array<std::uint32_t, kWays> tags;    // of the entries, short; 0: free
    std::array<std::uint32_t, kWays> places;  // of the entries
  };
  // Two keys with one hash share an entry: 2^-64 apart from chosen keys, which the keyed hash prevents.
  static std::uint64_t tag_of(std::uint64_t hash) { return hash == 0 ? 1 : hash; }
  // Most of them differ in this already; never 0.
  static std::uint32_t short_tag(std::uint64_t hash) { return static_cast<std::uint32_t>(hash >> 32U) | 1U; }
  Bucket& bucket_of(std::uint64_t hash) { return buckets_[hash & (in_use_ - 1)]; }
  const Bucket& bucket_of(std::uint64_t hash) const { return buckets_[hash & (in_use_ - 1)]; }
  bool is_grown() const { return in_use_ == buckets_.size(); }

  // Most who are looked for are not here: a bit for some of the hash, which stays in the cache, says so.
  // For each way, so that most of them are not set.
  static constexpr std::size_t kKnownBits = 2;
  std::uint64_t word_of(std::uint64_t hash) const { return (hash >> 6U) & known_mask_; }
  bool maybe(std::uint64_t hash) const { return (known_[word_of(hash)] >> (hash & 63U) & 1U) != 0; }
  void note(std::uint64_t hash) { known_[word_of(hash)] |= std::uint64_t{1} << (hash & 63U); }
  void note_all() {
    known_mask_ = known_mask();
    std::fill_n(known_.begin(), known_mask_ + 1, 0);
    each([this](const Entry& entry) { note(entry.tag); });
  }
  std::uint64_t known_mask() const {
    return std::max<std::uint64_t>(in_use_ * kWays * kKnownBits / 64, 1) - 1;
  }

  // A bit for each way of the bucket that is free.
  unsigned free_of(std::uint64_t hash) const { return equal_cells(bucket_of(hash).tags.data(), 0); }

  // All were given out, and a way is free: grow() gave one up. (None, after a forged file: then any will do.)
  std::uint32_t free_place() {
    const Entry* const free =
        std::find_if(entries_.begin(), entries_.end(), [](const Entry& entry) { return entry.tag == 0; });
    return free == entries_.end() ? 0 : static_cast<std::uint32_t>(free - entries_.begin());
  }

  // It would grow for this one.
  bool is_crowded(std::uint64_t hash) const { return used_ >= in_use_ * kWays / 2 || free_of(hash) == 0; }

  // All entries in an index four times as large. Who finds its bucket full, one in a million, is given up.
  void grow() {
    std::fill_n(buckets_.begin(), in_use_, Bucket{});
    in_use_ = std::min<std::uint64_t>(in_use_ * 4, buckets_.size());
    index_all();
  }

  // Entries that are over go, and the others move up. In an index of the same size each finds its place.
  void sweep(std::int64_t now_us) {
    made_ = 0;
    std::uint32_t kept = 0;
    for (std::uint32_t place = 0; place < used_; ++place) {
      const Entry& entry = entries_[place];
      if (entry.tag == 0 || entry.is_over(now_us)) continue;
      if (kept != place) entries_[kept] = entry;
      ++kept;
    }
    for (std::uint32_t place = kept; place < used_; ++place) entries_[place].tag = 0;
    used_ = kept;
    std::fill_n(buckets_.begin(), in_use_, Bucket{});
    index_all();
  }

  // Into an index that is empty.
  void index_all() {
    for (std::uint32_t place = 0; place < used_; ++place) {
      Entry& entry = entries_[place];
      const unsigned free = free_of(entry.tag);
      if (entry.tag == 0 || free == 0) {
        entry.tag = 0;
        continue;
      }
      Bucket& bucket = bucket_of(entry.tag);
      const auto way = static_cast<std::size_t>(std::countr_zero(free));
      bucket.tags[way] = short_tag(entry.tag);
      bucket.places[way] = place;
    }
    note_all();
  }

  Entry& make(std::uint64_t hash, bool& fresh) {
    fresh = true;
    while (!is_grown() && is_crowded(hash)) grow();
    Bucket& bucket = bucket_of(hash);
    const unsigned free = free_of(hash);
    std::size_t way = 0;
    if (free != 0) {
      way = static_cast<std::size_t>(std::countr_zero(free));
      bucket.places[way] = used_ < entries_.size() ? used_++ : free_place();
    } else {
      for (std::size_t i = 1; i < kWays; ++i) {
        if (entries_[bucket.places[i]].worth() < entries_[bucket.places[way]].worth()) way = i;
      }
      // Bits of those who went are left behind, for a while.
      if ((++evicted_ & (entries_.size() / 2 - 1)) == 0) note_all();
    }
    bucket.tags[way] = short_tag(hash);
    Entry& entry = entries_[bucket.places[way]];
    entry = Entry{};
    entry.tag = tag_of(hash);
    note(entry.tag);
    return entry;
  }

  core::LazyArray<Bucket> buckets_;
  // In the order they came, whatever their hashes: few of them take few pages.
  core::LazyArray<Entry> entries_;
  core::LazyArray<std::uint64_t> known_;
  std::uint64_t in_use_ = std::min<std::uint64_t>(kFirstBuckets, buckets_.size());
  std::uint64_t known_mask_ = known_mask();
  std::uint32_t used_ = 0;  // those before were given out
  std::uint64_t made_ = 0;  // since the last sweep, of those that are over one day
  std::uint64_t evicted_ = 0, shy_ = 0;
};

}  // namespace gatehouse::ids::anomaly
