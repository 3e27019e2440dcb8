// Where one of a few windows of one to four bytes may begin: up to sixteen buckets of windows, and for each
// place of a window and each byte the buckets it fits.
#pragma once

#include <array>
#include <bitset>
#include <cstdint>
#include <span>
#include <string_view>
#include <vector>

#include "ids/search/window_table.h"

namespace gatehouse::ids {

using ByteClass = std::bitset<256>;
// Of each of `bytes` what it matches.
std::vector<ByteClass> byte_classes(std::string_view bytes, bool nocase);

class BucketFilter {
 public:
  // Processors look at eight buckets at a time.
  static constexpr std::size_t kGroupBuckets = 8, kMostGroups = 2, kMostBuckets = kGroupBuckets * kMostGroups;
  using Buckets = std::uint16_t;  // one bit each

  BucketFilter() = default;
  // One bucket, and in it windows of whatever `classes`, one to four, hold.
  explicit BucketFilter(std::span<const ByteClass> classes);

  // A window of whatever `classes`, one to four, hold. Numbered as they come.
  void add(std::span<const ByteClass> classes) { building_.emplace_back(classes.begin(), classes.end()); }
  void build();
  bool empty() const { return groups_.empty() && building_.empty(); }

  // Buckets a byte fits as the i-th of a window: one bit each; as the processor needs them.
  struct alignas(64) Group {
    std::array<std::array<std::uint8_t, 256>, kWindowBytes> exact{};
    std::array<std::array<std::uint8_t, 128>, kWindowBytes> low7{};  // by the lower seven bits
    // By the lower and the upper half of the byte, twice the same 16.
    std::array<std::array<std::uint8_t, 32>, kWindowBytes> low4{}, high4{};
  };
  std::span<const Group> groups() const { return groups_; }
  // All windows of a bucket are of one width.
  std::size_t width_of(std::size_t bucket) const { return widths_[bucket]; }
  // The buckets whose windows have `width` bytes.
  Buckets of_width(std::size_t width) const { return of_width_[width - 1]; }
  // After build(): by number of the window.
  std::span<const std::uint8_t> bucket_of_window() const { return bucket_of_; }
  std::size_t memory_bytes() const { return groups_.size() * sizeof(Group) + bucket_of_.size(); }

 private:
  struct Cluster;
  void enter(const Cluster& cluster, std::size_t bucket);
  void derive();

  std::vector<std::vector<ByteClass>> building_;
  std::vector<std::uint8_t> bucket_of_;
  std::vector<Group> groups_;
  std::array<std::uint8_t, kMostBuckets> widths_{};
  std::array<Buckets, kWindowBytes> of_width_{};
};

}  // namespace gatehouse::ids
