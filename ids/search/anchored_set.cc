#include "ids/search/anchored_set.h"

#include <algorithm>
#include <bit>
#include <map>
#include <utility>

namespace gatehouse::ids {
namespace {

// Windows are as wide as that where the literal is: of four bytes, too many have the same.
constexpr std::size_t kWide = 2 * kWindowBytes;

std::size_t width_of(std::string_view text) {
  return text.size() >= kWide ? kWide : std::min(text.size(), kWindowBytes);
}

}  // namespace

std::uint32_t AnchoredSet::Spot::print(const std::uint8_t* bytes) const {
  if (width != kWide) return print_of(bytes, width) ^ salt;
  constexpr std::uint64_t kFactor = 0x9e3779b97f4a7c15U;
  const std::uint64_t both = window_at(bytes) | std::uint64_t{window_at(bytes + kWindowBytes)} << 32U;
  return static_cast<std::uint32_t>(both * kFactor >> 32U) ^ salt;
}

AnchoredSet::AnchoredSet(const std::vector<AnchoredLiteral>& literals) {
  std::map<std::pair<std::uint32_t, std::size_t>, std::uint32_t> numbers;
  std::vector<std::uint32_t> prints;
  for (const AnchoredLiteral& literal : literals) {
    const auto number = static_cast<std::uint32_t>(texts_.size());
    const std::string_view text = texts_.add(literal.literal);
    const std::size_t width = width_of(text);
    const auto [found, fresh] = numbers.emplace(std::pair(literal.place, width), spots_.size());
    if (fresh) {
      spots_.push_back({literal.place, static_cast<std::uint32_t>(width),
                        static_cast<std::uint32_t>(spots_.size() + 1) * 0x85ebca6bU});
    }
    const std::uint32_t print =
        spots_[found->second].print(reinterpret_cast<const std::uint8_t*>(text.data()));
    windows_.add(print, number, text, 0);
    prints.push_back(print);
    reach_ = std::max(reach_, literal.place + text.size());
  }
  windows_.build();
  // Sixteen bits for each.
  const unsigned bits = std::clamp(static_cast<unsigned>(std::bit_width(prints.size())) + 4, 6U, 20U);
  filter_shift_ = 32 - bits;
  filter_.assign((std::size_t{1} << bits) / 64, 0);
  for (const std::uint32_t print : prints)
    filter_[print >> filter_shift_ >> 6U] |= std::uint64_t{1} << (print >> filter_shift_ & 63U);
}

void AnchoredSet::find(ByteView data, std::int64_t origin, LiteralSink& sink) const {
  const auto size = static_cast<std::int64_t>(data.size());
  for (const Spot& spot : spots_) {
    const std::int64_t place = origin + spot.place;
    if (place < 0 || place + spot.width > size) continue;
    const auto at = static_cast<std::size_t>(place);
    const std::uint32_t print = spot.print(data.data() + at);
    if (!entered(print)) continue;
    windows_.find(print, [&](const WindowTable::Entry& entry) {
      if (entry.size > data.size() - at || !entry.may_lie_at(data.data() + at) ||
          !texts_.lies_at(entry.literal, data.data() + at)) {
        return;
      }
      sink.on_literal(entry.literal, at + entry.size);
    });
  }
}

std::size_t AnchoredSet::memory_bytes() const {
  return sizeof *this + texts_.memory_bytes() + windows_.memory_bytes() + spots_.size() * sizeof(Spot) +
         filter_.size() * sizeof filter_[0];
}

}  // namespace gatehouse::ids
