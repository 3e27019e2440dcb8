// The filters, for what the processor has. All flag every position where a window begins; they differ in how
// many others they flag, and in time.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <span>
#include <string_view>

#include "ids/search/bucket_filter.h"
#include "ids/search/fingerprint_filter.h"

namespace gatehouse::ids {

// Positions are looked at in blocks of so many.
inline constexpr std::size_t kFilterBlock = 2048;

// What a filter flagged in one block, in order.
struct FilterHits {
  std::array<std::uint16_t, kFilterBlock> at;      // offset into the block
  std::array<std::uint8_t, kFilterBlock> buckets;  // of the bucket filter: which may fit
};

// Each looks at the positions [from, from + kFilterBlock) that lie in data[0, size) and returns how many it
// flagged. A window may reach beyond the block, and a flagged one beyond the data. `from` is a multiple of
// kFilterBlock.
struct SearchKernels {
  std::string_view name;
  std::size_t (*buckets)(const BucketFilter::Tables& tables, const std::uint8_t* data, std::size_t size,
                         std::size_t from, FilterHits& hits);
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
