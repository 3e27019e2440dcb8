#include "ids/search/window_table.h"

#include <algorithm>
#include <bit>

namespace gatehouse::ids {

void WindowTable::add(std::uint32_t print, std::uint32_t literal, std::string_view text, std::size_t offset) {
  Entry entry;
  entry.print = print;
  entry.literal = literal;
  entry.offset = static_cast<std::uint8_t>(offset);
  entry.size = static_cast<std::uint8_t>(text.size());
  entry.checked = text.size() >= kWindowBytes;
  if (entry.checked) {
    const std::size_t end = text.size() - kWindowBytes;
    entry.check_at = static_cast<std::uint8_t>(offset > end / 2 ? 0 : end);
    entry.check = window_at(reinterpret_cast<const std::uint8_t*>(text.data()) + entry.check_at);
  }
  building_.push_back(entry);
}

void WindowTable::build() {
  if (building_.empty()) return;
  // Half of it free: then one step finds that there is nothing.
  const unsigned bits = std::max(2U, static_cast<unsigned>(std::bit_width(building_.size())) + 1);
  shift_ = 32 - bits;
  mask_ = (1U << bits) - 1;
  entries_.assign(std::size_t{1} << bits, {});
  for (const Entry& entry : building_) {
    const std::uint32_t home = entry.print >> shift_;
    std::uint32_t at = home, steps = 0;
    for (; entries_[at].literal != Entry::kFree; at = (at + 1) & mask_) ++steps;
    entries_[at] = entry;
    if (steps > 1) entries_[home].goes_on = true;
  }
  building_ = {};
}

}  // namespace gatehouse::ids
