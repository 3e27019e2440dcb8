#ifdef __x86_64__

#include <immintrin.h>

#include <algorithm>
#include <bit>
#include <cstring>

#include "ids/search/kernels.h"

#define GATEHOUSE_AVX2 __attribute__((target("avx2")))

namespace gatehouse::ids {
namespace {

constexpr std::size_t kLanes = 32;

// Bytes from `at` on to be read past the end of the data by as much as a step does.
class Padded {
 public:
  Padded(const std::uint8_t* data, std::size_t size, std::size_t at) {
    if (size - at >= sizeof copy_) {
      place_ = data + at;
    } else {
      std::memcpy(copy_, data + at, size - at);
      place_ = copy_;
    }
  }
  const std::uint8_t* place() const { return place_; }

 private:
  const std::uint8_t* place_;
  std::uint8_t copy_[kLanes + kWindowBytes] = {};
};

GATEHOUSE_AVX2 __m256i load(const std::uint8_t* place) {
  return _mm256_loadu_si256(reinterpret_cast<const __m256i*>(place));
}

// The buckets that the byte at each of 32 places fits as one of a window.
GATEHOUSE_AVX2 __m256i fit(const std::array<std::uint8_t, 32>& low, const std::array<std::uint8_t, 32>& high,
                           __m256i bytes) {
  const __m256i half = _mm256_set1_epi8(0x0f);
  const __m256i of_low = _mm256_shuffle_epi8(load(low.data()), _mm256_and_si256(bytes, half));
  const __m256i upper = _mm256_and_si256(_mm256_srli_epi16(bytes, 4), half);
  return _mm256_and_si256(of_low, _mm256_shuffle_epi8(load(high.data()), upper));
}

GATEHOUSE_AVX2 __m256i fit_any(const BucketFilter::Group& group, const std::uint8_t* place) {
  __m256i all = fit(group.low4[0], group.high4[0], load(place));
  for (std::size_t i = 1; i < kWindowBytes; ++i)
    all = _mm256_and_si256(all, fit(group.low4[i], group.high4[i], load(place + i)));
  return all;
}

GATEHOUSE_AVX2 std::size_t buckets(std::span<const BucketFilter::Group> groups, const std::uint8_t* data,
                                   std::size_t size, std::size_t from, FilterHits& hits) {
  const std::size_t end = std::min(size, from + kFilterBlock);
  std::size_t count = 0;
  for (std::size_t at = from; at < end; at += kLanes) {
    const Padded bytes(data, size, at);
    __m256i any = _mm256_setzero_si256();
    for (const BucketFilter::Group& group : groups) any = _mm256_or_si256(any, fit_any(group, bytes.place()));
    auto flagged =
        ~static_cast<std::uint32_t>(_mm256_movemask_epi8(_mm256_cmpeq_epi8(any, _mm256_setzero_si256())));
    if (end - at < kLanes) flagged &= (1U << (end - at)) - 1;
    for (; flagged != 0; flagged &= flagged - 1) {
      const std::size_t place = at + static_cast<std::size_t>(std::countr_zero(flagged));
      hits.at[count] = static_cast<std::uint16_t>(place - from);
      hits.buckets[count] = buckets_at(groups, data, size, place);
      count += hits.buckets[count] != 0 ? 1 : 0;
    }
  }
  return count;
}

// Which of eight windows have both their bits in the table.
GATEHOUSE_AVX2 std::uint32_t entered(const FingerprintFilter& filter, __m256i windows) {
  const __m256i upper = _mm256_and_si256(windows, _mm256_set1_epi8(0x40));
  const __m256i folded = _mm256_or_si256(windows, _mm256_srli_epi32(upper, 1));
  const __m256i prints = _mm256_mullo_epi32(folded, _mm256_set1_epi32(static_cast<int>(kPrintFactor)));
  const __m256i index = _mm256_srl_epi32(prints, _mm_cvtsi32_si128(static_cast<int>(filter.shift())));
  const __m256i words = _mm256_i32gather_epi32(reinterpret_cast<const int*>(filter.words()), index, 4);
  const __m256i one = _mm256_set1_epi32(1);
  const __m256i low5 = _mm256_set1_epi32(31);
  const __m256i bits =
      _mm256_or_si256(_mm256_sllv_epi32(one, _mm256_and_si256(_mm256_srli_epi32(prints, 14), low5)),
                      _mm256_sllv_epi32(one, _mm256_and_si256(_mm256_srli_epi32(prints, 9), low5)));
  const __m256i both = _mm256_cmpeq_epi32(_mm256_and_si256(words, bits), bits);
  return static_cast<std::uint32_t>(_mm256_movemask_ps(_mm256_castsi256_ps(both)));
}

GATEHOUSE_AVX2 std::size_t fingerprints(const FingerprintFilter& filter, const std::uint8_t* data,
                                        std::size_t size, std::size_t from, FilterHits& hits) {
  if (size < kWindowBytes) return 0;
  const std::size_t end = std::min(size - kWindowBytes + 1, from + kFilterBlock);
  const std::size_t stride = filter.stride();
  const __m256i neighbours = _mm256_setr_epi8(0, 1, 2, 3, 1, 2, 3, 4, 2, 3, 4, 5, 3, 4, 5, 6,  //
                                              4, 5, 6, 7, 5, 6, 7, 8, 6, 7, 8, 9, 7, 8, 9, 10);
  constexpr std::size_t kWindows = 8;
  std::size_t count = 0;
  for (std::size_t at = from; at < end; at += kWindows * stride) {
    const Padded bytes(data, size, at);
    __m256i windows = load(bytes.place());
    if (stride == 1)
      windows = _mm256_shuffle_epi8(_mm256_permute2x128_si256(windows, windows, 0), neighbours);
    std::uint32_t flagged = entered(filter, windows);
    const std::size_t left = (end - at + stride - 1) / stride;
    if (left < kWindows) flagged &= (1U << left) - 1;
    for (; flagged != 0; flagged &= flagged - 1)
      hits.at[count++] = static_cast<std::uint16_t>(
          at - from + stride * static_cast<std::size_t>(std::countr_zero(flagged)));
  }
  return count;
}

}  // namespace

const SearchKernels kAvx2Kernels = {"avx2", buckets, fingerprints};

}  // namespace gatehouse::ids

#endif
