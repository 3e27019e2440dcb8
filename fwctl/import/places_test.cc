#include "fwctl/import/places.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <linux/netfilter.h>
#include <linux/netfilter/nf_tables.h>
#include <rapidcheck/gtest.h>

#include "fwctl/import/interfaces.h"
#include "fwctl/prove/policy_facts.h"

namespace gatehouse::fwctl {
namespace {

using core::IpPrefix;
using prove::Wide;
using ::testing::ElementsAre;
using ::testing::HasSubstr;

// Ranges of the lowest 256 addresses, or of the highest.
AddressRanges some_ranges(std::uint8_t family) {
  std::set<int> numbers = *rc::gen::container<std::set<int>>(rc::gen::inRange(0, 256));
  const bool high = *rc::gen::arbitrary<bool>();
  const Wide base = !high ? 0 : family == 4 ? Wide{0xffff'ff00} : ~Wide{0} - 255;
  AddressRanges out;
  for (const int n : numbers) {
    const Wide value = base + static_cast<unsigned>(n);
    if (!out.empty() && out.back().second + 1 == value) {
      out.back().second = value;
    } else {
      out.emplace_back(value, value);
    }
  }
  return out;
}

RC_GTEST_PROP(Places, PrefixesAreTheRangesTheyCameFrom, (bool six)) {
  const std::uint8_t family = six ? 6 : 4;
  const AddressRanges ranges = some_ranges(family);
  const auto prefixes = prefixes_of(ranges, family, 1000);
  RC_ASSERT(prefixes.has_value());
  RC_ASSERT(ranges_of(*prefixes, family) == ranges);
  RC_ASSERT(prefixes->empty() || !prefixes_of(ranges, family, prefixes->size() - 1));
}

RC_GTEST_PROP(Places, WhatIsCommonAndWhatIsNotAreTheWhole, (bool six)) {
  const std::uint8_t family = six ? 6 : 4;
  const AddressRanges a = some_ranges(family);
  const AddressRanges b = some_ranges(family);
  const AddressRanges both = common(a, b);
  const AddressRanges rest = without(a, b, family);
  RC_ASSERT(common(both, rest).empty());
  Wide of_a = 0;
  Wide of_parts = 0;
  for (const auto& [first, last] : a) of_a += last - first + 1;
  for (const auto& parts : {both, rest}) {
    for (const auto& [first, last] : parts) of_parts += last - first + 1;
    RC_ASSERT(without(parts, a, family).empty());
  }
  RC_ASSERT(of_a == of_parts);
}

TEST(Places, TheWholeSpaceIsOnePrefix) {
  for (const std::uint8_t family : {std::uint8_t{4}, std::uint8_t{6}}) {
    const Wide most = family == 4 ? Wide{0xffff'ffff} : ~Wide{0};
    const auto all = prefixes_of({{0, most}}, family, 1);
    ASSERT_TRUE(all);
    EXPECT_EQ((*all)[0].length, 0);
    EXPECT_TRUE(without({{0, most}}, {{0, most}}, family).empty());
  }
}

LiveRuleset with_rule(KernelRule rule, std::vector<KernelSet> sets = {}) {
  LiveRuleset out;
  out.tables.emplace_back();
  out.tables[0].family = NFPROTO_INET;
  out.tables[0].table.sets = std::move(sets);
  out.tables[0].table.chains = {{"c", BaseHook{}, {std::move(rule)}}};
  return out;
}
Bytes name(const std::string& text) {
  Bytes out(text.begin(), text.end());
  out.resize(16);
  return out;
}

TEST(Interfaces, AreThoseThatRulesCompareAndSetsHold) {
  KernelRule rule;
  KernelSet set;
  set.name = "s";
  set.key_length = 20;
  Bytes key = {0, 22, 0, 0};
  for (const std::uint8_t byte : name("in-set")) key.push_back(byte);
  set.elements = {{key, key, {}, {}, {}, {}}};
  rule.expressions = {LoadMeta{NFT_META_IIFNAME, 4}, Compare{4, 0, name("eth0")},
                      // Something else in the same register.
                      LoadPayload{1, 12, 4, 4}, Compare{4, 0, {10, 0, 0, 0}}, LoadPayload{2, 2, 2, 8},
                      LoadMeta{NFT_META_OIFNAME, 9}, Lookup{8, "s", false, false},
                      LoadMeta{NFT_META_OIFNAME, 4}, Compare{4, 0, {'p', 'p', 'p'}},
                      LoadMeta{NFT_META_IIF, 0}, Compare{0, 0, host_order(7)}, LoadMeta{NFT_META_IIFNAME, 4},
                      Compare{4, 0, name("a\nb: c")}, Compare{4, 0, name("lo")}};
  const NamedInterfaces found =
      interfaces_in(with_rule(rule, {set}), {{"seven", 7}, {"ppp3", 8}, {"unused", 9}});
  EXPECT_THAT(found.names, ElementsAre("eth0", "in-set", "ppp3", "seven"));
  EXPECT_THAT(found.others, ElementsAre("a\nb: c", "ppp*"));
}

TEST(Zones, HaveNamesOfTheirOwn) {
  ImportHints hints;
  hints.outside = "wan0";
  hints.networks = {{"eth0.1", {*IpPrefix::parse("10.1.0.0/16")}},
                    {"eth0-1", {*IpPrefix::parse("10.2.0.0/16")}},
                    {"outside", {*IpPrefix::parse("10.3.0.0/16")}}};
  const auto zones = zones_of({}, {"wan0", "eth0.1", "eth0-1", "outside"}, hints);
  ASSERT_TRUE(zones) << zones.error().to_string();
  std::vector<std::string> names;
  for (const ProposedZone& z : *zones) names.push_back(z.name);
  EXPECT_THAT(names, ElementsAre("outside", "eth0-1", "eth0-1-2", "outside-2"));
}

TEST(Places, TheLastAddressOfAllIsAHost) {
  prove::Reach reach;
  prove::Ranges last;
  last.all = {{~Wide{0}, ~Wide{0}}};
  const IpPrefix network = *IpPrefix::parse("ffff:ffff:ffff:ffff:ffff:ffff:ffff:0/112");
  prove::Box box;
  box.in = "e0";
  box.family = 6;
  box.protocol = prove::kTcp;
  box.sources = last;
  reach.boxes = {box};
  const Places places({{"z", "e0", false, {network}, {}}}, reach);
  EXPECT_THAT(*places.ends("e0", last, 6), ElementsAre("z/host-ffff-ffff-ffff-ffff-ffff-ffff-ffff-ffff"));
}

// Bytes that would be text of their own stay within their comment.
TEST(Propose, NamesCannotWriteThePolicy) {
  KernelRule rule;
  rule.expressions = {LoadMeta{NFT_META_IIFNAME, 4}, Compare{4, 0, name("x\nsite: evil")},
                      SetVerdict{{NF_ACCEPT, {}}}};
  ImportHints hints;
  hints.outside = "wan0";
  const auto proposal = propose(with_rule(rule), {}, hints);
  ASSERT_TRUE(proposal) << proposal.error().to_string();
  EXPECT_THAT(proposal->text, HasSubstr("# - the interface x?site: evil\n"));
  EXPECT_EQ(proposal->text.find("\nsite: evil"), std::string::npos);
}

}  // namespace
}  // namespace gatehouse::fwctl
