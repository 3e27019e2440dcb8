#ifdef __x86_64__

#include <immintrin.h>

#include <algorithm>
#include <bit>

#include "ids/search/kernels.h"

#define GATEHOUSE_AVX512 __attribute__((target("avx512f,avx512bw,avx512vl,avx512vbmi,bmi,bmi2,popcnt")))

namespace gatehouse::ids {
namespace {

constexpr std::size_t kLanes = 64;

std::uint64_t lowest(std::size_t lanes) {
  return lanes >= 64 ? ~std::uint64_t{0} : (std::uint64_t{1} << lanes) - 1;
}

// 64 bytes at `at`, those beyond the data zero and not read.
GATEHOUSE_AVX512 __m512i load(const std::uint8_t* data, std::size_t size, std::size_t at) {
  if (size >= at + kLanes) return _mm512_loadu_si512(data + at);
  if (at >= size) return _mm512_setzero_si512();
  return _mm512_maskz_loadu_epi8(lowest(size - at), data + at);
}

// Loops are unrolled so that the tables stay in registers.
template <std::size_t kGroups>
GATEHOUSE_AVX512 std::size_t buckets_of(std::span<const BucketFilter::Group> groups, const std::uint8_t* data,
                                        std::size_t size, std::size_t from, FilterHits& hits) {
  __m512i first[kGroups][kWindowBytes], second[kGroups][kWindowBytes];
#pragma GCC unroll 2
  for (std::size_t g = 0; g < kGroups; ++g) {
#pragma GCC unroll 4
    for (std::size_t i = 0; i < kWindowBytes; ++i) {
      first[g][i] = _mm512_loadu_si512(groups[g].low7[i].data());
      second[g][i] = _mm512_loadu_si512(groups[g].low7[i].data() + kLanes);
    }
  }
  const std::size_t end = std::min(size, from + kFilterBlock);
  std::size_t count = 0;
  for (std::size_t at = from; at < end; at += kLanes) {
    __m512i bytes[kWindowBytes];
    if (size >= at + kLanes + kWindowBytes) {
#pragma GCC unroll 4
      for (std::size_t i = 0; i < kWindowBytes; ++i) bytes[i] = _mm512_loadu_si512(data + at + i);
    } else {
#pragma GCC unroll 4
      for (std::size_t i = 0; i < kWindowBytes; ++i) bytes[i] = load(data, size, at + i);
    }
    std::uint64_t flagged = 0;
#pragma GCC unroll 2
    for (std::size_t g = 0; g < kGroups; ++g) {
      __m512i fit = _mm512_permutex2var_epi8(first[g][0], bytes[0], second[g][0]);
#pragma GCC unroll 3
      for (std::size_t i = 1; i < kWindowBytes; ++i)
        fit = _mm512_and_si512(fit, _mm512_permutex2var_epi8(first[g][i], bytes[i], second[g][i]));
      flagged |= _mm512_test_epi8_mask(fit, fit);
    }
    if (end - at < kLanes) flagged &= lowest(end - at);
    for (; flagged != 0; flagged &= flagged - 1) {
      const std::size_t place = at + static_cast<std::size_t>(std::countr_zero(flagged));
      hits.at[count] = static_cast<std::uint16_t>(place - from);
      hits.buckets[count] = buckets_at(groups, data, size, place);
      count += hits.buckets[count] != 0 ? 1 : 0;
    }
  }
  return count;
}

GATEHOUSE_AVX512 std::size_t buckets(std::span<const BucketFilter::Group> groups, const std::uint8_t* data,
                                     std::size_t size, std::size_t from, FilterHits& hits) {
  return groups.size() == 1 ? buckets_of<1>(groups, data, size, from, hits)
                            : buckets_of<2>(groups, data, size, from, hits);
}

// Which of sixteen windows have both their bits in the table.
GATEHOUSE_AVX512 __mmask16 entered(const FingerprintFilter& filter, __m512i windows, __mmask16 lanes) {
  const __m512i upper = _mm512_and_si512(windows, _mm512_set1_epi8(0x40));
  const __m512i folded = _mm512_or_si512(windows, _mm512_srli_epi32(upper, 1));
  const __m512i prints = _mm512_mullo_epi32(folded, _mm512_set1_epi32(static_cast<int>(kPrintFactor)));
  const __m512i index = _mm512_srl_epi32(prints, _mm_cvtsi32_si128(static_cast<int>(filter.shift())));
  const __m512i words = _mm512_mask_i32gather_epi32(_mm512_setzero_si512(), lanes, index, filter.words(), 4);
  const __m512i one = _mm512_set1_epi32(1);
  const __m512i low5 = _mm512_set1_epi32(31);
  const __m512i bits =
      _mm512_or_si512(_mm512_sllv_epi32(one, _mm512_and_si512(_mm512_srli_epi32(prints, 14), low5)),
                      _mm512_sllv_epi32(one, _mm512_and_si512(_mm512_srli_epi32(prints, 9), low5)));
  return _mm512_cmpeq_epi32_mask(_mm512_and_si512(words, bits), bits);
}

GATEHOUSE_AVX512 std::size_t fingerprints(const FingerprintFilter& filter, const std::uint8_t* data,
                                          std::size_t size, std::size_t from, FilterHits& hits) {
  if (size < kWindowBytes) return 0;
  const std::size_t end = std::min(size - kWindowBytes + 1, from + kFilterBlock);
  const std::size_t stride = filter.stride();
  alignas(64) static constexpr auto kNeighbours = [] {
    std::array<std::uint8_t, kLanes> order{};
    for (std::size_t i = 0; i < order.size(); ++i)
      order[i] = static_cast<std::uint8_t>(i / kWindowBytes + i % kWindowBytes);
    return order;
  }();
  const __m512i neighbours = _mm512_load_si512(kNeighbours.data());
  constexpr std::size_t kWindows = 16;
  const __m512i places =
      _mm512_mullo_epi32(_mm512_set_epi32(15, 14, 13, 12, 11, 10, 9, 8, 7, 6, 5, 4, 3, 2, 1, 0),
                         _mm512_set1_epi32(static_cast<int>(stride)));
  std::size_t count = 0;
  for (std::size_t at = from; at < end; at += kWindows * stride) {
    __m512i windows = load(data, size, at);
    if (stride == 1) windows = _mm512_permutexvar_epi8(neighbours, windows);
    const auto lanes = static_cast<__mmask16>(lowest((end - at + stride - 1) / stride));
    const __mmask16 flagged = entered(filter, windows, lanes);
    // No branch on what is flagged: that is one window in some steps, none in others.
    const __m512i flagged_at = _mm512_maskz_compress_epi32(
        flagged, _mm512_add_epi32(places, _mm512_set1_epi32(static_cast<int>(at - from))));
    _mm256_storeu_si256(reinterpret_cast<__m256i*>(hits.at.data() + count),
                        _mm512_cvtepi32_epi16(flagged_at));
    count += static_cast<std::size_t>(std::popcount(static_cast<unsigned>(flagged)));
  }
  return count;
}

}  // namespace

const SearchKernels kAvx512Kernels = {"avx512vbmi", buckets, fingerprints};

}  // namespace gatehouse::ids

#endif
