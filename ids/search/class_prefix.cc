#include "ids/search/class_prefix.h"

#include <algorithm>
#include <cmath>

#include "ids/search/needle.h"

namespace gatehouse::ids {

ClassPrefix::ClassPrefix(std::span<const ByteClass> classes, const SearchKernels& kernels)
    : kernels_(kernels), size_(std::min(classes.size(), kWindowBytes)), filter_(classes.first(size_)) {}

bool ClassPrefix::lies_at(ByteView buffer, std::size_t at) const {
  if (at > buffer.size() || buffer.size() - at < size_) return false;
  for (std::size_t i = 0; i < size_; ++i) {
    if (filter_.groups()[0].exact[i][buffer[at + i]] == 0) return false;
  }
  return true;
}

std::size_t ClassPrefix::find(ByteView buffer, std::size_t from, std::size_t last) const {
  if (buffer.size() < size_) return kNowhere;
  last = std::min(last, buffer.size() - size_);
  if (from > last) return kNowhere;
  const ByteView rest = buffer.subspan(from);
  FilterHits hits;
  for (std::size_t block = 0; block <= last - from; block += kFilterBlock) {
    const std::size_t count = kernels_.buckets(filter_.groups(), rest.data(), rest.size(), block, hits);
    if (count == 0) continue;
    const std::size_t at = block + hits.at[0];
    return at <= last - from ? from + at : kNowhere;
  }
  return kNowhere;
}

double ClassPrefix::frequency(std::span<const ByteClass> classes) {
  double all = 0;
  for (std::size_t byte = 0; byte < 256; ++byte)
    all += std::ldexp(1.0, -byte_rarity(static_cast<std::uint8_t>(byte)));
  double product = 1;
  for (const ByteClass& bytes : classes.first(std::min(classes.size(), kWindowBytes))) {
    double part = 0;
    for (std::size_t byte = 0; byte < 256; ++byte)
      part += bytes[byte] ? std::ldexp(1.0, -byte_rarity(static_cast<std::uint8_t>(byte))) : 0;
    product *= part / all;
  }
  return product;
}

}  // namespace gatehouse::ids
