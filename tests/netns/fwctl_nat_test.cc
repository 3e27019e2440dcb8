// Forwarded ports and hidden sources with real connections.
#include <gmock/gmock.h>

#include "tests/netns/fwctl_network.h"

namespace gatehouse::test {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

class FwctlNat : public FwctlNetwork {};

TEST_F(FwctlNat, ForwardedPortsLeadWhereTheySay) {
  const site::Site site = translating_site();
  put(site);
  EXPECT_EQ(proof(site), "holds");
  Listener https(topology_->servers, 443);
  Listener media(topology_->servers, 9005);
  Listener own(topology_->gatehouse, 8443);
  const auto reaches = [&](const Namespace& from, const char* source, const char* to, std::uint16_t port) {
    return dial(from, source, to, port,
                std::string_view(source).find(':') == std::string_view::npos ? 300 : 2500)
        .has_value();
  };
  EXPECT_TRUE(reaches(topology_->outside, "198.51.100.2", "198.51.100.1", 8443));
  EXPECT_THAT(https.accept_all(), ElementsAre("198.51.100.2")) << "the source stays what it is";
  EXPECT_TRUE(reaches(topology_->outside, "2001:db8:ff::2", "2001:db8:ff::1", 8443));
  EXPECT_THAT(https.accept_all(), ElementsAre("2001:db8:ff::2"));
  EXPECT_TRUE(reaches(topology_->outside, "198.51.100.2", "198.51.100.1", 9005));
  EXPECT_THAT(media.accept_all(), ElementsAre("198.51.100.2"));
  // What is behind a forwarded port is not open otherwise, nor is the port for others.
  EXPECT_FALSE(reaches(topology_->outside, "198.51.100.2", "10.66.1.10", 9005));
  EXPECT_FALSE(reaches(topology_->outside, "198.51.100.2", "198.51.100.1", 9011));
  EXPECT_FALSE(reaches(topology_->outside, "198.51.100.2", "198.51.100.1", 443));
  EXPECT_FALSE(reaches(topology_->soc, "10.66.3.10", "198.51.100.1", 8443));
  EXPECT_THAT(own.accept_all(), IsEmpty()) << "the gatehouse itself is not meant";
}

// A forwarded connection is one to the service, within its limits.
TEST_F(FwctlNat, ForwardedPortsHaveTheLimitsOfTheService) {
  site::Site site = translating_site();
  site.services[0].limit.emplace();
  site.services[0].limit->open_by_source = 2;
  put(site);
  EXPECT_EQ(proof(site), "holds");
  Listener https(topology_->servers, 443);
  std::vector<core::UniqueFd> kept;
  for (int i = 0; i < 4; ++i) {
    if (auto fd = dial(topology_->outside, "198.51.100.2", "198.51.100.1", 8443, 150))
      kept.push_back(std::move(*fd));
  }
  EXPECT_EQ(kept.size(), 2U);
  EXPECT_FALSE(dial(topology_->outside, "198.51.100.2", "10.66.1.10", 443, 150)) << "they count together";
}

TEST_F(FwctlNat, SourcesAreHidden) {
  const site::Site site = translating_site();
  put(site);
  Listener outside(topology_->outside, 443);
  Listener soc(topology_->soc, 7000);
  const auto kept = dial(topology_->servers, "10.66.1.10", "198.51.100.2", 443);
  EXPECT_TRUE(kept);
  EXPECT_THAT(outside.accept_all(), ElementsAre("198.51.100.1"));
  const auto kept6 = dial(topology_->servers, "fd66:1::10", "2001:db8:ff::2", 443, 2500);
  EXPECT_TRUE(kept6);
  EXPECT_THAT(outside.accept_all(), ElementsAre("fd66:1::10")) << "only IPv4 is masqueraded";
  const auto inside = dial(topology_->servers, "10.66.1.10", "10.66.3.10", 7000);
  EXPECT_TRUE(inside);
  EXPECT_THAT(soc.accept_all(), ElementsAre("10.66.1.10")) << "towards another zone nothing is hidden";
}

// What the proof must find, each way.
TEST_F(FwctlNat, AnotherTranslationIsADifference) {
  const site::Site site = translating_site();
  const auto changed = [&](const std::function<void(fwctl::KernelTable&)>& how) {
    fwctl::KernelTable table = table_of(site);
    how(table);
    put(table);
    return proof(site);
  };
  const auto chain = [](fwctl::KernelTable& t, std::string_view name) -> fwctl::KernelChain& {
    for (fwctl::KernelChain& c : t.chains) {
      if (c.name == name) return c;
    }
    std::abort();
  };
  EXPECT_EQ(changed([](auto&) {}), "holds");
  EXPECT_THAT(changed([&](auto& t) { chain(t, "hide-sources").rules.clear(); }),
              HasSubstr("the policy hides its source, the ruleset does not"));
  EXPECT_THAT(changed([&](auto& t) {
                chain(t, "forward-ports").rules.erase(chain(t, "forward-ports").rules.begin());
              }),
              HasSubstr("> 198.51.100.1:8443"));
  // To another host, to another port.
  const auto redirect = [&](std::size_t size, std::uint8_t last) {
    return changed([&](auto& t) {
      for (fwctl::Expression& e : chain(t, "forward-ports").rules[0].expressions) {
        auto* constant = std::get_if<fwctl::Constant>(&e);
        if (constant != nullptr && constant->data.size() == size) constant->data.back() = last;
      }
    });
  };
  EXPECT_THAT(redirect(4, 77), HasSubstr("> 198.51.100.1:8443"));
  EXPECT_THAT(redirect(2, 25), HasSubstr("differs"));
  // A host that must not be reached is not reached by way of the gatehouse either.
  site::Site strict = site;
  strict.assertions.emplace_back();
  site::Assertion& a = strict.assertions.back();
  a.from.zone = "outside";
  a.to = site.nat.forwards[0].to;
  a.ports = {site.services[0].ports[0], site.services[0].ports[1], site.services[1].ports[0]};
  a.text = "internet cannot reach servers/front except 80, 443, 25";
  put(site);
  EXPECT_THAT(proof(strict), HasSubstr("it should not pass, and does"));
}

}  // namespace
}  // namespace gatehouse::test
