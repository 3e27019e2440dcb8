#include "ids/flow/flow_index.h"

#include <gtest/gtest.h>
#include <rapidcheck/gtest.h>

#include <map>

namespace gatehouse::ids {
namespace {

// Hashes from a small range, so that runs are long and wrap round the end of the table.
RC_GTEST_PROP(FlowIndexProperty, HoldsWhatAMapHolds, ()) {
  FlowIndex index(16);
  std::map<std::uint32_t, std::uint32_t> hash_of;  // by node
  std::uint32_t next = 0;
  const auto steps = *rc::gen::container<std::vector<std::pair<bool, std::uint32_t>>>(
      rc::gen::pair(rc::gen::arbitrary<bool>(), rc::gen::inRange<std::uint32_t>(0, 40)));
  for (const auto& [add, value] : steps) {
    if (add) {
      if (index.full()) index.grow();
      const std::uint32_t hash = value % 5 == 0 ? 15 : value;
      index.insert(hash, next);
      hash_of[next++] = hash;
    } else if (!hash_of.empty()) {
      const auto gone = std::next(hash_of.begin(), static_cast<std::ptrdiff_t>(value % hash_of.size()));
      index.erase(gone->second, gone->first);
      hash_of.erase(gone);
    }
    for (std::uint32_t node = 0; node < next; ++node) {
      const auto known = hash_of.find(node);
      const std::uint32_t hash = known == hash_of.end() ? 15 : known->second;
      const std::uint32_t found =
          index.find(hash, [&](std::uint32_t candidate) { return candidate == node; });
      RC_ASSERT(found == (known == hash_of.end() ? FlowIndex::kNone : node));
    }
  }
}

TEST(FlowIndex, GrowsAtThreeQuarters) {
  FlowIndex index(16);
  for (std::uint32_t node = 0; node < 12; ++node) {
    EXPECT_FALSE(index.full());
    index.insert(node, node);
  }
  EXPECT_TRUE(index.full());
  index.grow();
  EXPECT_EQ(index.slots(), 32U);
  EXPECT_FALSE(index.full());
}

}  // namespace
}  // namespace gatehouse::ids
