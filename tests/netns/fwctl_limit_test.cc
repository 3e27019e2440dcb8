// Limits of connections with real ones: of each source, of a service, of all services.
#include <unistd.h>

#include "tests/netns/fwctl_network.h"

namespace gatehouse::test {
namespace {

using Fds = std::vector<core::UniqueFd>;

class FwctlLimit : public FwctlNetwork {
 protected:
  void SetUp() override {
    FwctlNetwork::SetUp();
    if (!topology_) return;
    ASSERT_TRUE(
        topology_->outside.run("ip addr add 198.51.100.3/24 dev eth0\n"
                               "ip -6 addr add 2001:db8:ff::3/64 dev eth0 nodad"));
    for (const std::uint16_t port : {22, 25, 80}) listeners_.emplace_back(topology_->servers, port);
  }
  // How many of `tries` connections are made; they stay open in `kept`.
  int connections(const std::string& source, std::uint16_t port, int tries, Fds& kept) {
    const bool v4 = source.find(':') == std::string::npos;
    const Namespace& from = source.starts_with("10.66.2.") ? topology_->admin : topology_->outside;
    int out = 0;
    for (int i = 0; i < tries; ++i) {
      auto fd = dial(from, source, v4 ? "10.66.1.10" : "fd66:1::10", port, 150);
      if (!fd) continue;
      ++out;
      kept.push_back(std::move(*fd));
    }
    return out;
  }
  // Both ends of every connection are gone, for connection tracking too.
  void hang_up(Fds& kept) {
    for (Listener& l : listeners_) (void)l.accept_all();
    kept.clear();
    usleep(50'000);
    for (Listener& l : listeners_) l.close_accepted();
    usleep(50'000);
  }
  static site::Site limited(const site::ConnectionLimit& limit) {
    site::Site out = full_site();
    out.services[0].limit = limit;
    return out;
  }

  std::vector<Listener> listeners_;
};

TEST_F(FwctlLimit, OpenConnectionsOfEachSource) {
  site::ConnectionLimit limit;
  limit.open_by_source = 3;
  const site::Site site = limited(limit);
  put(site);
  EXPECT_EQ(proof(site), "holds");
  Fds kept;
  EXPECT_EQ(connections("198.51.100.2", 80, 5, kept), 3);
  EXPECT_EQ(connections("198.51.100.3", 80, 5, kept), 3) << "another source has its own";
  // A host has all addresses of its IPv6 network.
  EXPECT_EQ(connections("2001:db8:ff::2", 80, 2, kept), 2);
  EXPECT_EQ(connections("2001:db8:ff::3", 80, 3, kept), 1);
  EXPECT_EQ(connections("198.51.100.2", 25, 4, kept), 4) << "mail has no such limit";
  EXPECT_EQ(proof(site), "holds") << "what the sets hold changes nothing";
  // In force already: nothing is done, and nobody's count begins anew.
  auto again = fwctl::plan_against(*kernel_, table_of(site));
  ASSERT_TRUE(again);
  EXPECT_TRUE(again->plan.empty()) << fwctl::print_plan(again->plan);
  put(site);
  EXPECT_EQ(connections("198.51.100.2", 80, 1, kept), 0);
  hang_up(kept);
  EXPECT_EQ(connections("198.51.100.2", 80, 3, kept), 3) << "closed connections count no longer";
}

TEST_F(FwctlLimit, NewConnectionsOfEachSource) {
  site::ConnectionLimit limit;
  limit.opened_by_source = {1, 3600, 4};
  limit.source_v4 = 31;  // .2 and .3 are one
  limit.source_v6 = 128;
  const site::Site site = limited(limit);
  put(site);
  EXPECT_EQ(proof(site), "holds");
  Fds kept;
  EXPECT_EQ(connections("198.51.100.2", 80, 3, kept), 3);
  EXPECT_EQ(connections("198.51.100.3", 80, 3, kept), 1);
  EXPECT_EQ(connections("2001:db8:ff::2", 80, 5, kept), 4);
  EXPECT_EQ(connections("2001:db8:ff::3", 80, 5, kept), 4);
  hang_up(kept);
  EXPECT_EQ(connections("198.51.100.2", 80, 2, kept), 0) << "a rate is not given back by hanging up";
}

TEST_F(FwctlLimit, AllSourcesTogether) {
  site::ConnectionLimit limit;
  limit.open = 4;
  limit.opened = {1, 3600, 6};
  const site::Site site = limited(limit);
  put(site);
  EXPECT_EQ(proof(site), "holds");
  Fds kept;
  EXPECT_EQ(connections("198.51.100.2", 80, 3, kept), 3);
  EXPECT_EQ(connections("198.51.100.3", 80, 2, kept), 1);
  hang_up(kept);
  EXPECT_EQ(connections("198.51.100.3", 80, 4, kept), 1) << "six were opened in all, one of them refused";
}

TEST_F(FwctlLimit, AllServicesTogetherButAdministration) {
  site::Site site = full_site();
  site.services[2].ssh = true;
  site.firewall.limit.emplace();
  site.firewall.limit->open = 4;
  put(site);
  EXPECT_EQ(proof(site), "holds");
  Fds kept;
  EXPECT_EQ(connections("198.51.100.2", 80, 3, kept), 3);
  EXPECT_EQ(connections("198.51.100.2", 25, 3, kept), 1);
  EXPECT_EQ(connections("10.66.2.10", 22, 3, kept), 3);
}

TEST_F(FwctlLimit, AFullSetLimitsThoseItHasSeen) {
  site::ConnectionLimit limit;
  limit.open_by_source = 1;
  site::Site site = limited(limit);
  site.firewall.sources_remembered = 1;
  put(site);
  Fds kept;
  EXPECT_EQ(connections("198.51.100.2", 80, 2, kept), 1);
  EXPECT_EQ(connections("198.51.100.3", 80, 3, kept), 3) << "a set that is full limits no new source";
}

// Every way to change a limit by hand is a difference.
TEST_F(FwctlLimit, AnotherLimitIsADifference) {
  site::ConnectionLimit limit;
  limit.opened = {200, 1, 50};
  limit.opened_by_source = {20, 60, 20};
  limit.open = 500;
  limit.open_by_source = 10;
  const site::Site site = limited(limit);
  put(site);
  ASSERT_EQ(proof(site), "holds");
  const auto change = [&](const std::function<void(site::ConnectionLimit&)>& how) {
    site::ConnectionLimit other = limit;
    how(other);
    put(limited(other));
    return proof(site);
  };
  const std::string rates = "the rates that limit it differ";
  EXPECT_NE(change([](auto& l) { l.opened.count = 201; }).find(rates), std::string::npos);
  EXPECT_NE(change([](auto& l) { l.opened.unit_s = 60; }).find(rates), std::string::npos);
  EXPECT_NE(change([](auto& l) { l.opened_by_source.burst = 21; }).find(rates), std::string::npos);
  EXPECT_NE(change([](auto& l) { l.opened_by_source.count = 0; }).find(rates), std::string::npos);
  EXPECT_NE(change([](auto& l) { l.open = 501; }).find(rates), std::string::npos);
  EXPECT_NE(change([](auto& l) { l.open_by_source = 11; }).find(rates), std::string::npos);
  EXPECT_NE(change([](auto& l) { l.source_v4 = 24; }).find(rates), std::string::npos);
  EXPECT_NE(change([](auto& l) { l.source_v6 = 48; }).find(rates), std::string::npos);
}

}  // namespace
}  // namespace gatehouse::test
