// The filters, for what the processor has. All flag every position where a window begins; they differ in how
// many others they flag, and in time.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <span>
#include <string_view>

#include "ids/search/bucket_filter.h"
#include "ids/search/fingerprint_filter.h"

namespace gatehouse::ids {

// Positions are looked at in blocks of so many.
inline constexpr std::size_t kFilterBlock = 2048;

// What a filter flagged in one block, in order.
struct FilterHits {
  // Kernels store as many at once as a vector has, the last ones perhaps behind the last hit.
  static constexpr std::size_t kSpare = 16;
  std::array<std::uint16_t, kFilterBlock + kSpare> at;      // offset into the block
  std::array<BucketFilter::Buckets, kFilterBlock> buckets;  // of the bucket filter: which fit
};

// Of `buckets`, those that really fit the bytes at data[at]: the last step of kernels that look at parts of a
// byte.
inline BucketFilter::Buckets buckets_at(std::span<const BucketFilter::Group> groups, const std::uint8_t* data,
                                        std::size_t size, std::size_t at) {
  std::uint8_t bytes[kWindowBytes] = {};
  std::memcpy(bytes, data + at, size - at < kWindowBytes ? size - at : kWindowBytes);
  unsigned fit = 0;
  for (std::size_t g = 0; g < groups.size(); ++g) {
    const auto& exact = groups[g].exact;
    fit |= (0U + (exact[0][bytes[0]] & exact[1][bytes[1]] & exact[2][bytes[2]] & exact[3][bytes[3]]))
           << g * BucketFilter::kGroupBuckets;
  }
  return static_cast<BucketFilter::Buckets>(fit);
}

// Each looks at the positions [from, from + kFilterBlock) that lie in data[0, size) and returns how many it
// flagged. A window may reach beyond the block, and a flagged one beyond the data. `from` is a multiple of
// kFilterBlock.
struct SearchKernels {
  std::string_view name;
  std::size_t (*buckets)(std::span<const BucketFilter::Group> groups, const std::uint8_t* data,
                         std::size_t size, std::size_t from, FilterHits& hits);
  // Every stride()-th position at which a whole window lies.
  std::size_t (*fingerprints)(const FingerprintFilter& filter, const std::uint8_t* data, std::size_t size,
                              std::size_t from, FilterHits& hits);
};

const SearchKernels& best_kernels();
// All that this processor can run, the most portable first.
std::span<const SearchKernels> runnable_kernels();

extern const SearchKernels kPortableKernels;
#ifdef __x86_64__
extern const SearchKernels kAvx2Kernels, kAvx512Kernels;
#endif

}  // namespace gatehouse::ids
