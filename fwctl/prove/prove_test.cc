#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <linux/netfilter.h>
#include <linux/netfilter/nf_tables.h>
#include <rapidcheck/gtest.h>

#include "core/os.h"
#include "fwctl/compile/compile.h"
#include "fwctl/model/build.h"
#include "fwctl/prove/decide.h"
#include "fwctl/prove/lint.h"
#include "site/load/load.h"

namespace gatehouse::fwctl::prove {
namespace {

using Kind = ByteKey::Kind;
using ::testing::HasSubstr;

site::Site shipped(const std::string& name) {
  core::Diagnostics diagnostics;
  auto site = site::load_site_file(std::string(GATEHOUSE_SOURCE_DIR) + "/rules/site/" + name, diagnostics);
  EXPECT_TRUE(site && *site) << diagnostics.render_all();
  return **site;
}

LiveRuleset planned(const site::Site& site) {
  LiveRuleset out;
  out.tables.push_back({NFPROTO_INET, compile(*build_ruleset(site))});
  return out;
}

// Web-mail plus one of everything that makes another kind of rule.
site::Site full() {
  site::Site s = shipped("web-mail.yaml");
  s.assertions.clear();  // some are not true of what is added
  const auto port = [](site::Transport t, std::uint16_t first, std::uint16_t last) {
    return site::PortRange{t, first, last, {"full.yaml", 90, 1}};
  };
  site::Service media = s.services[0];
  media.name = "media";
  media.ports = {port(site::Transport::tcp, 9000, 9010), port(site::Transport::udp, 9000, 9000)};
  media.exposed_to = {{"admin", "", {}}, {"soc", "collector", {}}};
  site::Service console = media;
  console.name = "console";
  console.host = {std::string(site::kGatehouse), "", {}};
  console.ports = {port(site::Transport::tcp, 2222, 2222)};
  console.exposed_to = {{"admin", "bastion", {}}};
  // The same ports twice, each time under other limits.
  media.limit.emplace();
  media.limit->opened_by_source = {20, 60, 40};
  media.limit->open = 100;
  s.services.push_back(media);
  media.name = "mirror";
  media.limit->open_by_source = 5;
  s.services.push_back(media);
  media.limit.reset();
  s.services.push_back(console);
  s.flows.push_back({{"servers", "", {}}, {"outside", "", {}}, {port(site::Transport::udp, 53, 53)}, "", {}});
  s.flows.push_back({{"admin", "", {}}, {"servers", "", {}}, {port(site::Transport::tcp, 80, 90)}, "", {}});
  // Of one user, of two groups at different levels, of both.
  const std::tuple<std::uint16_t, std::optional<std::uint32_t>, std::optional<site::ControlGroup>> senders[] =
      {
          {123, 33, std::nullopt},
          {123, std::nullopt, site::ControlGroup{"a.slice", 0x1122334455667788}},
          {443, 33, site::ControlGroup{"a.slice/b.service", 5}},
          {853, std::nullopt, site::ControlGroup{"not-there", 0}},
      };
  for (const auto& [number, user, group] : senders) {
    site::Flow own{{std::string(site::kGatehouse), "", {}}, {"outside", "", {}}, {}, "", {}};
    own.ports = {port(site::Transport::tcp, number, number)};
    own.user = user;
    own.group = group;
    s.flows.push_back(own);
  }
  s.firewall.ping_from.push_back({std::string(site::kGatehouse), "", {}});
  const auto range = [](const char* first, const char* last) {
    return site::AddressRange{*core::IpAddress::parse(first), *core::IpAddress::parse(last)};
  };
  s.firewall.blocked = {range("198.51.100.66", "198.51.100.66"), range("203.0.113.0", "203.0.113.255"),
                        range("2001:db8:bad::", "2001:db8:bad:ffff:ffff:ffff:ffff:ffff")};
  return s;
}

KernelChain& chain_of(LiveRuleset& r, const std::string& name) {
  for (KernelChain& c : r.tables[0].table.chains) {
    if (c.name == name) return c;
  }
  std::abort();
}
KernelSet& set_of(LiveRuleset& r, const std::string& name) {
  for (KernelSet& s : r.tables[0].table.sets) {
    if (s.name == name) return s;
  }
  std::abort();
}
Foreign foreign(Meaning meaning, const std::string& text) {
  Foreign out;
  out.text = text;
  out.meaning = meaning;
  out.length = 4;
  return out;
}
KernelRule rule(std::vector<Expression> expressions) {
  KernelRule out;
  out.expressions = std::move(expressions);
  return out;
}
// Drops what is a piece that does not begin its packet.
LiveTable about_pieces(std::uint32_t hook, std::int32_t priority) {
  LiveTable t;
  t.family = NFPROTO_IPV4;
  t.table.name = "mine";
  KernelChain c;
  c.name = "c";
  c.base = BaseHook{"filter", hook, priority, NF_ACCEPT};
  c.rules = {rule({LoadPayload{NFT_PAYLOAD_NETWORK_HEADER, 6, 2, 0}, Mask{0, 0, {0x1f, 0xff}, {0, 0}},
                   Compare{0, NFT_CMP_NEQ, {0, 0}}, SetVerdict{{NF_DROP, {}}}})};
  t.table.chains = {c};
  return t;
}
Proof prove(const site::Site& site, const LiveRuleset& ruleset) {
  return decide(site, ruleset, {});
}

TEST(Prove, WhatIsCompiledDoesWhatThePolicyMeans) {
  for (const site::Site& s :
       {shipped("web-mail.yaml"), shipped("private-network.yaml"), shipped("minimal.yaml"), full()}) {
    const LiveRuleset r = planned(s);
    const Proof p = prove(s, r);
    EXPECT_EQ(p.overall(), Answer::holds) << print_proof(p);
  }
}

// Two lists of what nobody outside has, written apart.
TEST(Prove, TheRegistryOfBogonsIsTheSameTwice) {
  site::Site s = shipped("web-mail.yaml");
  s.firewall.registry_bogons = true;
  const Proof p = prove(s, planned(s));
  EXPECT_EQ(p.overall(), Answer::holds) << print_proof(p);
  const Proof without = prove(s, planned(shipped("web-mail.yaml")));
  EXPECT_EQ(without.answer, Answer::differs);
}

TEST(Prove, NothingInForceIsADifferenceOnEveryPath) {
  const LiveRuleset nothing;
  const Proof p = prove(shipped("web-mail.yaml"), nothing);
  EXPECT_EQ(p.answer, Answer::differs);
  // Opened on three paths, and the limited grants through the gatehouse are not limited; both families.
  EXPECT_EQ(p.differences.size(), 8U) << print_proof(p);
}

struct Mutation {
  const char* name;
  void (*apply)(LiveRuleset&);
  Answer answer;
  const char* shown;
};

void PrintTo(const Mutation& m, std::ostream* out) {
  *out << m.name;
}

const Mutation kMutations[] = {
    {"accepting rule",
     [](LiveRuleset& r) {
       auto& rules = chain_of(r, "forward").rules;
       rules.insert(rules.begin(), rule({LoadMeta{NFT_META_L4PROTO, 0}, Compare{0, NFT_CMP_EQ, {6}},
                                         LoadPayload{NFT_PAYLOAD_TRANSPORT_HEADER, 2, 2, 0},
                                         Compare{0, NFT_CMP_EQ, {0x1f, 0x90}}, SetVerdict{{NF_ACCEPT, {}}}}));
     },
     Answer::differs, ":8080 SYN"},
    {"comments, counters, order of equals",
     [](LiveRuleset& r) {
       auto& rules = chain_of(r, "forward").rules;
       rules[0].comment = "other";
       std::swap(rules[1], rules[2]);
       rules.erase(rules.end() - 2);  // the log rule
     },
     Answer::holds, "holds"},
    {"another table drops",
     [](LiveRuleset& r) {
       LiveTable t;
       t.family = NFPROTO_IPV4;
       t.table.name = "mine";
       KernelChain c;
       c.name = "c";
       c.base = BaseHook{"filter", NF_INET_FORWARD, 5, NF_ACCEPT};
       c.rules = {rule({LoadPayload{NFT_PAYLOAD_NETWORK_HEADER, 12, 4, 0},
                        Mask{0, 0, {255, 255, 255, 0}, {0, 0, 0, 0}},
                        Compare{0, NFT_CMP_EQ, {198, 51, 100, 0}}, SetVerdict{{NF_DROP, {}}}})};
       t.table.chains = {c};
       r.tables.push_back(t);
     },
     Answer::differs, "the policy accepts it, the ruleset drops it"},
    {"another table accepts, which is not final",
     [](LiveRuleset& r) {
       LiveTable t;
       t.family = NFPROTO_INET;
       t.table.name = "mine";
       KernelChain c;
       c.name = "c";
       c.base = BaseHook{"filter", NF_INET_FORWARD, -5, NF_DROP};
       c.rules = {rule({SetVerdict{{NF_ACCEPT, {}}}})};
       t.table.chains = {c};
       r.tables.push_back(t);
     },
     Answer::holds, "holds"},
    {"pieces dropped before they are put together",
     [](LiveRuleset& r) { r.tables.push_back(about_pieces(NF_INET_PRE_ROUTING, -450)); }, Answer::differs,
     "fragment later"},
    {"pieces asked for where there are none",
     [](LiveRuleset& r) { r.tables.push_back(about_pieces(NF_INET_FORWARD, -450)); }, Answer::holds, "holds"},
    {"ports before pieces are put together",
     [](LiveRuleset& r) {
       LiveTable t = about_pieces(NF_INET_PRE_ROUTING, -401);
       t.table.chains[0].rules = {rule({LoadMeta{NFT_META_L4PROTO, 0}, Compare{0, NFT_CMP_EQ, {6}},
                                        LoadPayload{NFT_PAYLOAD_TRANSPORT_HEADER, 2, 2, 0},
                                        Compare{0, NFT_CMP_EQ, {1, 187}}, SetVerdict{{NF_DROP, {}}}})};
       r.tables.push_back(t);
     },
     Answer::differs, "accepts it, the ruleset drops it"},
    {"extension header",
     [](LiveRuleset& r) {
       Foreign asks = foreign(Meaning::extension, "exthdr");
       asks.key = extension_key(NFT_EXTHDR_OP_IPV6, 0);
       auto& rules = chain_of(r, "forward").rules;
       rules.insert(rules.begin(), rule({asks, Compare{0, NFT_CMP_EQ, {1}}, SetVerdict{{NF_DROP, {}}}}));
     },
     Answer::differs, "extension hop-by-hop"},
    {"lost end of a range",
     [](LiveRuleset& r) {
       auto& e = set_of(r, "never-outside-v4").elements[0];
       e.last = {255, 255, 255, 255};
     },
     Answer::differs, "accepts it, the ruleset drops it"},
    {"wider prefix", [](LiveRuleset& r) { set_of(r, "zone-networks-v4").elements[0].first[17] = 0; },
     Answer::differs, "the policy drops it, the ruleset accepts it"},
    {"turned verdict",
     [](LiveRuleset& r) {
       set_of(r, "outside-to-servers-v6").elements[0].verdict = KernelVerdict{NF_DROP, {}};
     },
     Answer::differs, "accepts it, the ruleset drops it"},
    {"another rate",
     [](LiveRuleset& r) {
       for (Expression& e : chain_of(r, "service-web").rules[0].expressions) {
         if (auto* limit = std::get_if<Limit>(&e)) limit->rate = 3;
       }
     },
     Answer::differs, "rates that limit it differ"},
    {"policy of the last resort, behind the last drop",
     [](LiveRuleset& r) { chain_of(r, "input").base->policy = NF_ACCEPT; }, Answer::holds, "holds"},
    {"policy of the last resort, without it",
     [](LiveRuleset& r) {
       chain_of(r, "input").base->policy = NF_ACCEPT;
       chain_of(r, "input").rules.pop_back();
     },
     Answer::differs, "policy accept"},
    {"switched off", [](LiveRuleset& r) { r.tables[0].table.flags = NFT_TABLE_F_DORMANT; }, Answer::differs,
     "the policy drops it, the ruleset accepts it"},
    {"rejects",
     [](LiveRuleset& r) {
       chain_of(r, "input").rules.back().expressions = {foreign(Meaning::reject, "reject")};
     },
     Answer::differs, "tells the sender"},
    {"unknown expression where it matters",
     [](LiveRuleset& r) {
       auto& rules = chain_of(r, "forward").rules;
       rules.insert(rules.begin(), rule({foreign(Meaning::nothing_known, "queue num 5")}));
     },
     Answer::cannot_decide, "cannot decide because of: queue num 5"},
    {"unknown match before a drop of what is dropped",
     [](LiveRuleset& r) {
       auto& rules = chain_of(r, "input").rules;
       rules.insert(rules.end() - 1, rule({foreign(Meaning::unknown_value, "exthdr"),
                                           Compare{0, NFT_CMP_EQ, {1}}, SetVerdict{{NF_DROP, {}}}}));
     },
     Answer::holds, "holds"},
    {"unknown match before an accept",
     [](LiveRuleset& r) {
       auto& rules = chain_of(r, "input").rules;
       rules.insert(rules.end() - 1, rule({foreign(Meaning::unknown_value, "exthdr"),
                                           Compare{0, NFT_CMP_EQ, {1}}, SetVerdict{{NF_ACCEPT, {}}}}));
     },
     Answer::cannot_decide, "cannot decide because of: exthdr"},
    {"taken out of tracking",
     [](LiveRuleset& r) {
       auto& rules = chain_of(r, "prerouting").rules;
       rules.insert(rules.begin(), rule({NoTrack{}}));
     },
     Answer::differs, "accepts it, the ruleset drops it"},
    {"a set that packets fill", [](LiveRuleset& r) { set_of(r, "ping-from-v4").flags |= NFT_SET_EVAL; },
     Answer::cannot_decide, "ping-from-v4"},
    {"mark set, never read",
     [](LiveRuleset& r) {
       auto& rules = chain_of(r, "forward").rules;
       rules.insert(rules.begin(), rule({foreign(Meaning::write, "meta set mark")}));
     },
     Answer::holds, "holds"},
    {"another family's table",
     [](LiveRuleset& r) {
       LiveTable t;
       t.family = NFPROTO_ARP;
       t.table.name = "a";
       r.tables.push_back(t);
     },
     Answer::holds, "not judged: table arp a"},
};

class ProveMutation : public ::testing::TestWithParam<Mutation> {};
INSTANTIATE_TEST_SUITE_P(Table, ProveMutation, ::testing::ValuesIn(kMutations));

TEST_P(ProveMutation, IsJudgedRight) {
  const site::Site s = full();
  LiveRuleset r = planned(s);
  GetParam().apply(r);
  const Proof p = prove(s, r);
  EXPECT_EQ(p.answer, GetParam().answer) << print_proof(p);
  EXPECT_THAT(print_proof(p), HasSubstr(GetParam().shown));
}

// --- the two evaluations, and the two forms of the policy, on random packets -----------------------------

core::IpAddress address(const char* text) {
  return *core::IpAddress::parse(text);
}

Packet random_packet() {
  Packet p;
  p.family = *rc::gen::element<std::uint8_t>(4, 6);
  p.path = *rc::gen::element(Path::through, Path::to_gatehouse, Path::from_gatehouse);
  const auto interface = [] { return *rc::gen::element("wan0", "srv0", "adm0", "soc0", "lo", "eth9"); };
  if (p.path != Path::from_gatehouse) p.set(Kind::iifname, std::string_view(interface()));
  if (p.path != Path::to_gatehouse) p.set(Kind::oifname, std::string_view(interface()));
  for (const Kind side : {Kind::source, Kind::destination}) {
    p.set(side, p.family == 4
                    ? address(*rc::gen::element("10.66.1.10", "10.66.1.77", "10.66.2.10", "10.66.2.9",
                                                "10.66.3.10", "198.51.100.7", "127.0.0.1", "224.0.0.5"))
                    : address(*rc::gen::element("fd66:1::10", "fd66:2::10", "fd66:2::9", "fd66:3::10",
                                                "2001:db8::1", "fe80::1", "::", "ff02::1")));
  }
  p.set({Kind::protocol}, *rc::gen::element<std::uint8_t>(1, 6, 6, 6, 17, 58, 47));
  p.set({Kind::hop_limit}, *rc::gen::element<std::uint8_t>(1, 64, 255));
  p.set({Kind::ct_state}, *rc::gen::element<std::uint8_t>(1, 2, 4, 8, 8, 8, 64));
  p.set({Kind::fib, route_back_question(), 0}, *rc::gen::element<std::uint8_t>(0, 1, 1, 1));
  if (p.path != Path::from_gatehouse && *rc::gen::inRange(0, 8) == 0) p.set({Kind::banned}, 1);
  p.set_port(kSourcePort,
             *rc::gen::element<std::uint16_t>(0x0300, 0x0800, 0x8000, 0x8600, 0x8700, 0x8200, 40000));
  p.set_port(kDestinationPort, *rc::gen::element<std::uint16_t>(22, 25, 53, 80, 85, 123, 443, 443, 853, 2222,
                                                                6514, 9000, 9010, 9011, 8080));
  p.set({Kind::transport, 0, kTcpFlags}, *rc::gen::element<std::uint8_t>(2, 2, 2, 0, 16, 18, 3, 0x42));
  if (*rc::gen::inRange(0, 3) == 0) p.set({Kind::fragment}, *rc::gen::element(kFirstPiece, kLaterPiece));
  if (*rc::gen::inRange(0, 3) == 0)
    p.set(
        {Kind::extension, p.family == 4 ? extension_key(NFT_EXTHDR_OP_IPV4, *rc::gen::element(7U, 148U))
                                        : extension_key(NFT_EXTHDR_OP_IPV6, *rc::gen::element(0U, 60U, 43U))},
        1);
  if (p.fragment() != 0) p.set({Kind::piece, 0, 3}, *rc::gen::element<std::uint8_t>(0, 80, 187));
  if (p.fragment() != 0) p.set({Kind::piece, 0, 2}, *rc::gen::element<std::uint8_t>(0, 1));
  p.complete_header();
  if (p.path == Path::from_gatehouse) {
    if (*rc::gen::arbitrary<bool>()) p.set_user(*rc::gen::element<std::uint32_t>(33, 34));
    if (*rc::gen::arbitrary<bool>()) p.set_group(1, *rc::gen::element<std::uint64_t>(0x1122334455667788, 7));
    if (*rc::gen::arbitrary<bool>()) p.set_group(2, *rc::gen::element<std::uint64_t>(5, 0));
  }
  return p;
}

RC_GTEST_PROP(Prove, DiagramsAgreeWithTheInterpreter, ()) {
  const site::Site s = full();
  LiveRuleset r = planned(s);
  kMutations[*rc::gen::inRange<std::size_t>(0, std::size(kMutations))].apply(r);
  for (const std::uint8_t family : {std::uint8_t{4}, std::uint8_t{6}}) {
    Diagrams d;
    Fields f(family);
    LargeSets large;
    Symbolic symbolic(d, f, r, large);
    Policy policy(d, f, s, large);
    std::map<Path, std::pair<Node, Node>> nodes;
    for (const Path path : {Path::through, Path::to_gatehouse, Path::from_gatehouse})
      nodes[path] = {symbolic.path(path), policy.path(path)};
    for (int i = 0; i < 100; ++i) {
      const Packet p = random_packet();
      if (p.family != family) continue;
      const auto bit = [&](Variable v) { return f.bit(p, v); };
      bool whole = false;
      const Outcomes seen = possible_verdicts(r, p, whole);
      RC_ASSERT(whole);
      RC_ASSERT(d.evaluate(nodes[p.path].first, bit).outcomes == seen);
      const Opinion opinion = opinion_on(s, p);
      const Leaf meant = d.evaluate(nodes[p.path].second, bit);
      RC_ASSERT(((meant.outcomes & kAccept) != 0) == opinion.accept);
    }
  }
}

// --- packets as text ---------------------------------------------------------------------------------------

core::Result<Packet> parsed(const std::string& text) {
  return parse_packet(text, [](const std::string& name) { return name == "outside" ? "wan0" : name; });
}

RC_GTEST_PROP(PacketText, WhatIsPrintedReadsBack, ()) {
  Packet p = random_packet();
  if (p.path == Path::from_gatehouse) p.bytes.erase({Kind::fib, route_back_question(), 0});
  if (*rc::gen::arbitrary<bool>()) p.set({Kind::meta, NFT_META_MARK, 2}, 7);
  const auto back = parsed(p.to_string());
  RC_ASSERT(back.has_value());
  RC_ASSERT(back->to_string() == p.to_string());
  for (const auto& [key, value] : p.bytes) RC_ASSERT(back->byte(key) == value);
}

TEST(PacketText, EveryMistakeIsShownWhereItIs) {
  struct Row {
    const char* text;
    std::uint32_t column;
    const char* message;
  };
  const Row rows[] = {
      {"in wan0 tcp 1.2.3.4:5 > 1.2.3.4:70000", 25, "`70000` is not a port"},
      {"in wan0 tcp 1.2.3.4:5 > fd00::1", 25, "one address is IPv4, the other IPv6"},
      {"in wan0 tcp 1.2.3.4:5", 22, "SOURCE > DESTINATION"},
      {"tcp 1.2.3.4:5 > 1.2.3.5:6", 26, "`in` or `out`"},
      {"in wan0 1.2.3.4 > 1.2.3.5", 26, "a protocol"},
      {"in", 3, "expected an interface"},
      {"in a-name-that-is-too-long tcp", 4, "not an interface name"},
      {"in wan0 tpc 1.2.3.4 > 1.2.3.5", 9, "`tpc` is neither an address nor a word"},
      {"in wan0 protocol 300", 18, "not a protocol"},
      {"in wan0 icmp 1.2.3.4 > 1.2.3.5 type x", 37, "not a number up to 255"},
      {"in wan0 tcp [fd00::1:5 > fd00::2", 13, "has no `]`"},
      {"in wan0 tcp > 1.2.3.4", 13, "expected SOURCE > DESTINATION"},
      {"in wan0 tcp 1.2.3.4 > 1.2.3.5 1.2.3.6", 31, "one word too many"},
      {"in wan0 tcp 1.2.3.4 > 1.2.3.5 meta:3=1", 31, "expected KIND:A:B=VALUE"},
      {"in wan0 tcp 1.2.3.4 > 1.2.3.5 fragment last", 40, "`first` or `later`"},
      {"in wan0 tcp 1.2.3.4 > 1.2.3.5 option hop-by-hop", 38, "neither a name nor a number"},
      {"in wan0 tcp 1.2.3.4 > 1.2.3.5 extension hop-by-hop", 51,
       "addresses of IPv6 for its extension header"},
      {"out wan0 tcp 1.2.3.4 > 1.2.3.5 cgroup 0:7", 39, "not LEVEL:NUMBER"},
      {"out wan0 tcp 1.2.3.4 > 1.2.3.5 cgroup a.slice", 39, "there is no control group `a.slice`"},
      {"in wan0 tcp 1.2.3.4 > 1.2.3.5 SYN|FOO", 31, "`SYN|FOO` is one word too many"},
  };
  for (const Row& row : rows) {
    const auto p = parsed(row.text);
    ASSERT_FALSE(p) << row.text;
    EXPECT_EQ(p.error().where.column, row.column) << row.text;
    EXPECT_THAT(p.error().text, HasSubstr(row.message)) << row.text;
  }
}

TEST(Explain, NamesTheRuleAndThePolicyLine) {
  const site::Site s = shipped("web-mail.yaml");
  const LiveRuleset r = planned(s);
  const auto open = parsed("in outside out srv0 tcp 198.51.100.7:4000 > 10.66.1.10:443");
  ASSERT_TRUE(open) << open.error().to_string();
  EXPECT_THAT(
      print_example(explain(s, r, *open)),
      ::testing::AllOf(HasSubstr("ruleset  accept"), HasSubstr("web-mail.yaml:30 service web"),
                       HasSubstr("service-web rule 2: counter accept"), HasSubstr("depends on: rate 2000")));
  const auto closed = parsed("in outside out srv0 tcp 198.51.100.7:4000 > 10.66.1.10:22");
  EXPECT_THAT(print_example(explain(s, r, *closed)),
              ::testing::AllOf(HasSubstr("ruleset  drop"), HasSubstr("nothing in the policy grants it"),
                               ::testing::Not(HasSubstr("depends on"))));
}

// --- large sets ------------------------------------------------------------------------------------------

TEST(Prove, WhatALargeSetHoldsIsLookedAtWhereItMatters) {
  const site::Site s = full();
  // 1,000 addresses that prerouting refuses anyway, dropped again: no difference.
  LiveRuleset r = planned(s);
  LiveTable t;
  t.family = NFPROTO_INET;
  t.table.name = "mine";
  KernelSet set;
  set.name = "bad";
  set.key_length = 4;
  for (std::uint8_t a = 0; a < 4; ++a) {
    for (std::uint8_t b = 0; b < 250; ++b) {
      const Bytes key = {127, 5, a, b};
      set.elements.push_back({key, key, {}, {}, {}, {}});
    }
  }
  t.table.sets = {set};
  KernelChain c;
  c.name = "c";
  c.base = BaseHook{"filter", NF_INET_FORWARD, 5, NF_ACCEPT};
  c.rules = {rule({LoadMeta{NFT_META_NFPROTO, 0}, Compare{0, NFT_CMP_EQ, {NFPROTO_IPV4}},
                   LoadPayload{NFT_PAYLOAD_NETWORK_HEADER, 12, 4, 0}, Lookup{0, "bad", false, false},
                   SetVerdict{{NF_DROP, {}}}})};
  t.table.chains = {c};
  r.tables.push_back(t);
  Proof p = prove(s, r);
  EXPECT_EQ(p.answer, Answer::holds) << print_proof(p);
  // One that may send: the packet shown is from it.
  r.tables[1].table.sets[0].elements.push_back({{9, 8, 7, 6}, {9, 8, 7, 6}, {}, {}, {}, {}});
  p = prove(s, r);
  EXPECT_EQ(p.answer, Answer::differs);
  EXPECT_THAT(print_proof(p), HasSubstr("tcp 9.8.7.6:"));
}

TEST(Prove, ABlocklistIsJudgedWhateverItsSize) {
  site::Site s = full();
  s.firewall.blocked.clear();
  for (std::uint32_t i = 0; i < 20'000; ++i)
    s.firewall.blocked.push_back(
        {core::IpAddress::v4(0x2d000000U + 4 * i), core::IpAddress::v4(0x2d000000U + 4 * i + i % 2)});
  LiveRuleset r = planned(s);
  ASSERT_EQ(set_of(r, "blocked-hosts-v4").elements.size(), 10'000U);
  ASSERT_EQ(set_of(r, "blocked-ranges-v4").elements.size(), 10'000U);
  EXPECT_EQ(prove(s, r).overall(), Answer::holds);
  auto& hosts = set_of(r, "blocked-hosts-v4").elements;
  const Bytes lost = hosts[5000].first;
  hosts.erase(hosts.begin() + 5000);
  const Proof p = prove(s, r);
  EXPECT_EQ(p.answer, Answer::differs);
  EXPECT_THAT(print_proof(p), HasSubstr(core::IpAddress::from_bytes(lost).to_string() + ":"));
}

// --- lint -----------------------------------------------------------------------------------------------

std::string linted(const std::vector<Finding>& findings) {
  std::string out;
  for (const Finding& f : findings)
    out += f.where + ": " + std::string(to_string(f.kind)) + ": " + f.what + '\n';
  return out;
}

TEST(Lint, WhatIsCompiledIsClean) {
  for (const char* name : {"web-mail.yaml", "private-network.yaml", "minimal.yaml"}) {
    const site::Site s = shipped(name);
    const LiveRuleset r = planned(s);
    EXPECT_EQ(linted(lint_ruleset(s, r)), "") << name;
    EXPECT_EQ(linted(lint_site(s)), "") << name;
  }
}

TEST(Lint, FindsRulesThatCannotMeanWhatTheySay) {
  const site::Site s = shipped("web-mail.yaml");
  const auto port_rule = [](std::uint16_t first, std::uint16_t last, std::int32_t verdict) {
    Foreign range = foreign(Meaning::in_range, "range");
    range.low = {static_cast<std::uint8_t>(first >> 8), static_cast<std::uint8_t>(first)};
    range.high = {static_cast<std::uint8_t>(last >> 8), static_cast<std::uint8_t>(last)};
    return rule({LoadMeta{NFT_META_L4PROTO, 0}, Compare{0, NFT_CMP_EQ, {6}},
                 LoadPayload{NFT_PAYLOAD_TRANSPORT_HEADER, 2, 2, 0}, range, SetVerdict{{verdict, {}}}});
  };
  LiveRuleset r;
  LiveTable t;
  t.family = NFPROTO_INET;
  t.table.name = "mine";
  KernelChain c;
  c.name = "c";
  c.base = BaseHook{"filter", NF_INET_FORWARD, 0, NF_DROP};
  c.rules = {port_rule(80, 90, NF_ACCEPT),  port_rule(100, 110, NF_DROP),   port_rule(85, 88, NF_ACCEPT),
             port_rule(85, 105, NF_ACCEPT), port_rule(101, 102, NF_ACCEPT), port_rule(80, 120, NF_ACCEPT)};
  KernelSet boxes;
  boxes.name = "b";
  boxes.key_length = 8;
  boxes.flags = NFT_SET_INTERVAL | NFT_SET_CONCAT;
  boxes.field_lengths = {4, 2};
  boxes.elements = {{{10, 0, 0, 0, 0, 1, 0, 0}, {10, 0, 0, 255, 0, 9, 0, 0}, {}, {}, {}, {}},
                    {{10, 0, 0, 7, 0, 2, 0, 0}, {10, 0, 0, 9, 0, 3, 0, 0}, {}, {}, {}, {}}};
  t.table.sets = {boxes};
  t.table.chains = {c};
  r.tables = {t};
  const std::string found = linted(lint_ruleset(s, r));
  EXPECT_THAT(found, HasSubstr("rule 1: redundant"));
  EXPECT_THAT(found, HasSubstr("rule 3: shadowed"));
  EXPECT_THAT(found, HasSubstr("rule 5: contradictory"));
  EXPECT_THAT(found, HasSubstr("its packets are taken by rule 2"));
  EXPECT_THAT(found, HasSubstr("set b: covered"));
  EXPECT_THAT(found, ::testing::Not(HasSubstr("rule 2:")));
  EXPECT_THAT(found, ::testing::Not(HasSubstr("rule 6:")));
}

TEST(Lint, FindsGrantsThatNobodyMeant) {
  site::Site s = full();
  s.zones[1].hosts.push_back({"old", {address("10.66.1.99")}, {}});
  site::Service legacy = s.services[0];
  legacy.name = "legacy";
  legacy.host.host = "old";
  s.services.push_back(legacy);
  const std::string found = linted(lint_site(s));
  EXPECT_THAT(found,
              HasSubstr("overlapping: flow admin to servers opens tcp/80-90 to servers, which service web"));
  EXPECT_THAT(found, HasSubstr("asymmetric: service legacy is open over IPv4 only"));
  EXPECT_THAT(found, HasSubstr("unserved: flow admin to servers opens tcp/81 to servers"));
}

// --- assertions ------------------------------------------------------------------------------------------

Proof with_assertions(const std::string& lines, const std::string& name = "web-mail.yaml") {
  std::string text = *core::read_file(std::string(GATEHOUSE_SOURCE_DIR) + "/rules/site/" + name);
  text.resize(std::min(text.size(), text.find("\nassert:")));
  text += "\nassert:\n" + lines;
  core::Diagnostics diagnostics;
  static std::optional<site::Site> site;
  site = site::load_site(core::SourceText("site.yaml", text), diagnostics);
  EXPECT_TRUE(site) << diagnostics.render_all();
  static LiveRuleset ruleset;
  ruleset = planned(*site);
  return prove(*site, ruleset);
}

TEST(Prove, AssertionsHoldOrShowAPacket) {
  const Proof p = with_assertions(
      "  - internet cannot reach servers except 80, 443, 25\n"
      "  - outside cannot reach gatehouse\n"
      "  - admin/bastion can reach servers/front on tcp/22, ping\n"
      "  - outside can reach servers/front on 80\n"
      "  - outside cannot reach servers except 80, 443\n"
      "  - servers can reach outside on udp/53\n"
      "  - gatehouse cannot reach outside\n"
      "  - outside can reach servers on 80\n");
  ASSERT_EQ(p.assertions.size(), 8U);
  const Answer expected[] = {Answer::holds,   Answer::holds,   Answer::holds, Answer::holds,
                             Answer::differs, Answer::differs, Answer::holds, Answer::differs};
  for (std::size_t i = 0; i < std::size(expected); ++i)
    EXPECT_EQ(p.assertions[i].answer, expected[i]) << print_proof(p);
  EXPECT_EQ(p.answer, Answer::holds);
  EXPECT_EQ(p.overall(), Answer::differs);
  EXPECT_THAT(print_proof(p), HasSubstr("it should not pass, and does"));
  EXPECT_THAT(print_proof(p), HasSubstr(":25 SYN"));
}

}  // namespace
}  // namespace gatehouse::fwctl::prove
