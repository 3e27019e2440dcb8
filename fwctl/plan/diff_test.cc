#include "fwctl/plan/diff.h"

#include <gtest/gtest.h>
#include <linux/netfilter.h>
#include <linux/netfilter/nf_tables.h>
#include <rapidcheck/gtest.h>

#include "fwctl/plan/align.h"

namespace gatehouse::fwctl {
namespace {

KernelRule rule(std::uint8_t number, std::string comment = {}) {
  KernelRule out;
  out.expressions = {LoadMeta{NFT_META_L4PROTO, 0}, Compare{0, NFT_CMP_EQ, {number}}, Counter{number, number},
                     SetVerdict{{NF_ACCEPT, {}}}};
  out.comment = std::move(comment);
  return out;
}

KernelTable table() {
  KernelTable t;
  t.name = "gatehouse";
  KernelSet s;
  s.name = "s";
  s.key_type = 13;
  s.key_length = 2;
  s.elements = {{{0, 80}, {0, 80}, {}, {}, "eighty", {}}, {{1, 187}, {1, 187}, {}, {}, "443", {}}};
  t.sets = {s};
  KernelChain c;
  c.name = "input";
  c.base = BaseHook{"filter", NF_INET_LOCAL_IN, 0, NF_DROP};
  c.rules = {rule(1, "one"), rule(2, "two")};
  KernelChain other;
  other.name = "other";
  other.rules = {rule(3)};
  t.chains = {other, c};
  return t;
}

template <class T>
std::size_t count(const Plan& plan) {
  return static_cast<std::size_t>(
      std::count_if(plan.transaction.operations.begin(), plan.transaction.operations.end(),
                    [](const Operation& o) { return std::holds_alternative<T>(o); }));
}

TEST(Plan, NothingToDoIsAnEmptyTransaction) {
  KernelTable live = table();
  live.chains[1].rules[0].expressions[2] = Counter{99, 99};  // counting is not a change
  live.chains[1].rules[0].handle = 7;
  const Plan plan = make_plan(&live, table());
  EXPECT_TRUE(plan.empty());
  EXPECT_TRUE(plan.transaction.empty());
  EXPECT_EQ(print_plan(plan), "");
}

TEST(Plan, OnlyTheChangedChainIsRefilled) {
  KernelTable live = table();
  live.chains[1].rules.erase(live.chains[1].rules.begin());
  const Plan plan = make_plan(&live, table());
  EXPECT_EQ(print_plan(plan), "chain input\n  + meta l4proto icmp counter accept  # one\n");
  EXPECT_EQ(count<DeleteRules>(plan), 1U);
  EXPECT_EQ(count<AddRule>(plan), 2U);
  EXPECT_EQ(count<AddSet>(plan) + count<AddElements>(plan) + count<DeleteChain>(plan), 0U);
}

TEST(Plan, ACommentIsNotAnEffect) {
  KernelTable live = table();
  live.chains[1].rules[0].comment = "elsewhere";
  live.sets[0].elements[0].comment = "elsewhere";
  const Plan plan = make_plan(&live, table());
  EXPECT_EQ(plan.changes.size(), 2U);
  EXPECT_FALSE(plan.changes_effect());
  EXPECT_FALSE(plan.transaction.empty());
}

TEST(Plan, AnAlteredRuleUnderTheSameCommentShows) {
  KernelTable live = table();
  std::get<SetVerdict>(live.chains[1].rules[0].expressions[3]).verdict.code = NF_DROP;
  const Plan plan = make_plan(&live, table());
  EXPECT_TRUE(plan.changes_effect());
  EXPECT_EQ(plan.changes.size(), 2U);
}

TEST(Plan, ElementsChangeOneByOne) {
  KernelTable live = table();
  live.sets[0].elements[1] = {{0, 22}, {0, 22}, {}, {}, "by hand", {}};
  std::swap(live.sets[0].elements[0], live.sets[0].elements[1]);  // they are sorted
  const Plan plan = make_plan(&live, table());
  EXPECT_EQ(print_plan(plan), "set s\n  - 22  # by hand\n  + 443  # 443\n");
  EXPECT_EQ(count<AddElements>(plan), 1U);
  EXPECT_EQ(count<DeleteElements>(plan), 1U);
  EXPECT_EQ(count<AddRule>(plan), 0U);
}

TEST(Plan, ARemadeSetTakesTheRulesThatLookItUpWithIt) {
  KernelTable wanted = table();
  wanted.chains[0].rules[0].expressions.insert(wanted.chains[0].rules[0].expressions.begin(),
                                               Lookup{0, "s", false, false});
  KernelTable live = wanted;
  live.sets[0].flags = NFT_SET_CONSTANT;
  const Plan plan = make_plan(&live, wanted);
  EXPECT_EQ(count<DeleteRules>(plan), 1U);
  EXPECT_EQ(count<DeleteSet>(plan), 1U);
  EXPECT_EQ(count<AddRule>(plan), 1U);
}

TEST(Plan, APolicyIsUpdatedInPlaceAndAHookIsMadeAnew) {
  KernelTable live = table();
  live.chains[1].base->policy = NF_ACCEPT;
  const Plan policy = make_plan(&live, table());
  EXPECT_EQ(count<DeleteChain>(policy), 0U);
  EXPECT_EQ(count<AddChain>(policy), 1U);
  live.chains[1].base->priority = 5;
  const Plan hook = make_plan(&live, table());
  EXPECT_EQ(count<DeleteChain>(hook), 1U);
  EXPECT_EQ(count<AddRule>(hook), 2U);
}

TEST(Plan, ATableSwitchedOffIsADifference) {
  KernelTable live = table();
  live.flags = NFT_TABLE_F_DORMANT;
  EXPECT_TRUE(make_plan(&live, table()).changes_effect());
}

// The alignment is an edit script: it holds both chains, each in order, and pairs only equals.
RC_GTEST_PROP(Align, IsAnEditScript, ()) {
  const auto chain = [] {
    std::vector<KernelRule> out;
    const int size = *rc::gen::inRange(0, 9);
    for (int i = 0; i < size; ++i) out.push_back(rule(*rc::gen::inRange<std::uint8_t>(0, 4)));
    return out;
  };
  const std::vector<KernelRule> before = chain();
  const std::vector<KernelRule> after = chain();
  std::size_t b = 0;
  std::size_t a = 0;
  for (const Aligned& pair : align_rules(before, after)) {
    RC_ASSERT(pair.before != nullptr || pair.after != nullptr);
    if (pair.before) RC_ASSERT(pair.before == &before[b++]);
    if (pair.after) RC_ASSERT(pair.after == &after[a++]);
    if (pair.before && pair.after) RC_ASSERT(pair.before->same_effect(*pair.after));
  }
  RC_ASSERT(b == before.size());
  RC_ASSERT(a == after.size());
}

}  // namespace
}  // namespace gatehouse::fwctl
