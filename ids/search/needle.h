// A byte pattern prepared for being looked for: the search compares its two rarest bytes at many places at
// once and the whole only where both fit.
#pragma once

#include <array>
#include <cstdint>
#include <string>
#include <string_view>

#include "core/bytes.h"

namespace gatehouse::ids {

using core::ByteView;

// How rare a byte is in traffic, about -log2 of its frequency.
std::uint8_t byte_rarity(std::uint8_t byte);

class Needle {
 public:
  static constexpr std::size_t kNowhere = static_cast<std::size_t>(-1);

  Needle() = default;
  // `nocase`: ASCII letters match in either case.
  Needle(std::string_view pattern, bool nocase);

  // The first place at or after `from` where it lies and ends at or before `to`.
  std::size_t find(ByteView buffer, std::size_t from, std::size_t to) const;
  std::size_t size() const { return bytes_.size(); }

 private:
  // A byte among the first 64 KiB of the pattern that is looked for first. `fold` is 0x20 where the case of a
  // letter does not matter.
  struct Probe {
    std::uint16_t at = 0;
    std::uint8_t byte = 0, fold = 0;
  };
  Probe probe(std::size_t at) const;
  bool lies_at(const std::uint8_t* place) const;
  std::size_t search(const std::uint8_t* begin, const std::uint8_t* last) const;

  std::string bytes_;  // in lower case when nocase_
  bool nocase_ = false;
  Probe first_, second_;
};

}  // namespace gatehouse::ids
