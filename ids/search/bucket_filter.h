// Where one of a few windows of one to four bytes may begin: eight buckets of windows, and for each place of
// a window and each byte the buckets it fits.
#pragma once

#include <array>
#include <bitset>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "ids/search/window_table.h"

namespace gatehouse::ids {

class BucketFilter {
 public:
  static constexpr std::size_t kBuckets = 8;

  BucketFilter() = default;
  // One bucket, and in it windows of whatever `classes`, one to four, hold.
  explicit BucketFilter(std::span<const std::bitset<256>> classes);

  // `bytes`: the window, one to four bytes; `nocase`: letters in either case.
  void add(std::string_view bytes, bool nocase);
  void build();
  bool empty() const { return windows_ == 0; }

  // Buckets a byte fits as the i-th of a window: one bit each; as the processor needs them.
  struct alignas(64) Tables {
    std::array<std::array<std::uint8_t, 256>, kWindowBytes> exact{};
    std::array<std::array<std::uint8_t, 128>, kWindowBytes> low7{};  // by the lower seven bits
    // By the lower and the upper half of the byte, twice the same 16.
    std::array<std::array<std::uint8_t, 32>, kWindowBytes> low4{}, high4{};
  };
  const Tables& tables() const { return tables_; }
  // The buckets whose windows have `width` bytes; bits.
  std::uint8_t of_width(std::size_t width) const { return of_width_[width - 1]; }

 private:
  struct Window {
    std::string bytes;
    bool nocase = false;
  };
  void enter(const Window& window, std::size_t bucket);
  void derive();

  std::vector<Window> building_;
  std::size_t windows_ = 0;
  Tables tables_;
  std::array<std::uint8_t, kWindowBytes> of_width_{};
};

}  // namespace gatehouse::ids
