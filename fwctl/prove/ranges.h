// The values of a field for which a condition can hold, as ranges.
#pragma once

#include <string>
#include <utility>
#include <vector>

#include "fwctl/prove/diagram/relation.h"

namespace gatehouse::fwctl::prove {

struct Ranges {
  std::vector<std::pair<Wide, Wide>> all;  // disjoint, ascending, not adjacent
  bool more = false;                       // there are more than are kept

  bool is_everything(Wide highest) const {
    return all.size() == 1 && all[0].first == 0 && all[0].second == highest;
  }
  void remove(Wide value);
  std::vector<std::string> texts() const;  // "80", "1000-2000"; of fields up to 64 bits
};

// `f` asks for no other variable than those of the word, which ascend.
inline constexpr std::size_t kMostRanges = 1024;
Ranges ranges_of(Diagrams& d, Node f, const Word& word);

// Of addresses: "10.0.0.1", "10.0.0.0/8", "10.0.0.1-10.0.0.9".
std::string address_text(Wide first, Wide last, std::uint8_t family);

}  // namespace gatehouse::fwctl::prove
