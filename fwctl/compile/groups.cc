#include "fwctl/compile/groups.h"

#include <algorithm>
#include <cstring>

namespace gatehouse::fwctl {

bool asks_for_groups(const KernelTable& table) {
  for (const KernelChain& c : table.chains) {
    for (const KernelRule& r : c.rules) {
      if (std::any_of(r.expressions.begin(), r.expressions.end(),
                      [](const Expression& e) { return std::holds_alternative<LoadSocket>(e); }))
        return true;
    }
  }
  return false;
}

std::set<std::uint64_t> groups_in(const KernelTable& table) {
  constexpr std::uint32_t kOneType = 0x3f;  // nft packs six bits for each field, the last one lowest
  std::set<std::uint64_t> out;
  for (const KernelSet& s : table.sets) {
    std::uint64_t id = 0;
    if ((s.key_type & kOneType) != kControlGroupType) continue;
    for (const KernelElement& e : s.elements) {
      if (e.first.size() < sizeof id) continue;
      std::memcpy(&id, e.first.data() + e.first.size() - sizeof id, sizeof id);
      out.insert(id);
    }
  }
  return out;
}

}  // namespace gatehouse::fwctl
