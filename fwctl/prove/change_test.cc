#include "fwctl/prove/change.h"

#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <linux/netfilter.h>
#include <linux/netfilter/nf_tables.h>
#include <rapidcheck/gtest.h>

#include "fwctl/compile/compile.h"
#include "fwctl/model/build.h"
#include "site/load/load.h"

namespace gatehouse::fwctl::prove {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

site::Site web_mail() {
  core::Diagnostics diagnostics;
  auto site =
      site::load_site_file(std::string(GATEHOUSE_SOURCE_DIR) + "/rules/site/web-mail.yaml", diagnostics);
  EXPECT_TRUE(site && *site) << diagnostics.render_all();
  return **site;
}
LiveRuleset planned(const site::Site& site) {
  LiveRuleset out;
  out.tables.push_back({NFPROTO_INET, compile(*build_ruleset(site))});
  return out;
}
Change between(const site::Site& before, const site::Site& after) {
  const LiveRuleset a = planned(before);
  const LiveRuleset b = planned(after);
  Change out = compare(after, a, b, {});
  for (Shift& s : out.shifts) s.before.steps.clear(), s.after.steps.clear();  // they point into a and b
  return out;
}
site::PortRange tcp(std::uint16_t first, std::uint16_t last) {
  return {site::Transport::tcp, first, last, {"x.yaml", 1, 1}};
}

TEST(Change, TheSameIsNone) {
  EXPECT_TRUE(between(web_mail(), web_mail()).empty());
}

TEST(Change, APortMoreAndAPortLess) {
  site::Site after = web_mail();
  after.services[0].ports = {tcp(80, 80), tcp(8443, 8445)};
  const Change c = between(web_mail(), after);
  ASSERT_EQ(c.shifts.size(), 4U) << print_change(c);
  EXPECT_EQ(c.shifts[0].kind, Shift::Kind::opened);
  EXPECT_EQ(c.shifts[0].from, "outside");
  EXPECT_EQ(c.shifts[0].to, "servers");
  EXPECT_THAT(c.shifts[0].families, ElementsAre(4, 6));
  EXPECT_THAT(c.shifts[0].what, ElementsAre("tcp/8443-8445"));
  EXPECT_THAT(c.shifts[0].destinations, ElementsAre("10.66.1.10", "fd66:1::10"));
  EXPECT_EQ(c.shifts[1].from, "admin");
  EXPECT_THAT(c.shifts[1].sources, IsEmpty());
  EXPECT_EQ(c.shifts[2].kind, Shift::Kind::closed);
  EXPECT_THAT(c.shifts[2].what, ElementsAre("tcp/443"));
  EXPECT_EQ(c.shifts[2].packet.port(kDestinationPort), 443);
  EXPECT_TRUE(c.shifts[2].begins);
}

TEST(Change, RatesAndPings) {
  site::Site after = web_mail();
  after.firewall.syn_per_second = 100;
  after.firewall.ping_from.push_back({"outside", "", {}});
  const Change c = between(web_mail(), after);
  std::vector<std::string> seen;
  for (const Shift& s : c.shifts)
    seen.push_back(std::string(to_string(s.kind)) + " " + s.from + " " + s.to + " " + s.what[0]);
  EXPECT_THAT(seen, ::testing::Contains("opened outside servers ping")) << print_change(c);
  EXPECT_THAT(seen, ::testing::Contains("opened outside gatehouse ping"));
  EXPECT_THAT(seen, ::testing::Contains("limited outside servers tcp/25"));
}

// What a service's host hears of, and when, is another thing though the same packets pass.
TEST(Change, WhoAnswers) {
  site::Site proxied = web_mail();
  proxied.services[0].syn_proxy.emplace();
  proxied.services[0].syn_proxy->where = {"x.yaml", 1, 1};
  const auto kinds = [](const Change& c) {
    std::vector<std::string> out;
    for (const Shift& s : c.shifts) {
      if (s.kind == Shift::Kind::proxied || s.kind == Shift::Kind::unproxied ||
          s.kind == Shift::Kind::reworded)
        out.push_back(fmt::format("{} {} {} {} {}", to_string(s.kind), s.from, s.to, fmt::join(s.what, ","),
                                  s.families.size()));
      EXPECT_NE(s.kind, Shift::Kind::undecided);
    }
    return out;
  };
  const Change begins = between(web_mail(), proxied);
  EXPECT_THAT(kinds(begins), ElementsAre("proxied outside servers tcp/80,tcp/443 2")) << print_change(begins);
  EXPECT_THAT(print_change(begins), HasSubstr("is answered by the SYN proxy from now on"));
  const Change ends = between(proxied, web_mail());
  EXPECT_THAT(kinds(ends), ElementsAre("unproxied outside servers tcp/80,tcp/443 2")) << print_change(ends);
  site::Site otherwise = proxied;
  otherwise.services[0].syn_proxy->timestamps = !proxied.services[0].syn_proxy->timestamps;
  const Change words = between(proxied, otherwise);
  EXPECT_THAT(kinds(words), ElementsAre("reworded outside servers tcp/80,tcp/443 2")) << print_change(words);
  EXPECT_EQ(words.shifts.size(), 1U) << print_change(words);
  EXPECT_TRUE(between(proxied, proxied).empty());
}

TEST(Change, OnlyKnownConnectionsAreSaidToBeOnlyThat) {
  const site::Site site = web_mail();
  const LiveRuleset before = planned(site);
  LiveRuleset after = before;
  for (KernelChain& c : after.tables[0].table.chains) {
    if (c.name == "forward") c.rules.erase(c.rules.begin());  // accepts what is established
  }
  const Change c = compare(site, before, after, {});
  ASSERT_FALSE(c.shifts.empty());
  for (const Shift& s : c.shifts) {
    // What is granted anew passes still, as a new connection would: within the rate.
    if (s.kind == Shift::Kind::limited) continue;
    EXPECT_EQ(s.kind, Shift::Kind::closed) << print_change(c);
    EXPECT_FALSE(s.begins);
    EXPECT_FALSE(s.what.empty());
  }
}

TEST(Change, AnElementOfALargeSet) {
  const site::Site site = web_mail();
  LiveRuleset before = planned(site);
  LiveTable other;
  other.family = NFPROTO_IPV4;
  other.table.name = "mine";
  KernelSet set;
  set.name = "bad";
  set.key_length = 4;
  for (std::uint32_t i = 0; i < 5000; ++i) {
    const Bytes key = {static_cast<std::uint8_t>(40 + i / 256 / 16), static_cast<std::uint8_t>(i / 256), 7,
                       static_cast<std::uint8_t>(i)};
    set.elements.push_back({key, key, {}, {}, {}, {}});
  }
  KernelChain chain;
  chain.name = "c";
  chain.base = BaseHook{"filter", NF_INET_FORWARD, -10, NF_ACCEPT};
  KernelRule drop;
  drop.expressions = {LoadPayload{NFT_PAYLOAD_NETWORK_HEADER, 12, 4, 0}, Lookup{0, "bad", false, false},
                      SetVerdict{{NF_DROP, {}}}};
  chain.rules = {drop};
  other.table.sets = {set};
  other.table.chains = {chain};
  before.tables.push_back(other);
  LiveRuleset after = before;
  EXPECT_TRUE(compare(site, before, after, {}).empty());
  after.tables[1].table.sets[0].elements.push_back({{99, 9, 9, 9}, {99, 9, 9, 9}, {}, {}, {}, {}});
  const Change c = compare(site, before, after, {});
  for (const Shift& s : c.shifts) {
    EXPECT_EQ(s.kind, Shift::Kind::closed);
    EXPECT_THAT(s.sources, ElementsAre("99.9.9.9"));
  }
  EXPECT_THAT(print_change(c),
              HasSubstr("  outside to servers: tcp/25, tcp/80, tcp/443 (IPv4)\n    from 99.9.9.9\n"));
}

// What is compared is every packet: where one of random packets fares differently, a shift says so.
RC_GTEST_PROP(Change, NoPacketIsMissed, ()) {
  const site::Site from = web_mail();
  site::Site to = from;
  const auto port = *rc::gen::element<std::uint16_t>(22, 25, 80, 443, 8080);
  switch (*rc::gen::inRange(0, 4)) {
    case 0:
      to.services.erase(to.services.begin() + *rc::gen::inRange(0, 3));
      break;
    case 1:
      to.services[0].ports.push_back(tcp(port, static_cast<std::uint16_t>(port + *rc::gen::element(0, 3))));
      break;
    case 2:
      to.flows.push_back({{"servers", "", {}}, {"soc", "", {}}, {tcp(port, port)}, "", {}});
      break;
    default:
      to.services[1].exposed_to.push_back({"soc", "", {}});
  }
  const LiveRuleset a = planned(from);
  const LiveRuleset b = planned(to);
  const Change change = compare(to, a, b, {});
  const auto name = [](const std::string& interface) {
    return interface == "wan0"   ? "outside"
           : interface == "srv0" ? "servers"
           : interface == "adm0" ? "admin"
                                 : "soc";
  };
  for (int i = 0; i < 200; ++i) {
    Packet p;
    p.set(ByteKey::Kind::iifname, *rc::gen::element<std::string>("wan0", "srv0", "adm0", "soc0"));
    p.set(ByteKey::Kind::oifname, *rc::gen::element<std::string>("wan0", "srv0", "adm0", "soc0"));
    const auto address = [&](ByteKey::Kind side) {
      const std::string zone = name(p.interface(side));
      return *core::IpAddress::parse(zone == "outside"   ? "198.51.100.7"
                                     : zone == "servers" ? "10.66.1.10"
                                     : zone == "admin"   ? "10.66.2.10"
                                                         : "10.66.3.10");
    };
    p.set(ByteKey::Kind::source, address(ByteKey::Kind::iifname));
    p.set(ByteKey::Kind::destination, address(ByteKey::Kind::oifname));
    p.set({ByteKey::Kind::protocol}, kProtocolTcp);
    p.set({ByteKey::Kind::ct_state}, kStateNew);
    p.set({ByteKey::Kind::transport, 0, kTcpFlags}, 2);
    p.set({ByteKey::Kind::fib, route_back_question(), 0}, 1);
    p.set_port(kDestinationPort, *rc::gen::element<std::uint16_t>(22, 25, 26, 80, 81, 443, 8080, 8082));
    bool whole = false;
    const bool passed = (possible_verdicts(a, p, whole) & kAccept) != 0;
    const bool passes = (possible_verdicts(b, p, whole) & kAccept) != 0;
    const bool said = std::any_of(change.shifts.begin(), change.shifts.end(), [&](const Shift& s) {
      return s.kind == (passes ? Shift::Kind::opened : Shift::Kind::closed) &&
             s.from == name(p.interface(ByteKey::Kind::iifname)) &&
             s.to == name(p.interface(ByteKey::Kind::oifname));
    });
    if (passed != passes) RC_ASSERT(said);
  }
  RC_ASSERT(change.gaps.empty());
}

}  // namespace
}  // namespace gatehouse::fwctl::prove
