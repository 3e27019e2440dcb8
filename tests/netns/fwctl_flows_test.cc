// Connections that are open while the policy becomes tighter: those it forbids end, all others keep their
// sockets.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <poll.h>
#include <sys/socket.h>

#include <optional>

#include "core/os.h"
#include "fwctl/control/end_flows.h"
#include "tests/netns/fwctl_network.h"

namespace gatehouse::test {
namespace {

using namespace fwctl;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::UnorderedElementsAre;

// A connection with both its ends.
struct Pair {
  core::UniqueFd client, server;

  static std::optional<Pair> open(const Namespace& from, const std::string& source, const Namespace& where,
                                  const std::string& to, std::uint16_t port) {
    Pair out;
    core::UniqueFd listener;
    where.enter([&] {
      listener.reset(socket(AF_INET6, SOCK_STREAM | SOCK_CLOEXEC, 0));
      const int on = 1;
      setsockopt(listener.get(), SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
      const SocketAddress any = SocketAddress::of(*core::IpAddress::parse("::"), port);
      if (bind(listener.get(), any.get(), any.size) != 0 || listen(listener.get(), 4) != 0) listener.reset();
    });
    if (!listener.valid()) return std::nullopt;
    auto client = dial(from, source, to, port);
    if (!client) return std::nullopt;
    out.client = std::move(*client);
    out.server.reset(accept4(listener.get(), nullptr, nullptr, SOCK_CLOEXEC));
    return out;
  }
  // What one end sends arrives at the other, within a second.
  static bool passes(const core::UniqueFd& from, const core::UniqueFd& to) {
    char byte = 'x';
    if (send(from.get(), &byte, 1, MSG_NOSIGNAL) != 1) return false;
    pollfd wait{to.get(), POLLIN, 0};
    return poll(&wait, 1, 1000) == 1 && recv(to.get(), &byte, 1, MSG_DONTWAIT) == 1;
  }
  bool works() const { return passes(client, server) && passes(server, client); }
};

class FwctlFlows : public FwctlNetwork {
 protected:
  EndedFlows end(const site::Site& site) {
    core::Result<EndedFlows> out = EndedFlows();
    topology_->gatehouse.enter([&] { out = end_forbidden_flows(*kernel_, site); });
    if (!out) ADD_FAILURE() << out.error().to_string();
    return out ? *out : EndedFlows();
  }
};

TEST_F(FwctlFlows, ExactlyTheForbiddenOnesEnd) {
  const site::Site wide = full_site();
  put(wide);
  const Topology& t = *topology_;
  const auto web = Pair::open(t.outside, "198.51.100.2", t.servers, "10.66.1.10", 80);
  const auto web6 = Pair::open(t.outside, "2001:db8:ff::2", t.servers, "fd66:1::10", 80);
  const auto mail = Pair::open(t.outside, "198.51.100.2", t.servers, "10.66.1.10", 25);
  const auto mail6 = Pair::open(t.outside, "2001:db8:ff::2", t.servers, "fd66:1::10", 25);
  const auto console = Pair::open(t.admin, "10.66.2.10", t.gatehouse, "10.66.2.1", 2222);
  const auto report = Pair::open(t.gatehouse, "10.66.3.1", t.soc, "10.66.3.10", 6514);
  for (const auto* p : {&web, &web6, &mail, &mail6, &console, &report}) ASSERT_TRUE(*p && (*p)->works());

  EXPECT_THAT(end(wide).ended, IsEmpty());
  for (const auto* p : {&web, &web6, &mail, &mail6, &console, &report}) EXPECT_TRUE((*p)->works());

  site::Site tight = wide;
  std::erase_if(tight.services, [](const site::Service& s) { return s.name == "mail"; });
  put(tight);
  EXPECT_TRUE(mail->works()) << "an established connection stays by itself: else this tests nothing";
  const EndedFlows ended = end(tight);
  EXPECT_THAT(ended.ended,
              UnorderedElementsAre(HasSubstr("> 10.66.1.10:25"), HasSubstr("> [fd66:1::10]:25")));
  EXPECT_EQ(ended.looked_at, 6U);
  // Neither end can make the connection anew, though TCP tracking takes up connections in the middle.
  for (const auto* p : {&mail, &mail6}) {
    EXPECT_FALSE(Pair::passes((*p)->server, (*p)->client));
    EXPECT_FALSE(Pair::passes((*p)->client, (*p)->server));
  }
  for (const auto* p : {&web, &web6, &console, &report}) EXPECT_TRUE((*p)->works());

  tight.flows.erase(tight.flows.begin());  // the gatehouse to the SOC
  std::erase_if(tight.services, [](const site::Service& s) { return s.name == "console"; });
  put(tight);
  EXPECT_THAT(end(tight).ended,
              UnorderedElementsAre(HasSubstr("> 10.66.2.1:2222"), HasSubstr("> 10.66.3.10:6514")));
  EXPECT_FALSE(Pair::passes(console->client, console->server));
  EXPECT_FALSE(Pair::passes(report->client, report->server));
  EXPECT_TRUE(web->works());
  EXPECT_TRUE(web6->works());
}

// Another table's drop counts as well; a rule that cannot be decided ends nothing.
TEST_F(FwctlFlows, WhatIsNotCertainStays) {
  put(full_site());
  const Topology& t = *topology_;
  const auto web = Pair::open(t.outside, "198.51.100.2", t.servers, "10.66.1.10", 80);
  ASSERT_TRUE(web && web->works());
  ASSERT_TRUE(
      t.gatehouse.run("nft add table ip other; nft add chain ip other f '{ type filter hook forward "
                      "priority 5; }'; nft add rule ip other f tcp dport 80 limit rate 1/day drop"));
  EXPECT_THAT(end(full_site()).ended, IsEmpty());
  ASSERT_TRUE(
      t.gatehouse.run("nft flush chain ip other f; nft add rule ip other f tcp dport 80 ct state new drop"));
  EXPECT_THAT(end(full_site()).ended, ElementsAre(HasSubstr("> 10.66.1.10:80")));
}

// The first packet of an answered connection goes by way of the gatehouse's own SYN.
TEST_F(FwctlFlows, AnsweredConnectionsAreJudgedByWhatIsSentForThem) {
  ASSERT_TRUE(topology_->gatehouse.run("echo 0 >/proc/sys/net/netfilter/nf_conntrack_tcp_loose"));
  site::Site site = full_site();
  site.services[0].syn_proxy.emplace();
  put(site);
  auto web = Pair::open(topology_->outside, "198.51.100.2", topology_->servers, "10.66.1.10", 80);
  auto web6 = Pair::open(topology_->outside, "2001:db8:ff::2", topology_->servers, "fd66:1::10", 443);
  ASSERT_TRUE(web && web6);
  ASSERT_TRUE(web->works() && web6->works());
  EXPECT_EQ(end(site).ended.size(), 0U);
  EXPECT_TRUE(web->works() && web6->works());
  std::erase_if(site.services[0].ports, [](const site::PortRange& p) { return p.first == 443; });
  put(site);
  EXPECT_EQ(end(site).ended.size(), 1U);
  EXPECT_TRUE(web->works());
  EXPECT_FALSE(web6->works());
}

}  // namespace
}  // namespace gatehouse::test
