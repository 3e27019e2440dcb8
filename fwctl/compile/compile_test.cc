#include "fwctl/compile/compile.h"

#include <gtest/gtest.h>
#include <linux/netfilter.h>
#include <linux/netfilter/nf_tables.h>

#include "fwctl/compile/describe.h"
#include "fwctl/model/print.h"

namespace gatehouse::fwctl {
namespace {

KernelRule compiled(const Rule& rule) {
  Ruleset r;
  r.chains.emplace_back();
  r.chains[0].name = "c";
  r.chains[0].rules = {rule};
  return compile(r).chains[0].rules[0];
}

Rule matching(std::vector<Match> matches) {
  Rule out;
  out.matches = std::move(matches);
  out.outcome = Verdict{VerdictKind::accept, {}};
  return out;
}

// In family inet an address load without a family check would match the other family's bytes.
TEST(Compile, ChecksFamilyAndProtocolOnceBeforeTheLoad) {
  const KernelRule r = compiled(matching(
      {FieldIs{Field::ip6_hoplimit, Value::of_u8(255)}, FieldIs{Field::icmpv6_type, Value::of_u8(135)}}));
  const std::vector<Expression> wanted = {LoadMeta{NFT_META_NFPROTO, 0},
                                          Compare{0, NFT_CMP_EQ, {NFPROTO_IPV6}},
                                          LoadPayload{NFT_PAYLOAD_NETWORK_HEADER, 7, 1, 0},
                                          Compare{0, NFT_CMP_EQ, {255}},
                                          LoadMeta{NFT_META_L4PROTO, 0},
                                          Compare{0, NFT_CMP_EQ, {kProtocolIcmpv6}},
                                          LoadPayload{NFT_PAYLOAD_TRANSPORT_HEADER, 0, 1, 0},
                                          Compare{0, NFT_CMP_EQ, {135}},
                                          SetVerdict{{NF_ACCEPT, {}}}};
  EXPECT_EQ(r.expressions, wanted);
}

TEST(Compile, ConcatenatedFieldsStandInConsecutiveSlots) {
  Rule rule;
  rule.outcome = VerdictMap{{Field::ip6_saddr, Field::ip6_daddr, Field::l4proto, Field::dport}, "m"};
  const KernelRule r = compiled(rule);
  ASSERT_EQ(r.expressions.size(), 7U);
  EXPECT_EQ(std::get<LoadPayload>(r.expressions[2]).to, 0);
  EXPECT_EQ(std::get<LoadPayload>(r.expressions[3]).to, 4);
  EXPECT_EQ(std::get<LoadMeta>(r.expressions[4]).to, 8);
  EXPECT_EQ(std::get<LoadPayload>(r.expressions[5]).to, 9);
  EXPECT_EQ(r.expressions[6], Expression(Lookup{0, "m", true, false}));
}

TEST(Compile, SetKeysArePaddedFieldByField) {
  Ruleset r;
  Set set;
  set.name = "s";
  set.key = {ValueType::ipv4, ValueType::protocol, ValueType::port};
  set.elements = {{{Interval::one(Value::of_address(*core::IpAddress::parse("10.0.0.1"))),
                    Interval::one(Value::of_u8(6)), Interval::one(Value::of_port(80))},
                   {},
                   {}}};
  r.sets = {set};
  const KernelSet k = compile(r).sets[0];
  EXPECT_EQ(k.key_length, 12U);
  EXPECT_EQ(k.elements[0].first, (Bytes{10, 0, 0, 1, 6, 0, 0, 0, 0, 80, 0, 0}));
  EXPECT_TRUE(k.field_lengths.empty());
  r.sets[0].intervals = true;
  const KernelSet ranges = compile(r).sets[0];
  EXPECT_EQ(ranges.field_lengths, (Bytes{4, 1, 2}));
  EXPECT_EQ(ranges.flags, std::uint32_t{NFT_SET_INTERVAL | NFT_SET_CONCAT});
}

// The kernel form described must read like the rule it came from.
TEST(Describe, ReadsLikeTheRule) {
  struct Row {
    Rule rule;
    const char* text;
  };
  Rule limited = matching({FieldIs{Field::l4proto, Value::of_u8(kProtocolTcp)}});
  limited.limit = RateLimit{10, 5, true};
  limited.counter = true;
  limited.outcome = Verdict{VerdictKind::go_to, "refuse"};
  Rule logged;
  logged.limit = RateLimit{50, 50, false};
  logged.log = LogTo{7, "gatehouse:input "};
  const Row rows[] = {
      {matching({StateIs{CtState::established}}), "ct state & established != 0x0 accept"},
      {matching({NoRouteBack{}}), "fib saddr . iif oif present 0x0 accept"},
      {matching({FlagsAre{TcpFlags::syn, true}}), "meta l4proto tcp tcp flags & 0x17 != 0x02 accept"},
      {matching({InSet{{Field::iifname, Field::ip_saddr}, "s", true}}),
       "meta nfproto ipv4 iifname . ip saddr != @s accept"},
      {limited, "meta l4proto tcp limit rate over 10/second burst 5 packets counter goto refuse"},
      {logged, "limit rate 50/second burst 50 packets log prefix \"gatehouse:input \" group 7"},
  };
  KernelTable table;
  table.sets.emplace_back();
  table.sets[0].name = "s";
  table.sets[0].key_length = 20;
  for (const Row& row : rows) EXPECT_EQ(describe(compiled(row.rule), table), row.text);
}

TEST(Describe, ForeignRulesAreShownAndDoNotCrash) {
  KernelRule r;
  r.expressions = {LoadMeta{999, 200},
                   Compare{77, 99, {}},
                   Lookup{15, "nowhere", false, true},
                   Mask{3, 250, {}, {}},
                   LoadPayload{9, 4000, 4000, 14},
                   Foreign{"queue num 0"},
                   SetVerdict{{-77, {}}}};
  EXPECT_FALSE(describe(r, KernelTable{}).empty());
  KernelSet s;
  s.key_type = 0xffffffff;
  EXPECT_EQ(describe(KernelElement{{1, 2}, {1, 3}, {}, "timeout", {}, {}}, s), "0x0102-0x0103 [timeout]");
  s.key_type = 8;  // says IPv6, but the key is short
  EXPECT_EQ(describe(KernelElement{{1, 2}, {1, 3}, {}, {}, {}, {}}, s), "");
}

}  // namespace
}  // namespace gatehouse::fwctl
