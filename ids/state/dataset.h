// A set of values that rules test, and may change: hosts, hashes, names. Shared by all workers; read
// far more often than written.
#pragma once

#include <array>
#include <atomic>
#include <cstdint>
#include <deque>
#include <memory>
#include <optional>
#include <shared_mutex>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "core/bytes.h"

namespace gatehouse::ids {

using core::ByteView;

enum class DatasetType : std::uint8_t { string, md5, sha256, ipv4, ip };
std::string_view to_string(DatasetType type);
std::optional<DatasetType> parse_dataset_type(std::string_view text);

// What is known about one member besides its value.
struct DatasetItem {
  std::optional<std::uint16_t> reputation;
  std::string_view json;  // an object; empty: none. Lives as long as the set
};

class Dataset {
 public:
  enum class Added : std::uint8_t { added, present, full, wrong };

  Dataset(std::string name, DatasetType type, std::uint64_t memcap_bytes, std::uint32_t expected);
  const std::string& name() const { return name_; }
  DatasetType type() const { return type_; }

  // `value`: as it is in the traffic; addresses and hashes in binary. A value whose length does not
  // fit the type is in no set.
  bool contains(ByteView value) const;
  std::optional<DatasetItem> find(ByteView value) const;
  // The same for `value` and each of its ends that begin with a dot: ".example.com" has
  // "www.example.com" in it.
  std::optional<DatasetItem> find_subdomain(ByteView value) const;
  // A member keeps what it was first added with.
  Added add(ByteView value, const DatasetItem& item = {});
  bool remove(ByteView value);

  std::uint64_t size() const { return size_.load(std::memory_order_relaxed); }
  std::uint64_t memory_bytes() const { return memory_.load(std::memory_order_relaxed); }
  std::uint64_t refused() const { return refused_.load(std::memory_order_relaxed); }
  // The members as lines of a file that read_dataset() takes, sorted.
  std::string text() const;

 private:
  static constexpr std::size_t kShards = 16;
  struct Hash {
    using is_transparent = void;
    std::uint64_t seed = 0;
    std::size_t operator()(std::string_view key) const;
  };
  struct Shard {
    mutable std::shared_mutex mutex;
    // 0: nothing more is known; else the place in items_ plus one.
    std::unordered_map<std::string, std::uint32_t, Hash, std::equal_to<>> members{0, Hash{}};
    std::deque<std::pair<std::optional<std::uint16_t>, std::string>> items;
  };

  // The bytes a member is kept under. Addresses: 4 or 16 bytes, mapped ones as IPv4.
  std::optional<std::string_view> key_of(ByteView value) const;
  const Shard& shard_of(std::string_view key) const;

  std::string name_;
  DatasetType type_;
  std::uint64_t memcap_bytes_;
  Hash hash_;
  std::array<Shard, kShards> shards_;
  std::atomic<std::uint64_t> size_{0}, memory_{0}, refused_{0};
};

// The binary form of a value written in a file: base64, hexadecimal or an address.
std::optional<std::string> parse_dataset_value(DatasetType type, std::string_view text);
// The same for values in JSON, where strings stand as they are.
std::optional<std::string> parse_plain_value(DatasetType type, std::string_view text);

}  // namespace gatehouse::ids
