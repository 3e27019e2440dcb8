// What is encoded decodes to itself, without a kernel between; and no message outgrows what the
// kernel can take.
#include <arpa/inet.h>
#include <gtest/gtest.h>
#include <linux/netfilter.h>
#include <linux/netfilter/nfnetlink.h>
#include <rapidcheck/gtest.h>

#include "fwctl/netlink/decode.h"
#include "fwctl/netlink/elements.h"
#include "fwctl/netlink/encode.h"

namespace gatehouse::fwctl {
namespace {

std::vector<const nlmsghdr*> messages(const Batch& batch) {
  std::vector<const nlmsghdr*> out;
  int length = static_cast<int>(batch.bytes.size());
  const auto* h = reinterpret_cast<const nlmsghdr*>(batch.bytes.data());
  for (; mnl_nlmsg_ok(h, length); h = mnl_nlmsg_next(h, &length)) out.push_back(h);
  EXPECT_EQ(length, 0) << "the batch does not end with a whole message";
  return out;
}

KernelSet range_set() {
  KernelSet s;
  s.name = "ranges";
  s.flags = NFT_SET_INTERVAL;
  s.key_type = 13;
  s.key_length = 2;
  return s;
}

KernelSet through_wire(const KernelSet& set) {
  const auto batch = encode({"t", {AddElements{set}}}, 1, std::nullopt);
  KernelSet out = set;
  out.elements.clear();
  ElementReader reader(set);
  for (const nlmsghdr* h : messages(*batch)) {
    if ((h->nlmsg_type & 0xff) != NFT_MSG_NEWSETELEM || h->nlmsg_type >> 8 != NFNL_SUBSYS_NFTABLES) continue;
    EXPECT_TRUE(reader.add(h));
  }
  reader.finish(out);
  return out;
}

RC_GTEST_PROP(Codec, RangesComeBackAsTheyWere, ()) {
  KernelSet set = range_set();
  std::uint32_t at = *rc::gen::inRange<std::uint32_t>(0, 50);
  const int count = *rc::gen::inRange(1, 40);
  for (int i = 0; i < count && at <= 0xffff; ++i) {
    std::uint32_t last = at + *rc::gen::inRange<std::uint32_t>(0, 3000);
    if (last > 0xffff || *rc::gen::inRange(0, 20) == 0) last = 0xffff;
    const auto bytes = [](std::uint32_t v) {
      return Bytes{static_cast<std::uint8_t>(v >> 8U), static_cast<std::uint8_t>(v)};
    };
    set.elements.push_back({bytes(at), bytes(last), {}, {}, "c" + std::to_string(i), {}});
    at = last + 1 + *rc::gen::inRange<std::uint32_t>(0, 2);  // adjacent ranges too
  }
  const KernelSet got = through_wire(set);
  RC_ASSERT(got.elements.size() == set.elements.size());
  for (std::size_t i = 0; i < got.elements.size(); ++i) {
    RC_ASSERT(got.elements[i].same_effect(set.elements[i]));
    RC_ASSERT(got.elements[i].comment == set.elements[i].comment);
  }
}

// The same elements, with nothing but keys, in both forms.
RC_GTEST_PROP(Codec, PlainKeysAreWhatTheirElementsAre, (bool ranges)) {
  KernelSet set = range_set();
  set.key_length = *rc::gen::element<std::uint32_t>(1, 2, 4, 16);
  set.flags = ranges ? NFT_SET_INTERVAL : 0;
  PlainKeys keys{set.key_length, ranges, {}};
  const int count = *rc::gen::inRange(0, 30);
  int at = 0;
  for (int i = 0; i < count && at < 255; ++i) {
    const int last = ranges ? std::min(255, at + *rc::gen::inRange(0, 20)) : at;
    Bytes first_key(set.key_length, 0);
    Bytes last_key(set.key_length, 0xff);
    first_key[0] = static_cast<std::uint8_t>(at);
    last_key[0] = static_cast<std::uint8_t>(last);
    keys.append(first_key, last_key);
    at = last + 1 + *rc::gen::inRange(0, 2);
  }
  KernelSet plain = set;
  plain.elements = ElementList(keys);
  KernelSet each = set;
  for (const KernelElement& e : plain.elements) each.elements.push_back(e);
  RC_ASSERT(each.elements.plain() == nullptr);
  RC_ASSERT(encode({"t", {AddElements{plain}}}, 1, std::nullopt)->bytes ==
            encode({"t", {AddElements{each}}}, 1, std::nullopt)->bytes);
  const KernelSet got = through_wire(plain);
  RC_ASSERT(got.elements.empty() || got.elements.plain() != nullptr);
  if (count != 0) RC_ASSERT(*got.elements.plain() == keys);
  RC_ASSERT(got.count() == each.count());
}

// In the order of a hash, which is none.
TEST(Codec, PlainKeysAreSortedWhateverTheirLength) {
  for (const std::uint32_t length : {1U, 3U, 4U, 8U, 16U}) {
    PlainKeys keys{length, false, {}};
    for (int i = 0; i < 200; ++i) keys.append(Bytes(length, static_cast<std::uint8_t>(i * 77)), {});
    keys.sort();
    for (std::size_t i = 1; i < keys.size(); ++i)
      ASSERT_LE(core::as_text(keys.first(i - 1)), core::as_text(keys.first(i))) << length;
  }
}

TEST(Codec, OneElementWithMoreThanAKeyMakesAllOfThem) {
  KernelSet set = range_set();
  set.elements = {{{0, 1}, {0, 5}, {}, {}, {}, {}}, {{0, 8}, {0, 9}, {}, {}, "why", {}}};
  const KernelSet got = through_wire(set);
  ASSERT_EQ(got.elements.size(), 2U);
  EXPECT_EQ(got.elements.plain(), nullptr);
  EXPECT_TRUE(got.elements[0].same_effect(set.elements[0]));
  EXPECT_EQ(got.elements[1].comment, "why");
  EXPECT_FALSE(got.irregular);
}

TEST(Codec, AStartWithoutAnEndRunsToTheTop) {
  KernelSet set = range_set();
  set.elements = {{{0, 80}, {0xff, 0xff}, {}, {}, {}, {}}};
  const KernelSet got = through_wire(set);
  ASSERT_EQ(got.elements.size(), 1U);
  EXPECT_EQ(got.elements[0].last, (Bytes{0xff, 0xff}));
}

TEST(Codec, NoElementMessageComesNearTheAttributeLimit) {
  KernelSet set;
  set.name = std::string(100, 'n');
  set.flags = NFT_SET_INTERVAL | NFT_SET_CONCAT | NFT_SET_MAP;
  set.key_length = 40;
  set.data_type = NFT_DATA_VERDICT;
  set.field_lengths = {16, 16, 1, 2};
  for (int i = 0; i < 8'000; ++i) {
    Bytes key(40, static_cast<std::uint8_t>(i));
    key[0] = static_cast<std::uint8_t>(i >> 8);
    set.elements.push_back(
        {key, key, KernelVerdict{NFT_GOTO, std::string(100, 'c')}, {}, std::string(120, 'x'), {}});
  }
  const auto batch = encode({"t", {AddElements{set}}}, 1, std::nullopt);
  ASSERT_TRUE(batch);
  for (const nlmsghdr* h : messages(*batch)) EXPECT_LT(h->nlmsg_len, 60'000U);
  EXPECT_EQ(through_wire(set).elements.size(), 8'000U);
}

TEST(Codec, OnlyTheLastMessageAsksForAnAnswerAndTheGenerationLeads) {
  const auto batch = encode({"t", {AddTable{}, DeleteRules{"a"}, DeleteRules{"b"}}}, 10, 77);
  ASSERT_TRUE(batch);
  const auto all = messages(*batch);
  ASSERT_EQ(all.size(), 5U);
  EXPECT_EQ(all[0]->nlmsg_type, NFNL_MSG_BATCH_BEGIN);
  const nlattr* generation =
      static_cast<const nlattr*>(mnl_nlmsg_get_payload_offset(all[0], sizeof(nfgenmsg)));
  EXPECT_EQ(mnl_attr_get_type(generation), NFNL_BATCH_GENID);
  EXPECT_EQ(ntohl(mnl_attr_get_u32(generation)), 77U);
  EXPECT_EQ(all[1]->nlmsg_flags & NLM_F_ACK, 0);
  EXPECT_NE(all[3]->nlmsg_flags & NLM_F_ACK, 0);
  EXPECT_EQ(all[3]->nlmsg_seq, batch->last_sequence);
}

TEST(Codec, AForeignExpressionIsNeverSent) {
  KernelRule rule;
  rule.expressions = {Foreign{"queue"}};
  const auto batch = encode({"t", {AddRule{"c", rule}}}, 1, std::nullopt);
  ASSERT_FALSE(batch);
  EXPECT_EQ(batch.error().code, core::Errc::unsupported);
}

TEST(Codec, RegistersAreNumberedBothWays) {
  for (Slot s = 0; s < kSlots; ++s) EXPECT_EQ(slot_of(register_of(s)), s);
  EXPECT_EQ(slot_of(NFT_REG_VERDICT), kSlots);
}

RC_GTEST_PROP(Codec, RulesComeBackAsTheyWere, ()) {
  KernelRule rule;
  const auto bytes = [](std::size_t size) {
    return *rc::gen::container<Bytes>(size, rc::gen::arbitrary<std::uint8_t>());
  };
  const auto slot = [] { return *rc::gen::inRange<Slot>(0, 16); };
  const auto small = [] { return *rc::gen::inRange<std::uint32_t>(0, 30); };
  const int count = *rc::gen::inRange(0, 12);
  for (int i = 0; i < count; ++i) {
    const Expression choices[] = {
        LoadMeta{small(), slot()},
        LoadPayload{small() % 3, small(), small() + 1, slot()},
        LoadCt{small(), slot()},
        LoadFib{1, small(), slot()},
        LoadSocket{NFT_SOCKET_CGROUPV2, small() + 1, slot()},
        Mask{slot(), slot(), bytes(4), bytes(4)},
        Compare{slot(), small() % 6, bytes(1 + small() % 16)},
        Lookup{slot(), "some-set", *rc::gen::arbitrary<bool>(), *rc::gen::arbitrary<bool>()},
        Limit{small() + 1, 1, small(), 0, small() % 2},
        Log{static_cast<std::uint16_t>(small()), "p"},
        Counter{},
        SetVerdict{{NFT_GOTO, "chain"}},
        SetVerdict{{NF_DROP, {}}},
    };
    rule.expressions.push_back(choices[*rc::gen::inRange<std::size_t>(0, std::size(choices))]);
  }
  rule.comment = "file.yaml:3 x";
  const auto batch = encode({"t", {AddRule{"c", rule}}}, 1, std::nullopt);
  RC_ASSERT(batch.has_value());
  const RuleHandle parsed(nftnl_rule_alloc());
  RC_ASSERT(nftnl_rule_nlmsg_parse(messages(*batch)[1], parsed.get()) == 0);
  const KernelRule got = decode_rule(parsed.get());
  RC_ASSERT(got.same_effect(rule));
  RC_ASSERT(got.comment == rule.comment);
}

}  // namespace
}  // namespace gatehouse::fwctl
