#include "ids/search/bucket_filter.h"

#include <algorithm>

namespace gatehouse::ids {
namespace {

constexpr std::size_t kBuckets = BucketFilter::kBuckets;

// How many buckets the windows of each width get: at least one if there are any, else by number. Narrow
// windows fit nearly everywhere, so none shares a bucket with wide ones.
std::array<std::size_t, kWindowBytes> share(const std::array<std::size_t, kWindowBytes>& windows) {
  std::array<std::size_t, kWindowBytes> buckets{};
  std::size_t left = kBuckets;
  for (std::size_t w = 0; w < kWindowBytes; ++w) {
    if (windows[w] != 0) buckets[w] = 1, --left;
  }
  for (; left > 0; --left) {
    std::size_t fullest = kWindowBytes;
    for (std::size_t w = 0; w < kWindowBytes; ++w) {
      if (buckets[w] == 0 || buckets[w] >= windows[w]) continue;
      if (fullest == kWindowBytes || windows[w] * buckets[fullest] > windows[fullest] * buckets[w])
        fullest = w;
    }
    if (fullest == kWindowBytes) break;
    ++buckets[fullest];
  }
  return buckets;
}

}  // namespace

BucketFilter::BucketFilter(std::span<const std::bitset<256>> classes) : windows_(1) {
  for (std::size_t i = 0; i < kWindowBytes; ++i) {
    for (std::size_t byte = 0; byte < 256; ++byte)
      tables_.exact[i][byte] = i >= classes.size() || classes[i][byte] ? 1 : 0;
  }
  of_width_[std::min(classes.size(), kWindowBytes) - 1] = 1;
  derive();
}

void BucketFilter::add(std::string_view bytes, bool nocase) {
  building_.push_back({std::string(bytes), nocase});
  ++windows_;
}

void BucketFilter::enter(const Window& window, std::size_t bucket) {
  const auto bit = static_cast<std::uint8_t>(1U << bucket);
  const auto set = [bit](std::uint8_t& entry) { entry = static_cast<std::uint8_t>(entry | bit); };
  for (std::size_t i = 0; i < kWindowBytes; ++i) {
    auto& table = tables_.exact[i];
    if (i >= window.bytes.size()) {
      for (std::uint8_t& entry : table) set(entry);
      continue;
    }
    const auto byte = static_cast<std::uint8_t>(window.bytes[i]);
    set(table[byte]);
    const auto lower = static_cast<std::uint8_t>(byte | 0x20U);
    if (window.nocase && lower >= 'a' && lower <= 'z') {
      set(table[lower]);
      set(table[lower & 0xdfU]);
    }
  }
}

void BucketFilter::build() {
  std::stable_sort(building_.begin(), building_.end(), [](const Window& a, const Window& b) {
    return a.bytes.size() != b.bytes.size() ? a.bytes.size() < b.bytes.size() : a.bytes < b.bytes;
  });
  std::array<std::size_t, kWindowBytes> count{};
  for (const Window& window : building_) ++count[window.bytes.size() - 1];
  const auto buckets = share(count);
  std::size_t bucket = 0;
  std::size_t next = 0;
  for (std::size_t w = 0; w < kWindowBytes; ++w) {
    // Sorted neighbours share their first bytes: their bucket fits few others.
    for (std::size_t i = 0; i < count[w]; ++i, ++next)
      enter(building_[next], bucket + i * buckets[w] / count[w]);
    for (std::size_t i = 0; i < buckets[w]; ++i, ++bucket)
      of_width_[w] = static_cast<std::uint8_t>(of_width_[w] | 1U << bucket);
  }
  building_ = {};
  derive();
}

void BucketFilter::derive() {
  for (std::size_t i = 0; i < kWindowBytes; ++i) {
    for (std::size_t byte = 0; byte < 256; ++byte) {
      const std::uint8_t bits = tables_.exact[i][byte];
      const auto join = [bits](std::uint8_t& entry) { entry = static_cast<std::uint8_t>(entry | bits); };
      join(tables_.low7[i][byte & 0x7fU]);
      join(tables_.low4[i][byte & 0x0fU]);
      join(tables_.low4[i][16 + (byte & 0x0fU)]);
      join(tables_.high4[i][byte >> 4U]);
      join(tables_.high4[i][16 + (byte >> 4U)]);
    }
  }
}

}  // namespace gatehouse::ids
