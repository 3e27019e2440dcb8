#include "ids/search/fingerprint_filter.h"

#include <algorithm>
#include <bit>

namespace gatehouse::ids {
namespace {

// With two bits for each print, one position in 250 is flagged wrongly. A table over 32 KiB would leave the
// first cache level, which costs more than that.
constexpr std::size_t kBitsPerPrint = 32;
constexpr unsigned kMinWordBits = 4, kMaxWordBits = 13;

}  // namespace

void FingerprintFilter::build() {
  std::sort(building_.begin(), building_.end());
  building_.erase(std::unique(building_.begin(), building_.end()), building_.end());
  if (building_.empty()) return;
  const auto wanted = static_cast<unsigned>(std::bit_width(building_.size() * kBitsPerPrint / 32));
  const unsigned word_bits = std::clamp(wanted, kMinWordBits, kMaxWordBits);
  shift_ = 32 - word_bits;
  words_.assign(std::size_t{1} << word_bits, 0);
  for (const std::uint32_t print : building_) words_[print >> shift_] |= bits(print);
  building_ = {};
}

}  // namespace gatehouse::ids
