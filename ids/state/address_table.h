// What rules remember about hosts and pairs of hosts: a hash table of fixed size, shared by all
// workers. Eight-way buckets under a secret seed; the entry that was not used for the longest time
// makes room. Memory is taken page by page, as entries are made.
#pragma once

#include <algorithm>
#include <array>
#include <atomic>
#include <bit>
#include <cstdint>
#include <mutex>
#include <optional>
#include <vector>

#include "core/ip.h"
#include "core/lazy_array.h"
#include "ids/flow/hash.h"

namespace gatehouse::ids {

// One address, or two in either order; `name` keeps apart what is remembered under them.
struct AddressKey {
  core::IpAddress first, second;
  std::uint32_t name = 0;

  static AddressKey host(const core::IpAddress& address, std::uint32_t name) { return {address, {}, name}; }
  static AddressKey pair(const core::IpAddress& a, const core::IpAddress& b, std::uint32_t name) {
    return a < b ? AddressKey{a, b, name} : AddressKey{b, a, name};
  }
  friend bool operator==(const AddressKey&, const AddressKey&) = default;
};

template <class Value>
class AddressTable {
 public:
  // Holds as many entries as fit into `memcap_bytes`; at least one bucket in each shard.
  explicit AddressTable(std::uint64_t memcap_bytes, std::uint64_t seed = 0)
      : seed_(seed_or_random(seed)),
        buckets_(std::bit_floor(std::max<std::uint64_t>(memcap_bytes / sizeof(Bucket) / kShards, 1))) {}

  // Nothing was ever kept: the packet path needs no lock to know.
  bool empty() const { return size_.load(std::memory_order_relaxed) == 0; }
  std::uint64_t size() const { return size_.load(std::memory_order_relaxed); }
  std::uint64_t evictions() const { return evictions_.load(std::memory_order_relaxed); }
  std::uint64_t capacity() const { return buckets_ * kWays * kShards; }
  std::uint64_t memory_bytes() const { return buckets_ * kShards * sizeof(Bucket); }

  // Calls `use(Value&)` under the shard's lock. It says whether the entry stays. False: no entry.
  template <class Use>
  bool visit(const AddressKey& key, std::int64_t now_us, Use&& use) {
    if (empty()) return false;
    const std::uint64_t hash = hash_of(key);
    Shard& shard = shard_of(hash);
    const std::lock_guard lock(shard.mutex);
    if (!shard.buckets) return false;
    for (Entry& entry : bucket_of(shard, hash)) {
      if (!entry.used || entry.key != key) continue;
      entry.last_us = now_us;
      if (!use(entry.value)) drop(entry);
      return true;
    }
    return false;
  }

  // The same, with a fresh Value when there is none.
  template <class Use>
  void update(const AddressKey& key, std::int64_t now_us, Use&& use) {
    const std::uint64_t hash = hash_of(key);
    Shard& shard = shard_of(hash);
    const std::lock_guard lock(shard.mutex);
    if (!shard.buckets) shard.buckets.emplace(buckets_);
    Bucket& bucket = bucket_of(shard, hash);
    Entry* place = nullptr;
    for (Entry& entry : bucket) {
      if (entry.used && entry.key == key) {
        place = &entry;
        break;
      }
      if (place == nullptr || (place->used && (!entry.used || entry.last_us < place->last_us)))
        place = &entry;
    }
    if (!place->used || place->key != key) {
      (place->used ? evictions_ : size_).fetch_add(1, std::memory_order_relaxed);
      *place = Entry{};
      place->used = true;
      place->key = key;
    }
    place->last_us = now_us;
    if (!use(place->value)) drop(*place);
  }

 private:
  static constexpr std::size_t kWays = 8, kShards = 64;
  struct Entry {  // of zero bytes: not used
    AddressKey key;
    bool used = false;
    std::int64_t last_us = 0;
    Value value{};
  };
  using Bucket = std::array<Entry, kWays>;
  struct Shard {
    std::mutex mutex;
    std::optional<core::LazyArray<Bucket>> buckets;
  };

  std::uint64_t hash_of(const AddressKey& key) const {
    const std::uint64_t versions = std::uint64_t{key.first.version} << 40U | std::uint64_t{key.second.version}
                                                                                 << 32U;
    return mix64(hash_address(hash_address(mix64(seed_ ^ versions ^ key.name), key.first), key.second));
  }
  Shard& shard_of(std::uint64_t hash) { return shards_[hash >> 58U]; }
  Bucket& bucket_of(Shard& shard, std::uint64_t hash) const {
    return (*shard.buckets)[hash & (buckets_ - 1)];
  }
  void drop(Entry& entry) {
    entry = Entry{};
    size_.fetch_sub(1, std::memory_order_relaxed);
  }

  std::uint64_t seed_;
  std::uint64_t buckets_;  // of one shard
  std::array<Shard, kShards> shards_;
  std::atomic<std::uint64_t> size_{0}, evictions_{0};
};

// A named mark of a host or of a pair, and until when it lasts.
class AddressBits {
 public:
  explicit AddressBits(std::uint64_t memcap_bytes) : table_(memcap_bytes) {}

  bool is_set(const AddressKey& key, std::int64_t now_us) {
    bool alive = false;
    table_.visit(key, now_us, [&](const Mark& mark) { return alive = mark.until_us >= now_us; });
    return alive;
  }
  void set(const AddressKey& key, std::int64_t now_us, std::uint32_t seconds) {
    table_.update(key, now_us, [&](Mark& mark) {
      mark.until_us = now_us + std::int64_t{seconds} * 1'000'000;
      return true;
    });
  }
  void unset(const AddressKey& key, std::int64_t now_us) {
    table_.visit(key, now_us, [](const Mark&) { return false; });
  }
  void toggle(const AddressKey& key, std::int64_t now_us, std::uint32_t seconds) {
    table_.update(key, now_us, [&](Mark& mark) {
      if (mark.until_us >= now_us) return false;
      mark.until_us = now_us + std::int64_t{seconds} * 1'000'000;
      return true;
    });
  }
  std::uint64_t size() const { return table_.size(); }
  std::uint64_t capacity() const { return table_.capacity(); }
  std::uint64_t evictions() const { return table_.evictions(); }
  std::uint64_t memory_bytes() const { return table_.memory_bytes(); }

 private:
  struct Mark {
    std::int64_t until_us = INT64_MIN;
  };
  AddressTable<Mark> table_;
};

}  // namespace gatehouse::ids
