// Eight cells of a bucket at once, without a branch: where something lies in its bucket cannot be foreseen.
#pragma once

#include <cstdint>

#ifdef __SSE2__
#include <emmintrin.h>
#endif

namespace gatehouse::ids::anomaly {

// A bit for each that holds the value.
inline unsigned equal_cells(const std::uint32_t* cells, std::uint32_t value) {
#ifdef __SSE2__
  const __m128i wanted = _mm_set1_epi32(static_cast<int>(value));
  const auto* const halves = reinterpret_cast<const __m128i*>(cells);
  const __m128i first = _mm_cmpeq_epi32(_mm_loadu_si128(halves), wanted);
  const __m128i second = _mm_cmpeq_epi32(_mm_loadu_si128(halves + 1), wanted);
  const __m128i words = _mm_packs_epi32(first, second);
  return static_cast<unsigned>(_mm_movemask_epi8(_mm_packs_epi16(words, words))) & 0xffU;
#else
  unsigned equal = 0;
  for (unsigned i = 0; i < 8; ++i) equal |= static_cast<unsigned>(cells[i] == value) << i;
  return equal;
#endif
}

// The last one falls off.
inline void push_front(std::uint32_t* cells, std::uint32_t value) {
#ifdef __SSE2__
  const __m128i first = _mm_loadu_si128(reinterpret_cast<const __m128i*>(cells));
  const __m128i second = _mm_loadu_si128(reinterpret_cast<const __m128i*>(cells + 3));
  _mm_storeu_si128(reinterpret_cast<__m128i*>(cells + 1), first);
  _mm_storeu_si128(reinterpret_cast<__m128i*>(cells + 4), second);
#else
  for (unsigned i = 7; i > 0; --i) cells[i] = cells[i - 1];
#endif
  cells[0] = value;
}

}  // namespace gatehouse::ids::anomaly
