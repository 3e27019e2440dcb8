#include "ids/search/needle.h"

#ifdef __SSE2__
#include <emmintrin.h>
#endif

#include <algorithm>
#include <bit>
#include <cstring>

namespace gatehouse::ids {
namespace {

constexpr std::array<std::uint8_t, 256> make_rarity() {
  std::array<std::uint8_t, 256> table{};
  for (std::size_t i = 0; i < 256; ++i) table[i] = 9;
  for (std::size_t c = 'a'; c <= 'z'; ++c) table[c] = 6;
  for (std::size_t c = 'A'; c <= 'Z'; ++c) table[c] = 7;
  for (std::size_t c = '0'; c <= '9'; ++c) table[c] = 6;
  for (const char c : {'e', 't', 'a', 'o', 'i', 'n', 's', 'r'}) table[static_cast<std::size_t>(c)] = 4;
  for (const char c : {'d', 'l', 'c', 'p', 'm', 'u', 'h'}) table[static_cast<std::size_t>(c)] = 5;
  for (const char c : {'/', '.', '-', '=', '"', '<', '>', ';', ':', ',', '0', '1', '2', '\r', '\n'})
    table[static_cast<std::size_t>(c)] = 5;
  table[' '] = 3;
  table[0] = 3;
  table[0xff] = 6;
  return table;
}
constexpr std::array<std::uint8_t, 256> kRarity = make_rarity();

bool is_lower(std::uint8_t c) {
  return c >= 'a' && c <= 'z';
}
std::uint8_t lower(std::uint8_t c) {
  return c >= 'A' && c <= 'Z' ? static_cast<std::uint8_t>(c + 32) : c;
}

}  // namespace

std::uint8_t byte_rarity(std::uint8_t byte) {
  return kRarity[byte];
}

Needle::Needle(std::string_view pattern, bool nocase) : bytes_(pattern), nocase_(nocase) {
  if (nocase) {
    for (char& c : bytes_) c = static_cast<char>(lower(static_cast<std::uint8_t>(c)));
  }
  if (bytes_.empty()) return;
  std::size_t best = 0;
  const std::size_t probed = std::min<std::size_t>(bytes_.size(), 0xffff);
  for (std::size_t i = 1; i < probed; ++i) {
    if (kRarity[probe(i).byte] > kRarity[probe(best).byte]) best = i;
  }
  // Another byte says more than the same one again.
  std::size_t next = best;
  for (std::size_t i = 0; i < probed; ++i) {
    if (i == best) continue;
    const auto worth = [&](std::size_t at) {
      return at == best ? -1 : (bytes_[at] == bytes_[best] ? 0 : int{kRarity[probe(at).byte]});
    };
    if (worth(i) > worth(next)) next = i;
  }
  first_ = probe(best);
  second_ = probe(next);
}

Needle::Probe Needle::probe(std::size_t at) const {
  const auto byte = static_cast<std::uint8_t>(bytes_[at]);
  return {static_cast<std::uint16_t>(at), byte,
          static_cast<std::uint8_t>(nocase_ && is_lower(byte) ? 0x20 : 0)};
}

bool Needle::lies_at(const std::uint8_t* place) const {
  if (!nocase_) return std::memcmp(place, bytes_.data(), bytes_.size()) == 0;
  for (std::size_t i = 0; i < bytes_.size(); ++i) {
    if (lower(place[i]) != static_cast<std::uint8_t>(bytes_[i])) return false;
  }
  return true;
}

// Places from `begin` to `last`, both included; the offset from `begin`.
std::size_t Needle::search(const std::uint8_t* begin, const std::uint8_t* last) const {
  const std::uint8_t* place = begin;
#ifdef __SSE2__
  const __m128i byte1 = _mm_set1_epi8(static_cast<char>(first_.byte));
  const __m128i byte2 = _mm_set1_epi8(static_cast<char>(second_.byte));
  const __m128i fold1 = _mm_set1_epi8(static_cast<char>(first_.fold));
  const __m128i fold2 = _mm_set1_epi8(static_cast<char>(second_.fold));
  const auto fits = [&](const std::uint8_t* at) {
    const __m128i a = _mm_loadu_si128(reinterpret_cast<const __m128i*>(at + first_.at));
    const __m128i b = _mm_loadu_si128(reinterpret_cast<const __m128i*>(at + second_.at));
    const __m128i both = _mm_and_si128(_mm_cmpeq_epi8(_mm_or_si128(a, fold1), byte1),
                                       _mm_cmpeq_epi8(_mm_or_si128(b, fold2), byte2));
    return static_cast<unsigned>(_mm_movemask_epi8(both));
  };
  constexpr std::ptrdiff_t kLanes = 16;
  // 16 places reach as far into the buffer as the last of them does, so nothing behind it is read.
  while (last - place >= kLanes - 1) {
    for (unsigned mask = fits(place); mask != 0; mask &= mask - 1) {
      const std::uint8_t* at = place + std::countr_zero(mask);
      if (lies_at(at)) return static_cast<std::size_t>(at - begin);
    }
    place += kLanes;
    // The last places are looked at with some before them again.
    if (place <= last && last - place < kLanes - 1 && last - begin >= kLanes - 1) place = last - (kLanes - 1);
  }
#endif
  for (; place <= last; ++place) {
    if ((place[first_.at] | first_.fold) == first_.byte && lies_at(place))
      return static_cast<std::size_t>(place - begin);
  }
  return kNowhere;
}

std::size_t Needle::find(ByteView buffer, std::size_t from, std::size_t to) const {
  to = std::min(to, buffer.size());
  if (from > to || bytes_.size() > to - from) return kNowhere;
  if (bytes_.empty()) return from;
  const std::uint8_t* begin = buffer.data() + from;
  const std::size_t found = search(begin, buffer.data() + (to - bytes_.size()));
  return found == kNowhere ? kNowhere : from + found;
}

}  // namespace gatehouse::ids
