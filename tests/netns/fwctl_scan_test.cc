// What a scan from outside finds: exactly what the policy exposes.
#include <fmt/format.h>
#include <unistd.h>

#include <atomic>
#include <thread>

#include "fwctl/prove/policy.h"
#include "tests/netns/fwctl_command.h"
#include "tests/netns/fwctl_network.h"
#include "tests/netns/fwctl_packets.h"

namespace gatehouse::test {
namespace {

using Ports = std::set<std::uint16_t>;
constexpr std::uint16_t kScanner = 40'000;
constexpr std::uint16_t kUdp[] = {53, 123, 161, 514};

// Answers every datagram with itself.
class Echo {
 public:
  Echo(const Namespace& where, const std::vector<std::uint16_t>& ports) {
    where.enter([&] {
      for (const std::uint16_t port : ports) {
        sockets_.emplace_back(socket(AF_INET6, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0));
        const SocketAddress at = SocketAddress::of(*core::IpAddress::parse("::"), port);
        if (bind(sockets_.back().get(), at.get(), at.size) != 0) ADD_FAILURE() << "cannot bind " << port;
      }
    });
    thread_ = std::thread([this] {
      std::vector<pollfd> all;
      for (const core::UniqueFd& s : sockets_) all.push_back({s.get(), POLLIN, 0});
      while (!stop_) {
        (void)poll(all.data(), all.size(), 20);
        for (const core::UniqueFd& s : sockets_) answer(s.get());
      }
    });
  }
  ~Echo() {
    stop_ = true;
    thread_.join();
  }

 private:
  static void answer(int fd) {
    char bytes[512];
    sockaddr_storage from{};
    socklen_t size = sizeof from;
    for (ssize_t n = 0;
         (n = recvfrom(fd, bytes, sizeof bytes, 0, reinterpret_cast<sockaddr*>(&from), &size)) >= 0;
         size = sizeof from)
      (void)sendto(fd, bytes, static_cast<std::size_t>(n), 0, reinterpret_cast<const sockaddr*>(&from), size);
  }
  std::vector<core::UniqueFd> sockets_;
  std::atomic<bool> stop_ = false;
  std::thread thread_;
};

class FwctlScan : public FwctlNetwork {
 protected:
  void SetUp() override {
    FwctlNetwork::SetUp();
    if (!topology_) return;
    for (const std::uint16_t port : {22, 25, 80, 443, 3306, 8080})
      listeners_.emplace_back(topology_->servers, port);
    sender_.emplace(topology_->outside, "eth0");
    gateway_ = mac_of(topology_->gatehouse, "wan0");
    // So that nobody has to look for his neighbours first.
    for (const Pair& p : kPairs) ASSERT_TRUE(dial(topology_->outside, p.from, p.server, 22, 5000));
  }
  // The ports from which anything of TCP or UDP came back, of those asked.
  Ports answering(const char* from, const char* to, const Ports& asked, std::uint8_t flags,
                  bool udp = false) {
    Watcher watcher = Watcher::on_wire(topology_->outside);
    std::size_t sent = 0;
    for (const std::uint16_t port : asked) {
      sender_->send(gateway_,
                    udp ? udp_packet(from, to, kScanner, port) : tcp_packet(from, to, kScanner, port, flags));
      if (++sent % 256 == 0) watcher.drain();
    }
    usleep(200'000);
    watcher.drain();
    Ports out;
    for (const std::uint16_t port : asked) {
      if (watcher.saw_port(port)) out.insert(port);
    }
    return out;
  }
  static Ports all_ports(std::uint32_t last) {
    Ports out;
    for (std::uint32_t p = 1; p <= last; ++p) {
      if (p != kScanner) out.insert(static_cast<std::uint16_t>(p));
    }
    return out;
  }
  struct Pair {
    const char *from, *server, *gatehouse;
  };
  static constexpr Pair kPairs[] = {{"198.51.100.2", "10.66.1.10", "198.51.100.1"},
                                    {"2001:db8:ff::2", "fd66:1::10", "2001:db8:ff::1"}};

  // The networks around the gatehouse, each with its interface there and a host.
  struct Side {
    const Namespace* where;
    const char *interface, *v4, *v6;
  };
  std::vector<Side> all_sides() const {
    return {{&topology_->outside, "wan0", "198.51.100.2", "2001:db8:ff::2"},
            {&topology_->servers, "srv0", "10.66.1.10", "fd66:1::10"},
            {&topology_->admin, "adm0", "10.66.2.10", "fd66:2::10"},
            {&topology_->soc, "soc0", "10.66.3.10", "fd66:3::10"}};
  }
  // Whether a link address is had for `to` by who asks in network `from`, as if both were on one link.
  static bool is_neighbour(const Side& from, const std::string& source, const std::string& to, int wait_ms) {
    const bool v4 = to.find(':') == std::string::npos;
    const std::string route = fmt::format("{}/{} dev eth0", to, v4 ? 32 : 128);
    EXPECT_TRUE(from.where->run(fmt::format("ip {} route add {}", v4 ? "-4" : "-6", route)));
    (void)dial(*from.where, source, to, 1, wait_ms);
    const bool known = from.where->run(fmt::format("ip neigh show {} dev eth0 | grep -q lladdr", to));
    EXPECT_TRUE(from.where->run(fmt::format("ip {} route del {}", v4 ? "-4" : "-6", route)));
    return known;
  }

  std::vector<Listener> listeners_;
  std::optional<FrameSender> sender_;
  Mac gateway_{};
};

TEST_F(FwctlScan, EveryTcpPortIsAskedAndThreeAnswer) {
  // Without a policy closed ports answer as well: the scan would see them.
  EXPECT_EQ(answering(kPairs[0].from, kPairs[0].server, {25, 9999}, kSyn), (Ports{25, 9999}));
  put(full_site());
  const Ports exposed = {25, 80, 443};
  for (const Pair& p : kPairs) {
    EXPECT_EQ(answering(p.from, p.server, all_ports(65'535), kSyn), exposed) << p.server;
    EXPECT_EQ(answering(p.from, p.gatehouse, all_ports(4096), kSyn), Ports{}) << p.gatehouse;
  }
}

TEST_F(FwctlScan, WhatBeginsNoConnectionIsNotAnswered) {
  const std::uint8_t kXmas = kFin | kPsh | kUrg;
  for (const bool answered : {false, true}) {
    site::Site site = full_site();
    if (answered) {
      site.services[0].syn_proxy.emplace();
      ASSERT_TRUE(topology_->gatehouse.run("echo 0 >/proc/sys/net/netfilter/nf_conntrack_tcp_loose"));
    }
    put(site);
    for (const Pair& p : kPairs) {
      for (const std::uint8_t flags : {kAck, std::uint8_t{0}, kFin, kXmas, std::uint8_t{kSyn | kFin}}) {
        EXPECT_EQ(answering(p.from, p.server, all_ports(1024), flags), Ports{})
            << p.server << " flags " << int{flags} << (answered ? " with a SYN proxy" : "");
      }
    }
  }
}

TEST_F(FwctlScan, UdpServersBehindItHearNothing) {
  const Echo echo(topology_->servers, {std::begin(kUdp), std::end(kUdp)});
  const Ports asked(std::begin(kUdp), std::end(kUdp));
  for (const Pair& p : kPairs)
    EXPECT_EQ(answering(p.from, p.server, asked, 0, true), asked) << "without a policy they answer";
  put(full_site());
  for (const Pair& p : kPairs) {
    EXPECT_EQ(answering(p.from, p.server, asked, 0, true), Ports{}) << p.server;
    EXPECT_EQ(answering(p.from, p.gatehouse, asked, 0, true), Ports{}) << p.gatehouse;
  }
}

TEST_F(FwctlScan, SpoofedSourcesAreCountedApart) {
  put(full_site());
  const auto spoofed = [&] {
    const auto live = kernel_->read("gatehouse");
    return live && live->table ? fwctl::spoofed_in(*live->table) : fwctl::SpoofedCount{};
  };
  FrameSender sender(topology_->outside, "eth0");
  const Mac gateway = mac_of(topology_->gatehouse, "wan0");
  const auto send = [&](int times, const char* from, const char* to, std::uint16_t port) {
    for (int i = 0; i < times; ++i) sender.send(gateway, tcp_packet(from, to, kScanner, port, kSyn));
  };
  const fwctl::SpoofedCount before = spoofed();
  send(30, "198.51.100.2", "10.66.1.10", 80);
  send(20, "10.66.2.10", "10.66.1.10", 22);  // the administration host
  send(10, "fd66:2::10", "fd66:1::10", 22);  // and over IPv6
  send(7, "240.0.0.1", "10.66.1.10", 80);    // the default route leads there
  const fwctl::SpoofedCount after = spoofed();
  EXPECT_EQ(after.no_route_back - before.no_route_back, 30U);
  // Listener reports of hosts are refused there, too: they come when they come.
  EXPECT_GE(after.not_its_place - before.not_its_place, 7U);
  EXPECT_LE(after.not_its_place - before.not_its_place, 7U + 20);
  const Output status =
      run_inside(topology_->gatehouse, "GATEHOUSE_STATE=/nowhere GATEHOUSE_RUN=/nowhere",
                 std::string(GATEHOUSE_FWCTL) + " status; " + GATEHOUSE_FWCTL + " status --json");
  EXPECT_NE(status.text.find("spoofed sources: 30 packets without a route back, "), std::string::npos)
      << status.text;
  EXPECT_NE(status.text.find("\"spoofed\":{\"no_route_back\":30,\"not_its_place\":"), std::string::npos)
      << status.text;
}

// Every network to every other one, over both families and protocols: what arrives is what the policy says.
TEST_F(FwctlScan, NetworksReachEachOtherAsThePolicySays) {
  const std::vector<Side> sides = all_sides();
  Ports asked = all_ports(1024);
  for (const std::uint16_t more :
       {2222, 3306, 5353, 6514, 6515, 7000, 8080, 8999, 9000, 9005, 9010, 9011, 65'535})
    asked.insert(more);
  for (const Side& s : sides) {
    // Nothing is in force yet: whoever answers a connection has found his neighbours.
    for (const Side& t : sides) {
      for (const bool v4 : {true, false}) {
        if (&s != &t) (void)dial(*s.where, v4 ? s.v4 : s.v6, v4 ? t.v4 : t.v6, 1, 20);
      }
    }
  }
  const site::Site site = full_site();
  put(site);
  std::size_t open = 0;
  for (const Side& from : sides) {
    FrameSender sender(*from.where, "eth0");
    const Mac gateway = mac_of(topology_->gatehouse, from.interface);
    for (const Side& to : sides) {
      if (&from == &to) continue;
      for (const bool udp : {false, true}) {
        for (const bool v4 : {true, false}) {
          const std::string source = v4 ? from.v4 : from.v6;
          const std::string target = v4 ? to.v4 : to.v6;
          Watcher watcher = Watcher::on_wire(*to.where);
          Ports wanted, arrived;
          std::uint16_t sport = 10'000;
          for (const std::uint16_t port : asked) {
            ++sport;
            sender.send(gateway, udp ? udp_packet(source, target, sport, port)
                                     : tcp_packet(source, target, sport, port, kSyn));
            const std::string at = v4 ? "{}:{}" : "[{}]:{}";
            const auto packet = fwctl::prove::parse_packet(
                fmt::format("in {} out {} {} {} > {} {}", from.interface, to.interface, udp ? "udp" : "tcp",
                            fmt::format(fmt::runtime(at), source, sport),
                            fmt::format(fmt::runtime(at), target, port), udp ? "" : "SYN"),
                [](const std::string& name) { return name; });
            ASSERT_TRUE(packet) << packet.error().to_string();
            if (fwctl::prove::opinion_on(site, *packet).accept) wanted.insert(sport);
            if (sport % 256 == 0) watcher.drain();
          }
          usleep(50'000);
          watcher.drain();
          for (std::uint16_t p = 10'001; p <= sport; ++p) {
            if (watcher.saw_port(p)) arrived.insert(p);
          }
          EXPECT_EQ(arrived, wanted) << source << " to " << target << (udp ? " udp" : " tcp");
          open += wanted.size();
        }
      }
    }
  }
  EXPECT_EQ(open, 2U * 13) << "two families of what full_site() opens between networks";
}

// Below IP the networks are apart as well: the gatehouse is no bridge, and answers for nobody behind it.
TEST_F(FwctlScan, NobodyHasTheLinkAddressOfAHostBehindTheGatehouse) {
  put(full_site());
  const std::vector<Side> sides = all_sides();
  for (const Side& from : sides) {
    for (const Side& to : sides) {
      if (&from == &to) continue;
      EXPECT_FALSE(is_neighbour(from, from.v4, to.v4, 50)) << from.interface << " to " << to.v4;
      EXPECT_FALSE(is_neighbour(from, from.v6, to.v6, 50)) << from.interface << " to " << to.v6;
    }
  }
  // A gatehouse that does answer is seen.
  ASSERT_TRUE(
      topology_->gatehouse.run("echo 1 > /proc/sys/net/ipv4/conf/wan0/proxy_arp;"
                               "echo 0 > /proc/sys/net/ipv4/neigh/wan0/proxy_delay;"
                               "echo 1 > /proc/sys/net/ipv6/conf/wan0/proxy_ndp;"
                               "echo 0 > /proc/sys/net/ipv6/neigh/wan0/proxy_delay;"
                               "ip -6 neigh add proxy fd66:1::10 dev wan0"));
  EXPECT_TRUE(is_neighbour(sides[0], sides[0].v4, sides[1].v4, 3000));
  EXPECT_TRUE(is_neighbour(sides[0], sides[0].v6, sides[1].v6, 3000));
}

}  // namespace
}  // namespace gatehouse::test
