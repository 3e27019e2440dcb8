#include "fwctl/model/build.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <rapidcheck/gtest.h>

#include "fwctl/model/dispatch.h"
#include "fwctl/model/origin.h"
#include "fwctl/model/print.h"

namespace gatehouse::fwctl {
namespace {

using core::IpAddress;
using core::IpPrefix;
using site::Transport;
using ::testing::HasSubstr;
using ::testing::Not;

site::Endpoint at(std::string zone, std::string host = {}) {
  return {std::move(zone), std::move(host), {"s.yaml", 9, 1}};
}
site::PortRange port(Transport t, std::uint16_t first, std::uint16_t last) {
  return {t, first, last, {}};
}

site::Site two_zones() {
  site::Site s;
  s.name = "test";
  site::Zone outside;
  outside.name = "outside";
  outside.interface = "wan0";
  outside.untrusted = true;
  site::Zone inside;
  inside.name = "inside";
  inside.interface = "lan0";
  inside.networks = {*IpPrefix::parse("10.1.0.0/16"), *IpPrefix::parse("fd00:1::/64")};
  for (const char* name : {"a", "b"}) {
    site::Host h;
    h.name = name;
    h.addresses = {*IpAddress::parse(std::string("10.1.0.") + (*name == 'a' ? "1" : "2")),
                   *IpAddress::parse(std::string("fd00:1::") + (*name == 'a' ? "1" : "2"))};
    inside.hosts.push_back(h);
  }
  s.zones = {outside, inside};
  return s;
}

site::Service service(std::string name, site::Endpoint host, std::vector<site::PortRange> ports,
                      std::vector<site::Endpoint> exposed_to) {
  site::Service out;
  out.name = std::move(name);
  out.host = std::move(host);
  out.ports = std::move(ports);
  out.exposed_to = std::move(exposed_to);
  out.where = {"dir/s.yaml", 27, 3};
  return out;
}

TEST(Build, TheGraphNamesWhatLeadsWhere) {
  site::Site s = two_zones();
  s.services = {service("web", at("inside", "a"), {port(Transport::tcp, 80, 80)}, {at("outside")})};
  const auto built = build_ruleset(s);
  ASSERT_TRUE(built);
  const std::string dot = print_dot(*built);
  EXPECT_THAT(dot, HasSubstr(R"("forward" -> "outside-to-inside" [label="\"wan0\" . \"lan0\""];)"));
  EXPECT_THAT(dot, HasSubstr(R"("outside-to-inside" -> "service-web" [label="10.1.0.1 . tcp . 80)"));
  EXPECT_THAT(dot, HasSubstr(R"("service-web" -> "accept")"));
}

TEST(Build, RegistryBogonsAreAsked) {
  site::Site s = two_zones();
  EXPECT_THAT(print_normal(*build_ruleset(s)), Not(HasSubstr("192.168.0.0/16")));
  s.firewall.registry_bogons = true;
  EXPECT_THAT(print_normal(*build_ruleset(s)), HasSubstr("private use, RFC 1918"));
}

TEST(Build, EveryBaseChainEndsWithACountedDrop) {
  const auto r = build_ruleset(two_zones());
  ASSERT_TRUE(r) << r.error().to_string();
  int base_chains = 0;
  for (const Chain& c : r->chains) {
    if (!c.hook) continue;
    ++base_chains;
    EXPECT_EQ(rule_text(c.rules.back()), "counter drop") << c.name;
  }
  EXPECT_EQ(base_chains, 4);
}

TEST(Build, RulesNameThePolicyLine) {
  site::Site s = two_zones();
  s.services = {service("web", at("inside", "a"), {port(Transport::tcp, 80, 80)}, {at("outside")})};
  const auto r = build_ruleset(s);
  ASSERT_TRUE(r);
  EXPECT_EQ(r->find_chain("service-web")->rules.back().origin.text, "s.yaml:27 service web");
  EXPECT_EQ(r->find_chain("service-web")->rules.back().origin.where.line, 27U);
}

TEST(Build, TheNumberOfRulesDoesNotGrowWithHostsAndPorts) {
  site::Site s = two_zones();
  s.services = {service("web", at("inside", "a"), {port(Transport::tcp, 80, 80)}, {at("outside")})};
  const auto small = build_ruleset(s);
  for (std::uint16_t p = 1000; p < 3000; ++p) s.services[0].ports.push_back(port(Transport::tcp, p, p));
  const auto large = build_ruleset(s);
  ASSERT_TRUE(small && large);
  EXPECT_EQ(small->chains.size(), large->chains.size());
  EXPECT_EQ(small->find_chain("outside-to-inside")->rules.size(),
            large->find_chain("outside-to-inside")->rules.size());
  EXPECT_EQ(large->find_set("outside-to-inside-v4")->elements.size(), 2001U);
}

TEST(Build, CommentsCannotBreakOutOfTheirQuotes) {
  const Origin o = make_origin({"x/y\".yaml", 1, 1}, "a \"quoted\" \n line \x80" + std::string(300, 'z'));
  EXPECT_EQ(o.text.find_first_of("\"\n\\\x80"), std::string::npos);
  EXPECT_LE(o.text.size(), kMaxCommentBytes);
}

TEST(Build, RefusesWhatTheKernelCouldNotTellApart) {
  struct Row {
    const char* name;
    void (*spoil)(site::Site&);
    const char* text;
  };
  const Row rows[] = {
      {"interface too long", [](site::Site& s) { s.zones[1].interface = "abcdefghijklmnop"; },
       "not an interface name"},
      {"loopback", [](site::Site& s) { s.zones[1].interface = "lo"; }, "`lo`"},
      {"one interface twice", [](site::Site& s) { s.zones[1].interface = "wan0"; }, "two zones"},
      {"trusted without networks", [](site::Site& s) { s.zones[1].networks.clear(); }, "needs networks"},
      {"unknown zone", [](site::Site& s) { s.firewall.ping_from = {at("nowhere")}; }, "no zone `nowhere`"},
      {"unknown host",
       [](site::Site& s) {
         s.services = {service("x", at("inside", "c"), {port(Transport::tcp, 1, 1)}, {at("outside")})};
       },
       "no host `c`"},
      {"two services of one name",
       [](site::Site& s) {
         s.services = {service("x", at("inside", "a"), {port(Transport::tcp, 1, 1)}, {at("outside")}),
                       service("x", at("inside", "a"), {port(Transport::tcp, 2, 2)}, {at("outside")})};
       },
       "rename one"},
  };
  for (const Row& row : rows) {
    site::Site s = two_zones();
    row.spoil(s);
    const auto r = build_ruleset(s);
    ASSERT_FALSE(r) << row.name;
    EXPECT_THAT(r.error().text, HasSubstr(row.text)) << row.name;
  }
}

TEST(Build, NoLogAndNoLimitWhenTheRatesAreZero) {
  site::Site s = two_zones();
  s.services = {service("web", at("inside", "a"), {port(Transport::tcp, 80, 80)}, {at("outside")})};
  s.firewall.log_per_second = 0;
  s.firewall.syn_per_second = 0;
  const auto r = build_ruleset(s);
  ASSERT_TRUE(r);
  EXPECT_THAT(print_nft(*r), Not(HasSubstr("limit rate")));
  EXPECT_THAT(print_nft(*r), Not(HasSubstr("log prefix")));
}

// --- the maps against the policy they are made from -------------------------------------------------

struct Packet {
  std::string in, out;  // zones, or the gatehouse
  IpAddress source, destination;
  Transport transport;
  std::uint16_t port;
};

bool is_at(const site::Site& s, const site::Endpoint& e, const std::string& zone, const IpAddress& address,
           bool source) {
  if (e.zone != zone) return false;
  if (e.is_gatehouse()) return true;
  const site::Zone& z = *s.find_zone(zone);
  if (e.host.empty()) {
    // The anti-spoofing rules and the route have put the source and the way out in their zones already.
    if (source || z.untrusted) return true;
    return std::any_of(z.networks.begin(), z.networks.end(),
                       [&](const IpPrefix& p) { return p.contains(address); });
  }
  const site::Host& h = *z.find_host(e.host);
  return std::find(h.addresses.begin(), h.addresses.end(), address) != h.addresses.end();
}

// What the policy says, one grant after the other.
bool policy_allows(const site::Site& s, const Packet& p) {
  const auto covers = [&](const std::vector<site::PortRange>& ports) {
    return std::any_of(ports.begin(), ports.end(),
                       [&](const site::PortRange& r) { return r.covers(p.transport, p.port); });
  };
  for (const site::Service& v : s.services) {
    for (const site::Endpoint& from : v.exposed_to) {
      if (covers(v.ports) && is_at(s, from, p.in, p.source, true) &&
          is_at(s, v.host, p.out, p.destination, false))
        return true;
    }
  }
  for (const site::Flow& f : s.flows) {
    if (covers(f.ports) && is_at(s, f.from, p.in, p.source, true) &&
        is_at(s, f.to, p.out, p.destination, false))
      return true;
  }
  return false;
}

// What the maps say: from the pair's chain through its maps.
bool maps_allow(const Ruleset& r, const Packet& p) {
  const Chain* chain = r.find_chain(p.in + "-to-" + p.out);
  if (chain == nullptr) return false;
  for (const Rule& rule : chain->rules) {
    const auto& lookup = std::get<VerdictMap>(rule.outcome);
    std::vector<Value> key;
    bool applies = true;
    for (const Field f : lookup.key) {
      const bool v4 = p.source.is_v4();
      applies &= info(f).family == 0 || info(f).family == (v4 ? 4 : 6);
      if (f == Field::ip_saddr || f == Field::ip6_saddr) key.push_back(Value::of_address(p.source));
      if (f == Field::ip_daddr || f == Field::ip6_daddr) key.push_back(Value::of_address(p.destination));
      if (f == Field::l4proto)
        key.push_back(Value::of_u8(p.transport == Transport::tcp ? kProtocolTcp : kProtocolUdp));
      if (f == Field::dport) key.push_back(Value::of_port(p.port));
    }
    if (!applies) continue;
    for (const Element& e : r.find_set(lookup.map)->elements) {
      bool inside = e.key.size() == key.size();
      for (std::size_t i = 0; inside && i < key.size(); ++i)
        inside = !(key[i] < e.key[i].first) && !(e.key[i].last < key[i]);
      if (inside) return rule_text(r.find_chain(e.verdict->chain)->rules.back()) == "counter accept";
    }
  }
  return false;
}

RC_GTEST_PROP(Build, TheMapsAllowExactlyWhatThePolicyGrants, ()) {
  site::Site s = two_zones();
  const auto endpoint = [] {
    return *rc::gen::element(at("outside"), at("inside"), at("inside", "a"), at("inside", "b"),
                             at(std::string(site::kGatehouse)));
  };
  const auto ports = [] {
    const auto first = *rc::gen::inRange<std::uint16_t>(1, 8);
    const auto last = static_cast<std::uint16_t>(first + *rc::gen::element(0, 0, 1, 3));
    return std::vector<site::PortRange>{port(*rc::gen::element(Transport::tcp, Transport::udp), first, last)};
  };
  const int services = *rc::gen::inRange(0, 4);
  for (int i = 0; i < services; ++i) {
    s.services.push_back(service("s" + std::to_string(i), endpoint(), ports(), {endpoint(), endpoint()}));
  }
  const int flows = *rc::gen::inRange(0, 4);
  for (int i = 0; i < flows; ++i) s.flows.push_back({endpoint(), endpoint(), ports(), "", {}});
  const auto r = build_ruleset(s);
  RC_ASSERT(r.has_value());
  const std::vector<std::string> sides = {"outside", "inside", std::string(site::kGatehouse)};
  const char* const texts[2][4] = {{"10.1.0.1", "10.1.0.2", "10.1.200.9", "203.0.113.1"},
                                   {"fd00:1::1", "fd00:1::2", "fd00:1::99", "2001:db8::1"}};
  for (const std::string& in : sides) {
    for (const std::string& out : sides) {
      if (in == site::kGatehouse && out == site::kGatehouse) continue;
      for (const auto& family : texts) {
        for (const char* source : family) {
          for (const char* destination : family) {
            for (std::uint16_t p = 1; p < 12; ++p) {
              for (const Transport t : {Transport::tcp, Transport::udp}) {
                const Packet packet{in, out, *IpAddress::parse(source), *IpAddress::parse(destination), t, p};
                RC_ASSERT(maps_allow(*r, packet) == policy_allows(s, packet));
              }
            }
          }
        }
      }
    }
  }
}

}  // namespace
}  // namespace gatehouse::fwctl
