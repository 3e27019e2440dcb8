// What hosts are for: learned from long and wide practice, not by asking for it.
#include <gtest/gtest.h>

#include "ids/anomaly/testing_lab.h"

namespace gatehouse::ids::anomaly {
namespace {

using namespace testing;

constexpr std::uint32_t kOutside = 0xc0000200;  // 192.0.2.0, and a /24 for each further 256

// So many answered queries a minute, each time of other networks.
void resolve(Lab& lab, int minutes, std::uint32_t each, std::uint32_t networks) {
  for (int minute = 0; minute < minutes; ++minute) {
    for (std::uint32_t i = 0; i < each; ++i) {
      const std::uint32_t server =
          kOutside + (static_cast<std::uint32_t>(minute) * each + i) % networks * 256;
      lab.udp(Contact::udp_attempt, kServer, server, 53, static_cast<std::uint16_t>(2000 + i));
      lab.udp(Contact::udp_answered, kServer, server, 53, static_cast<std::uint16_t>(2000 + i));
    }
    lab.wait(60 * kSecond);
  }
}

// Name servers that are gone, all at once.
void dead_servers(Lab& lab, std::uint16_t port = 53) {
  for (std::uint32_t i = 0; i < 800; ++i) {  // many more than ever answered
    const std::uint32_t server = kOutside + 0x100000 + i * 256;
    lab.probe(kServer, server, port, static_cast<std::uint16_t>(3000 + i));
    lab.wait(20 * kMs);
  }
}

TEST(Roles, AResolverMayFindItsServersDead) {
  Lab stranger, resolver;
  dead_servers(stranger);
  EXPECT_EQ(stranger.starts(), 1u);
  resolve(resolver, 12, 8, 80);
  dead_servers(resolver);
  EXPECT_TRUE(resolver.found.empty()) << resolver.names();
}

TEST(Roles, AResolverThatScansIsAScanner) {
  Lab lab;
  resolve(lab, 12, 8, 80);
  dead_servers(lab, 445);
  EXPECT_EQ(lab.starts(), 1u) << lab.names();
}

// Few partners, or much in a short time, teach nothing.
TEST(Roles, AreNotTaughtCheaply) {
  struct Row {
    const char* name;
    int minutes;
    std::uint32_t each, networks;
  };
  for (const Row& row :
       {Row{"three accomplices for an hour", 60, 8, 3}, Row{"many in three minutes", 3, 100, 80},
        Row{"many queries, twenty networks", 20, 50, 20}}) {
    Lab lab;
    resolve(lab, row.minutes, row.each, row.networks);
    dead_servers(lab);
    EXPECT_EQ(lab.starts(), 1u) << row.name;
  }
}

TEST(Roles, LapseWhenTheyAreNotLived) {
  Lab lab;
  resolve(lab, 12, 8, 80);
  lab.now += 26 * 3600 * kSecond;
  lab.monitor().advance(lab.now);
  dead_servers(lab);
  EXPECT_EQ(lab.starts(), 1u) << lab.names();
}

// Another role that goes on keeps none alive, and what was learned before it lapsed does not count again.
TEST(Roles, LapseEachOnItsOwn) {
  Lab lab;
  resolve(lab, 12, 8, 80);
  for (std::uint16_t minute = 0; minute < 26 * 60; ++minute) {  // it answers as a time server, on and on
    lab.udp(Contact::udp_attempt, kOutside, kServer, 123, minute);
    lab.udp(Contact::udp_answered, kOutside, kServer, 123, minute);
    lab.wait(60 * kSecond);
  }
  resolve(lab, 1, 8, 80);
  dead_servers(lab);
  EXPECT_EQ(lab.starts(), 1u) << lab.names();
}

void deliver(Lab& lab, std::uint32_t server) {
  Observation o = lab.make(Contact::tcp_closed, IpAddress::v4(kServer), IpAddress::v4(server), 25);
  o.service = Service::smtp;
  o.value = o.detail = 900;
  lab.tell(o);
}

TEST(Roles, ARelayMayBeRefused) {
  Lab lab;
  for (std::uint32_t minute = 0; minute < 12; ++minute) {
    for (std::uint32_t i = 0; i < 6; ++i) deliver(lab, kOutside + (minute * 6 + i) * 256);
    lab.wait(60 * kSecond);
  }
  dead_servers(lab, 25);
  EXPECT_TRUE(lab.found.empty()) << lab.names();
}

void peers(Lab& lab, std::uint16_t base, std::uint16_t spread) {
  for (std::uint32_t minute = 0; minute < 12; ++minute) {
    for (std::uint32_t i = 0; i < 5; ++i) {
      const std::uint32_t n = minute * 5 + i;
      lab.udp(Contact::udp_attempt, kServer, kOutside + n * 256, static_cast<std::uint16_t>(20000 + n * 7),
              static_cast<std::uint16_t>(base + n % spread));
      lab.udp(Contact::udp_answered, kServer, kOutside + n * 256, static_cast<std::uint16_t>(20000 + n * 7),
              static_cast<std::uint16_t>(base + n % spread));
    }
    lab.wait(60 * kSecond);
  }
  lab.wait(600 * kSecond);
  for (std::uint32_t i = 0; i < 800; ++i) {
    lab.probe(kServer, kOutside + 0x100000 + i * 256, static_cast<std::uint16_t>(30000 + i * 11), 6881);
    lab.wait(20 * kMs);
  }
}

TEST(Roles, PeersComeAndGo) {
  Lab peer, stranger;
  peers(peer, 6881, 1);
  EXPECT_TRUE(peer.found.empty()) << peer.names();
  peers(stranger, 6881, 500);  // a port for each: no peer
  EXPECT_GE(stranger.starts(), 1u);
  // Ports of one host are a scan, whoever does it.
  for (std::uint16_t port = 1; port < 200; ++port) peer.probe(kServer, kOutside + 0x300000, port, 6881);
  EXPECT_EQ(peer.starts(), 1u) << peer.names();
}

TEST(Roles, ATimeServerMayStall) {
  const auto stall = [](Lab& lab, std::uint32_t per_second) {
    for (std::uint32_t i = 0; i < per_second * 4; ++i) {
      lab.udp(Contact::udp_attempt, kOutside + i % 900 * 256, kServer, 123, static_cast<std::uint16_t>(i));
      lab.now += kSecond / per_second;
      lab.monitor().advance(lab.now);
    }
  };
  const auto serve = [](Lab& lab) {
    for (std::uint32_t n = 0; n < 120; ++n) {
      lab.udp(Contact::udp_attempt, kOutside + n % 100 * 256, kServer, 123, static_cast<std::uint16_t>(n));
      lab.udp(Contact::udp_answered, kOutside + n % 100 * 256, kServer, 123, static_cast<std::uint16_t>(n));
      lab.wait(6 * kSecond);
    }
  };
  Lab server, stranger, flooded;
  stall(stranger, 400);
  EXPECT_EQ(stranger.count(Verdict::udp_flood), 1u);
  serve(server);
  stall(server, 400);
  EXPECT_TRUE(server.found.empty()) << server.names();
  serve(flooded);
  stall(flooded, 2000);
  EXPECT_EQ(flooded.count(Verdict::udp_flood), 1u);
}

// What a monitor watches may go down together: it answered before.
TEST(Roles, AMonitorKnowsWhatItWatches) {
  const auto ping = [](Lab& lab, std::uint32_t host, bool answered) {
    lab.ping(Contact::ping, kAttacker, host);
    if (answered) lab.ping(Contact::ping_answered, kAttacker, host);
  };
  Lab monitor, stranger;
  for (std::uint32_t host = 0; host < 40; ++host) ping(monitor, kServer + host, true);
  monitor.wait(60 * kSecond);
  for (Lab* lab : {&monitor, &stranger}) {
    for (std::uint32_t host = 0; host < 40; ++host) ping(*lab, kServer + host, false);
    lab->wait(5 * kSecond);
  }
  EXPECT_TRUE(monitor.found.empty()) << monitor.names();
  EXPECT_EQ(stranger.count(Verdict::scan_sweep), 1u);
}

// A gateway has twice the patience of everybody, no more, and an hour of real use is what it costs.
TEST(Roles, BehindAGatewayAreMany) {
  const auto use = [](Lab& lab, int minutes) {
    std::uint16_t port = 1024;
    for (int minute = 0; minute < minutes; ++minute) {
      for (int i = 0; i < 90; ++i) {
        lab.connect(kAttacker, kServer + 50, 443, ++port);
        Observation o =
            lab.make(Contact::tcp_closed, IpAddress::v4(kAttacker), IpAddress::v4(kServer + 50), 443, port);
        o.value = o.detail = 3000;
        lab.tell(o);
      }
      lab.wait(60 * kSecond);
    }
  };
  const auto probes = [](Lab& lab, std::uint16_t count) {
    for (std::uint16_t port = 1; port <= count; ++port) {
      lab.probe(kAttacker, kServer, port);
      lab.wait(kMs);
    }
  };
  Lab gateway, young;
  use(gateway, 62);
  probes(gateway, 14);
  EXPECT_TRUE(gateway.found.empty()) << gateway.names();
  probes(gateway, 17);
  EXPECT_EQ(gateway.count(Verdict::scan_vertical), 1u);
  use(young, 20);
  probes(young, 9);
  EXPECT_EQ(young.count(Verdict::scan_vertical), 1u);
}

TEST(Roles, SurviveARestart) {
  Lab before, after;
  resolve(before, 12, 8, 80);
  ASSERT_TRUE(after.monitor().restore(before.monitor().save()));
  after.now = before.now;
  dead_servers(after);
  EXPECT_TRUE(after.found.empty()) << after.names();
}

}  // namespace
}  // namespace gatehouse::ids::anomaly
