#include <algorithm>

#include "ids/search/kernels.h"

namespace gatehouse::ids {
namespace {

std::size_t buckets(std::span<const BucketFilter::Group> groups, const std::uint8_t* data, std::size_t size,
                    std::size_t from, FilterHits& hits) {
  const std::size_t end = std::min(size, from + kFilterBlock);
  std::size_t count = 0;
  for (std::size_t at = from; at < end; ++at) {
    hits.at[count] = static_cast<std::uint16_t>(at - from);
    hits.buckets[count] = buckets_at(groups, data, size, at);
    count += hits.buckets[count] != 0 ? 1 : 0;
  }
  return count;
}

std::size_t fingerprints(const FingerprintFilter& filter, const std::uint8_t* data, std::size_t size,
                         std::size_t from, FilterHits& hits) {
  if (size < kWindowBytes) return 0;
  const std::size_t end = std::min(size - kWindowBytes + 1, from + kFilterBlock);
  std::size_t count = 0;
  for (std::size_t at = from; at < end; at += filter.stride()) {
    const std::uint32_t print = print_of(data + at);
    const std::uint32_t bits = FingerprintFilter::bits(print);
    hits.at[count] = static_cast<std::uint16_t>(at - from);
    count += (filter.words()[print >> filter.shift()] & bits) == bits ? 1 : 0;
  }
  return count;
}

}  // namespace

const SearchKernels kPortableKernels = {"portable", buckets, fingerprints};

}  // namespace gatehouse::ids
