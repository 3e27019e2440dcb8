#include <gtest/gtest.h>

#include <tuple>

#include "ids/anomaly/testing_lab.h"

namespace gatehouse::ids::anomaly {
namespace {

using namespace testing;

TEST(SourceScan, VerticalScanOfRefusedPortsIsSeenAtTheEighth) {
  Lab lab;
  for (std::uint16_t port = 1; port <= 9; ++port) {
    lab.probe(kAttacker, kServer, port);
    lab.wait(kMs);
  }
  ASSERT_EQ(lab.found.size(), 1u);
  EXPECT_EQ(lab.found[0].verdict, Verdict::scan_vertical);
  EXPECT_EQ(lab.found[0].source, "198.51.100.1");
  EXPECT_EQ(lab.found[0].target, "10.0.0.1");
}

TEST(SourceScan, ZonesDecideHowSoon) {
  for (const auto& [percent, ports] : {std::pair{50U, 4}, std::pair{100U, 8}, std::pair{200U, 16}}) {
    AnomalyConfig config;
    config.zones = {{*core::IpPrefix::parse("10.0.0.0/24"), percent},
                    {*core::IpPrefix::parse("0.0.0.0/0"), 1000}};
    Lab lab(config);
    for (std::uint16_t port = 1; port < ports; ++port) {
      lab.probe(kAttacker, kServer, port);
      lab.wait(kMs);
    }
    EXPECT_EQ(lab.starts(), 0u) << percent;
    lab.probe(kAttacker, kServer, 1000);
    EXPECT_EQ(lab.starts(), 1u) << percent;
  }
}

TEST(SourceScan, SourcesOfBothVersions) {
  Lab lab;
  const IpAddress attacker = *IpAddress::parse("2001:db8::66");
  const IpAddress server = *IpAddress::parse("2001:db8:1::1");
  for (std::uint16_t port = 1; port <= 12; ++port) {
    lab.tell(lab.make(Contact::tcp_attempt, attacker, server, port));
    lab.tell(lab.make(Contact::tcp_refused, attacker, server, port));
    lab.wait(kMs);
  }
  ASSERT_EQ(lab.starts(), 1u);
  EXPECT_EQ(lab.found[0].source, "2001:db8::66");
}

TEST(SourceScan, HorizontalScanOfSilentHosts) {
  Lab lab;
  for (std::uint32_t host = 0; host < 40; ++host) {
    lab.contact(Contact::tcp_attempt, kAttacker, kServer + host, 445);
    lab.wait(20 * kMs);
  }
  lab.wait(3 * kSecond);
  ASSERT_EQ(lab.starts(), 1u);
  EXPECT_EQ(lab.found[0].verdict, Verdict::scan_horizontal);
}

TEST(SourceScan, ProbesThatAreNoSynHaveTheirNames) {
  const std::tuple<std::uint8_t, Verdict> rows[] = {{0x01, Verdict::scan_fin},
                                                    {0x00, Verdict::scan_null},
                                                    {0x29, Verdict::scan_xmas},
                                                    {0x10, Verdict::scan_ack}};
  for (const auto& [flags, verdict] : rows) {
    Lab lab;
    for (std::uint16_t port = 1; port <= 25; ++port) {
      lab.contact(Contact::tcp_stray, kAttacker, kServer, port, 40000, flags);
      lab.contact(Contact::tcp_refused, kAttacker, kServer, port);
      lab.wait(kMs);
    }
    ASSERT_EQ(lab.starts(), 1u) << unsigned{flags};
    EXPECT_EQ(lab.found[0].verdict, verdict);
  }
}

// A monitor's first pings, whose answers take another way, are no sweep in a zone of high sensitivity either.
TEST(SourceScan, FewSilentHostsCountOnlyWhereAnswersAreSeen) {
  for (const bool seen : {false, true}) {
    AnomalyConfig config;
    config.zones = {{*core::IpPrefix::parse("0.0.0.0/0"), 50}};
    Lab lab(config);
    if (seen) lab.connect(kServer + 99, kServer, 80, 5000);
    for (std::uint32_t host = 1; host <= 5; ++host) lab.ping(Contact::ping, kAttacker, kServer + host);
    lab.wait(kSecond);
    EXPECT_EQ(lab.starts(), seen ? 1u : 0u) << lab.names();
  }
}

TEST(SourceScan, UdpPingAndProtocolScansHaveTheirs) {
  Lab udp;
  for (std::uint16_t port = 1; port <= 20; ++port) {
    udp.udp(Contact::udp_attempt, kAttacker, kServer, port, 5000);
    udp.udp(Contact::unreachable, kAttacker, kServer, port, 5000);
    udp.wait(kMs);
  }
  ASSERT_EQ(udp.starts(), 1u);
  EXPECT_EQ(udp.found[0].verdict, Verdict::scan_udp);
  Lab sweep;
  for (std::uint32_t host = 0; host < 30; ++host) {
    sweep.ping(Contact::ping, kAttacker, kServer + host);
    if (host % 4 == 0) sweep.ping(Contact::ping_answered, kAttacker, kServer + host);
    sweep.wait(20 * kMs);
  }
  sweep.wait(kSecond);
  ASSERT_EQ(sweep.starts(), 1u);
  EXPECT_EQ(sweep.found[0].verdict, Verdict::scan_sweep);
  Lab protocols;
  for (std::uint8_t protocol = 80; protocol < 100; ++protocol) {
    Observation o =
        protocols.make(Contact::ip_attempt, IpAddress::v4(kAttacker), IpAddress::v4(kServer), 0, 0, 0);
    o.protocol = protocol;
    protocols.tell(o);
    o.contact = Contact::unreachable;
    o.value = 2;
    protocols.tell(o);
    protocols.wait(kMs);
  }
  ASSERT_EQ(protocols.starts(), 1u);
  EXPECT_EQ(protocols.found[0].verdict, Verdict::scan_ipproto);
}

TEST(SourceScan, SlowScanIsSeenOverHours) {
  Lab lab;
  for (std::uint16_t port = 1; port <= 14; ++port) {
    lab.probe(kAttacker, kServer + port, 22);
    lab.wait(1'200 * kSecond);
  }
  ASSERT_EQ(lab.starts(), 1u);
  EXPECT_EQ(lab.found[0].verdict, Verdict::scan_slow);
}

TEST(SourceScan, OneEventThenUpdatesThenTheEnd) {
  Lab lab;
  for (std::uint32_t i = 0; i < 4000; ++i) {
    lab.probe(kAttacker, kServer, static_cast<std::uint16_t>(i + 1));
    lab.wait(10 * kMs);
  }
  lab.wait(200 * kSecond);
  EXPECT_EQ(lab.starts(), 1u);
  EXPECT_LE(lab.count(Phase::update), 3u);
  ASSERT_EQ(lab.count(Phase::end), 1u);
  EXPECT_EQ(lab.found.back().phase, Phase::end);
  // It ended with its last packet, not when that was noticed.
  EXPECT_LE(lab.found.back().time_us, kStart + 41 * kSecond);
  for (const Found& f : lab.found) EXPECT_EQ(f.id, lab.found[0].id);
}

TEST(GroupScan, SharedAmongManyIsOneEvent) {
  Lab lab;
  for (std::uint16_t port = 1; port <= 300; ++port) {
    lab.probe(kAttacker + port * 7U % 32, kServer, port);
    lab.wait(20 * kMs);
  }
  EXPECT_EQ(lab.starts(), 1u) << lab.names();
  EXPECT_EQ(lab.found[0].verdict, Verdict::scan_distributed);
  lab.finish();
  EXPECT_EQ(lab.found.back().sources.size(), 32u);
}

TEST(GroupScan, DecoysAreOneEventThatHasTheScannerAmongItsSources) {
  Lab lab;
  for (std::uint16_t port = 1; port <= 60; ++port) {
    for (std::uint32_t decoy = 0; decoy < 6; ++decoy) lab.probe(kAttacker + decoy, kServer, port);
    lab.wait(kMs);
  }
  EXPECT_EQ(lab.starts(), 1u) << lab.names();
  EXPECT_EQ(lab.found[0].verdict, Verdict::scan_decoy);
  EXPECT_TRUE(lab.accuses("198.51.100.1"));
}

struct QuietRow {
  const char* name;
  void (*play)(Lab& lab);
};

TEST(Scan, WhatIsNone) {
  const QuietRow rows[] = {
      {"connections seen from their middle",
       [](Lab& lab) {
         for (std::uint16_t port = 1; port <= 200; ++port) {
           lab.contact(Contact::tcp_stray, kAttacker, kServer + port, 443, port, 0x10);
           lab.wait(10 * kMs);
         }
       }},
      {"a busy client whose contacts mostly succeed",
       [](Lab& lab) {
         for (std::uint32_t i = 0; i < 500; ++i) {
           const auto port = static_cast<std::uint16_t>(i + 1);
           if (i % 4 == 3) {
             lab.probe(kAttacker, kServer + i, 443, port);
           } else {
             lab.connect(kAttacker, kServer + i, 443, port);
           }
           lab.wait(10 * kMs);
         }
       }},
      {"one dead port asked again and again",
       [](Lab& lab) {
         for (std::uint16_t i = 0; i < 500; ++i) {
           lab.probe(kAttacker, kServer, 80, static_cast<std::uint16_t>(1000 + i));
           lab.wait(10 * kMs);
         }
       }},
      {"clients that retransmit to dead servers",
       [](Lab& lab) {
         for (std::uint32_t i = 0; i < 60; ++i) {
           lab.contact(Contact::tcp_attempt, kAttacker, kServer + i, 25);
           lab.wait(1'050 * kMs);
           lab.contact(Contact::tcp_retry, kAttacker, kServer + i, 25);
         }
       }},
      {"a lost uplink: everything is retransmitted, nothing answered",
       [](Lab& lab) {
         for (std::uint32_t i = 0; i < 60; ++i)
           lab.contact(Contact::tcp_attempt, kAttacker, kServer + i, 443);
         lab.wait(1'050 * kMs);
         for (std::uint32_t i = 0; i < 60; ++i) lab.contact(Contact::tcp_retry, kAttacker, kServer + i, 443);
       }},
      {"many sources that try one port each",
       [](Lab& lab) {
         for (std::uint32_t i = 0; i < 150; ++i) {
           lab.probe(kAttacker + i, kServer, 8080);
           lab.wait(100 * kMs);
         }
       }},
      {"a host with many services that goes down",
       [](Lab& lab) {
         for (std::uint16_t port = 100; port < 130; ++port) {
           for (std::uint32_t client = 0; client < 5; ++client)
             lab.connect(kAttacker + client, kServer, port, port);
         }
         lab.wait(30 * kSecond);
         for (std::uint16_t port = 100; port < 130; ++port) {
           for (std::uint32_t client = 0; client < 5; ++client)
             lab.probe(kAttacker + client, kServer, port, 9);
           lab.wait(100 * kMs);
         }
       }},
      {"a monitor that pings hosts of which few are down",
       [](Lab& lab) {
         for (std::uint32_t round = 1; round <= 20; ++round) {
           for (std::uint32_t host = 0; host < 40; ++host) {
             Observation o =
                 lab.make(Contact::ping, IpAddress::v4(kAttacker), IpAddress::v4(kServer + host), 0, 0, 0);
             o.protocol = 1;
             o.value = round;
             lab.tell(o);
             if (host >= 6 && round == 1) lab.ping(Contact::ping_answered, kAttacker, kServer + host);
           }
           lab.wait(kSecond);
         }
       }},
      {"group memberships, routing and discovery",
       [](Lab& lab) {
         for (std::uint32_t i = 0; i < 300; ++i) {
           Observation o = lab.make(Contact::ip_attempt, IpAddress::v4(kAttacker),
                                    IpAddress::v4(0xe0000001 + i), 0, 0, 0);
           o.protocol = 2;
           lab.tell(o);
           o.server = IpAddress::v4(kServer + i);
           o.protocol = 89;
           lab.tell(o);
           lab.udp(Contact::udp_attempt, kAttacker, 0xeffffffa, 1900, static_cast<std::uint16_t>(i));
           lab.wait(50 * kMs);
         }
       }},
      {"a capture of one direction",
       [](Lab& lab) {
         for (std::uint32_t i = 0; i < 300; ++i) {
           const auto port = static_cast<std::uint16_t>(i + 1);
           lab.contact(Contact::tcp_attempt, kAttacker, kServer + i, 443, port);
           if (i % 3 != 0) lab.contact(Contact::tcp_completed, kAttacker, kServer + i, 443, port);
           lab.wait(20 * kMs);
         }
       }},
  };
  for (const QuietRow& row : rows) {
    Lab lab;
    row.play(lab);
    lab.wait(5 * kSecond);
    EXPECT_TRUE(lab.found.empty()) << row.name << ": " << lab.names();
  }
}

TEST(Guessing, ManyShortSshConnectionsOfOneClient) {
  Lab lab;
  for (std::uint16_t i = 0; i < 30; ++i) {
    lab.connect(kAttacker, kServer, 22, i);
    Observation o = lab.make(Contact::tcp_closed, IpAddress::v4(kAttacker), IpAddress::v4(kServer), 22, i);
    o.service = Service::ssh;
    o.value = 1700;
    lab.tell(o);
    lab.wait(300 * kMs);
  }
  ASSERT_EQ(lab.starts(), 1u);
  EXPECT_EQ(lab.found[0].verdict, Verdict::ssh_guessing);
}

TEST(Monitor, SwitchedOffDetectorsAreNotMade) {
  AnomalyConfig config;
  config.scan = config.flood = false;
  Lab lab(config);
  EXPECT_FALSE(lab.monitor().wanted());
  for (std::uint16_t port = 1; port <= 200; ++port) lab.probe(kAttacker, kServer, port);
  EXPECT_TRUE(lab.found.empty());
}

}  // namespace
}  // namespace gatehouse::ids::anomaly
