#include "ids/search/anchored_set.h"

#include <algorithm>
#include <array>
#include <bit>
#include <cstring>
#include <map>
#include <utility>

namespace gatehouse::ids {
namespace {

// Eight bytes anywhere in the data, zeros behind its end.
class Words {
 public:
  explicit Words(ByteView data) : data_(data), tail_at_(data.size() - std::min(data.size(), kSize)) {
    if (!data.empty()) std::memcpy(tail_.data(), data.data() + tail_at_, data.size() - tail_at_);
  }
  std::uint64_t at(std::size_t place) const {
    std::uint64_t word = 0;
    std::memcpy(&word, place < tail_at_ ? data_.data() + place : tail_.data() + (place - tail_at_), kSize);
    return word;
  }

 private:
  static constexpr std::size_t kSize = sizeof(std::uint64_t);
  ByteView data_;
  std::size_t tail_at_;
  std::array<std::uint8_t, 2 * kSize> tail_{};
};

// Windows are as wide as that where the literal is: of four bytes, too many have the same.
constexpr std::size_t kWide = 2 * kWindowBytes;

std::size_t width_of(std::string_view text) {
  return text.size() >= kWide ? kWide : std::min(text.size(), kWindowBytes);
}

}  // namespace

// The same steps whatever the width: dozens of places are looked at for a packet, one after the other.
inline std::uint32_t AnchoredSet::Spot::print(std::uint64_t bytes) const {
  constexpr std::uint64_t kFactor = 0x9e3779b97f4a7c15U, kUpper = 0x4040404040404040U;
  const std::uint64_t window = bytes & mask;
  const std::uint64_t folded = window | (window & kUpper) >> 1U;
  return static_cast<std::uint32_t>(folded * kFactor >> 32U) ^ salt;
}

AnchoredSet::Spot AnchoredSet::spot_at(std::uint32_t place, std::size_t width, std::size_t number) {
  Spot spot;
  spot.place = place;
  spot.width = static_cast<std::uint32_t>(width);
  std::memset(&spot.mask, 0xff, width);
  spot.salt = static_cast<std::uint32_t>(number + 1) * 0x85ebca6bU;
  return spot;
}

AnchoredSet::AnchoredSet(const std::vector<AnchoredLiteral>& literals) {
  std::map<std::pair<std::uint32_t, std::size_t>, std::uint32_t> numbers;
  std::vector<std::uint32_t> prints;
  for (const AnchoredLiteral& literal : literals) {
    const auto number = static_cast<std::uint32_t>(texts_.size());
    const std::string_view text = texts_.add(literal.literal);
    const std::size_t width = width_of(text);
    const auto [found, fresh] = numbers.emplace(std::pair(literal.place, width), spots_.size());
    if (fresh) spots_.push_back(spot_at(literal.place, width, spots_.size()));
    const ByteView bytes(reinterpret_cast<const std::uint8_t*>(text.data()), text.size());
    const std::uint32_t print = spots_[found->second].print(Words(bytes).at(0));
    windows_.add(print, number, text, 0);
    prints.push_back(print);
    reach_ = std::max(reach_, literal.place + text.size());
  }
  windows_.build();
  std::stable_sort(spots_.begin(), spots_.end(),
                   [](const Spot& a, const Spot& b) { return a.place + a.width < b.place + b.width; });
  // Sixteen bits for each.
  const unsigned bits = std::clamp(static_cast<unsigned>(std::bit_width(prints.size())) + 4, 6U, 20U);
  filter_shift_ = 32 - bits;
  filter_.assign((std::size_t{1} << bits) / 64, 0);
  for (const std::uint32_t print : prints)
    filter_[print >> filter_shift_ >> 6U] |= std::uint64_t{1} << (print >> filter_shift_ & 63U);
}

void AnchoredSet::find(ByteView data, std::int64_t origin, LiteralSink& sink) const {
  const auto size = static_cast<std::int64_t>(data.size());
  const Words words(data);
  for (const Spot& spot : spots_) {
    const std::int64_t place = origin + spot.place;
    if (place + spot.width > size) return;
    if (place < 0) continue;
    const auto at = static_cast<std::size_t>(place);
    const std::uint32_t print = spot.print(words.at(at));
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
