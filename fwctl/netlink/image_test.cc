#include "fwctl/netlink/image.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <linux/netfilter.h>
#include <linux/netfilter/nf_tables.h>

namespace gatehouse::fwctl {
namespace {

using ::testing::HasSubstr;

KernelTable table() {
  KernelTable out;
  out.name = "gatehouse";
  KernelSet ranges;
  ranges.name = "ranges";
  ranges.flags = NFT_SET_INTERVAL;
  ranges.key_type = 7;
  ranges.key_length = 4;
  for (std::uint32_t i = 0; i < 3000; ++i) {  // several messages
    const auto b = static_cast<std::uint8_t>(i >> 8U);
    const auto c = static_cast<std::uint8_t>(i);
    ranges.elements.push_back({{10, b, c, 0}, {10, b, c, 9}, {}, {}, "x.yaml:1", {}});
  }
  out.sets = {ranges};
  KernelChain input;
  input.name = "input";
  input.base = BaseHook{"filter", NF_INET_LOCAL_IN, 0, NF_DROP};
  KernelRule rule;
  rule.expressions = {LoadMeta{NFT_META_NFPROTO, 0},
                      Compare{0, NFT_CMP_EQ, {2}},
                      LoadPayload{NFT_PAYLOAD_NETWORK_HEADER, 12, 4, 0},
                      Lookup{0, "ranges", false, false},
                      Counter{},
                      SetVerdict{{NF_ACCEPT, {}}}};
  rule.comment = "x.yaml:7 rule";
  input.rules = {rule};
  out.chains = {input};
  return out;
}
Transaction making(const KernelTable& t) {
  Transaction out{t.name,
                  {AddTable{}, AddSet{t.sets[0]}, AddChain{t.chains[0]}, AddElements{t.sets[0]},
                   AddRule{"input", t.chains[0].rules[0]}}};
  return out;
}

TEST(Image, WhatIsWrittenReadsBack) {
  const auto image = image_of(making(table()));
  ASSERT_TRUE(image) << image.error().to_string();
  const std::string bytes = to_bytes(*image);
  const auto back = parse_image(bytes);
  ASSERT_TRUE(back) << back.error().to_string();
  EXPECT_EQ(to_bytes(*back), bytes);
  const auto decoded = decode_image(*back);
  ASSERT_TRUE(decoded) << decoded.error().to_string();
  ASSERT_TRUE(*decoded);
  const KernelTable want = table();
  EXPECT_EQ((*decoded)->name, "gatehouse");
  ASSERT_EQ((*decoded)->sets[0].elements.size(), 3000U);
  for (std::size_t i = 0; i < 3000; ++i)
    ASSERT_TRUE((*decoded)->sets[0].elements[i].same_effect(want.sets[0].elements[i])) << i;
  EXPECT_TRUE((*decoded)->chains[0].rules[0].same_effect(want.chains[0].rules[0]));
  EXPECT_EQ((*decoded)->chains[0].rules[0].comment, "x.yaml:7 rule");
  EXPECT_EQ((*decoded)->chains[0].base, want.chains[0].base);
}

TEST(Image, NothingIsAnImageToo) {
  const auto back = parse_image(to_bytes({}));
  ASSERT_TRUE(back);
  const auto decoded = decode_image(*back);
  ASSERT_TRUE(decoded);
  EXPECT_FALSE(*decoded);
}

TEST(Image, AnyDamageIsSeen) {
  const std::string bytes = to_bytes(*image_of(making(table())));
  for (const std::size_t at :
       {std::size_t{0}, std::size_t{17}, std::size_t{40}, bytes.size() / 2, bytes.size() - 1}) {
    std::string bad = bytes;
    bad[at] = static_cast<char>(bad[at] ^ 1);
    EXPECT_FALSE(parse_image(bad)) << at;
  }
  for (const std::size_t length : {std::size_t{0}, std::size_t{30}, bytes.size() - 1})
    EXPECT_FALSE(parse_image(bytes.substr(0, length))) << length;
  EXPECT_FALSE(parse_image(bytes + "x"));
}

}  // namespace
}  // namespace gatehouse::fwctl
