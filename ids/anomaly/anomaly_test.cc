#include <gtest/gtest.h>

#include <tuple>

#include "ids/anomaly/bucket_table.h"
#include "ids/anomaly/detector.h"
#include "ids/anomaly/distinct.h"
#include "ids/anomaly/keyed_hash.h"
#include "ids/anomaly/sids.h"

namespace gatehouse::ids::anomaly {
namespace {

constexpr std::int64_t kStart = 1'700'000'000'000'000;
constexpr std::int64_t kMs = 1'000;
constexpr std::int64_t kSecond = 1'000'000;

struct Found {
  std::uint32_t sid;
  std::string klass;
  std::string source, target;
  std::uint32_t update;
  std::int64_t time_us;
  std::size_t sources;
};

class Lab : public DetectionSink {
 public:
  explicit Lab(AnomalyConfig config = {}) : monitor_(seeded(config), *this) {}

  void on_detection(const Detection& d) override {
    found.push_back({d.sid, std::string(d.klass), d.source.version == 0 ? "" : d.source.to_string(),
                     d.target.to_string(), d.update, d.time_us, d.sources.size()});
  }
  void contact(Contact contact, std::uint32_t client, std::uint32_t server, std::uint16_t port,
               std::uint16_t client_port = 40000, std::uint8_t flags = 0x02) {
    Observation o;
    o.time_us = now;
    o.client = IpAddress::v4(client);
    o.server = IpAddress::v4(server);
    o.client_port = client_port;
    o.server_port = port;
    o.contact = contact;
    o.tcp_flags = flags;
    monitor_.advance(now);
    monitor_.observe(o);
  }
  void wait(std::int64_t us) {
    // As packets of others would come meanwhile.
    for (const std::int64_t end = now + us; now < end;) {
      now = std::min(end, now + 100 * kMs);
      monitor_.advance(now);
    }
  }
  std::int64_t now = kStart;
  std::vector<Found> found;

 private:
  static AnomalyConfig seeded(AnomalyConfig config) {
    config.hash_seed = 42;
    return config;
  }
  Monitor monitor_;
};

constexpr std::uint32_t kAttacker = 0xc6336401;  // 198.51.100.1
constexpr std::uint32_t kServer = 0x0a000001;

TEST(SynScan, VerticalScanOfRefusedPortsIsSeenWithinTheThreshold) {
  Lab lab;
  for (std::uint16_t port = 1; port <= 25; ++port) {
    lab.contact(Contact::tcp_attempt, kAttacker, kServer, port);
    lab.contact(Contact::tcp_refused, kAttacker, kServer, port);
    lab.wait(kMs);
  }
  ASSERT_EQ(lab.found.size(), 1u);
  EXPECT_EQ(lab.found[0].sid, kSidScanVertical);
  EXPECT_EQ(lab.found[0].source, "198.51.100.1");
  EXPECT_EQ(lab.found[0].target, "10.0.0.1");
}

TEST(SynScan, HorizontalScanOfSilentHosts) {
  Lab lab;
  for (std::uint32_t host = 0; host < 40; ++host) {
    lab.contact(Contact::tcp_attempt, kAttacker, kServer + host, 445);
    lab.wait(20 * kMs);
  }
  lab.wait(3 * kSecond);
  ASSERT_EQ(lab.found.size(), 1u);
  EXPECT_EQ(lab.found[0].sid, kSidScanHorizontal);
}

TEST(SynScan, ProbesThatAreNoSynHaveTheirNames) {
  const std::tuple<std::uint8_t, Contact, std::uint32_t> rows[] = {{0x01, Contact::tcp_refused, kSidScanFin},
                                                                   {0x00, Contact::tcp_refused, kSidScanNull},
                                                                   {0x29, Contact::tcp_refused, kSidScanXmas},
                                                                   {0x10, Contact::tcp_refused, kSidScanAck}};
  for (const auto& [flags, outcome, sid] : rows) {
    Lab lab;
    for (std::uint16_t port = 1; port <= 25; ++port) {
      lab.contact(Contact::tcp_stray, kAttacker, kServer, port, 40000, flags);
      lab.contact(outcome, kAttacker, kServer, port);
      lab.wait(kMs);
    }
    ASSERT_EQ(lab.found.size(), 1u);
    EXPECT_EQ(lab.found[0].sid, sid);
  }
}

TEST(SynScan, ConnectionsSeenFromTheirMiddleAreNoAckScan) {
  Lab lab;
  for (std::uint16_t port = 1; port <= 200; ++port) {
    lab.contact(Contact::tcp_stray, kAttacker, kServer + port, 443, port, 0x10);
    lab.wait(10 * kMs);
  }
  lab.wait(10 * kSecond);
  EXPECT_TRUE(lab.found.empty());
}

TEST(SynScan, SlowScanIsSeenOverHours) {
  Lab lab;
  for (std::uint16_t port = 1; port <= 14; ++port) {
    lab.contact(Contact::tcp_attempt, kAttacker, kServer, port);
    lab.contact(Contact::tcp_refused, kAttacker, kServer, port);
    lab.wait(300 * kSecond);
  }
  ASSERT_EQ(lab.found.size(), 1u);
  EXPECT_EQ(lab.found[0].sid, kSidScanSlow);
}

TEST(SynScan, UpdatesComeAtGrowingIntervals) {
  Lab lab;
  for (std::uint32_t i = 0; i < 4000; ++i) {
    lab.contact(Contact::tcp_attempt, kAttacker, kServer + i / 60000, static_cast<std::uint16_t>(i + 1));
    lab.contact(Contact::tcp_refused, kAttacker, kServer + i / 60000, static_cast<std::uint16_t>(i + 1));
    lab.wait(10 * kMs);
  }
  EXPECT_GE(lab.found.size(), 1u);
  EXPECT_LE(lab.found.size(), 4u);
  for (std::size_t i = 0; i < lab.found.size(); ++i) EXPECT_EQ(lab.found[i].update, i);
}

struct QuietRow {
  const char* name;
  void (*play)(Lab& lab);
};

TEST(SynScan, WhatIsNoScan) {
  const QuietRow rows[] = {
      {"a busy client whose contacts succeed",
       [](Lab& lab) {
         for (std::uint32_t i = 0; i < 500; ++i) {
           lab.contact(Contact::tcp_attempt, kAttacker, kServer + i, 443, static_cast<std::uint16_t>(i + 1));
           lab.contact(i % 5 == 0 ? Contact::tcp_refused : Contact::tcp_answered, kAttacker, kServer + i, 443,
                       static_cast<std::uint16_t>(i + 1));
           lab.wait(10 * kMs);
         }
       }},
      {"one dead port asked again and again",
       [](Lab& lab) {
         for (std::uint16_t i = 0; i < 500; ++i) {
           lab.contact(Contact::tcp_attempt, kAttacker, kServer, 80, static_cast<std::uint16_t>(1000 + i));
           lab.contact(Contact::tcp_refused, kAttacker, kServer, 80, static_cast<std::uint16_t>(1000 + i));
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
      {"many sources that try one port each",
       [](Lab& lab) {
         for (std::uint32_t i = 0; i < 150; ++i) {
           lab.contact(Contact::tcp_attempt, kAttacker + i, kServer, 8080);
           lab.contact(Contact::tcp_refused, kAttacker + i, kServer, 8080);
           lab.wait(100 * kMs);
         }
       }},
  };
  for (const QuietRow& row : rows) {
    Lab lab;
    row.play(lab);
    lab.wait(5 * kSecond);
    EXPECT_TRUE(lab.found.empty()) << row.name << ": " << lab.found.size() << " " << lab.found[0].klass;
  }
}

TEST(SynFlood, ForgedSourcesAreCountedNotNamed) {
  Lab lab;
  for (std::uint32_t i = 0; i < 2000; ++i) {
    lab.contact(Contact::tcp_attempt, 0x20000000 + i * 7919, kServer, 443);
    lab.wait(kMs);
  }
  lab.wait(5 * kSecond);
  ASSERT_EQ(lab.found.size(), 1u);
  EXPECT_EQ(lab.found[0].sid, kSidSynFlood);
  EXPECT_EQ(lab.found[0].source, "");
  EXPECT_EQ(lab.found[0].sources, 0u);
  EXPECT_EQ(lab.found[0].target, "10.0.0.1");
  EXPECT_LT(lab.found[0].time_us, kStart + kSecond);
}

TEST(SynFlood, OneSourceIsNamed) {
  Lab lab;
  for (std::uint32_t i = 0; i < 1000; ++i) {
    lab.contact(Contact::tcp_attempt, kAttacker, kServer, 80, static_cast<std::uint16_t>(1024 + i));
    lab.contact(Contact::tcp_answered, kAttacker, kServer, 80, static_cast<std::uint16_t>(1024 + i));
    lab.wait(kMs);
  }
  ASSERT_EQ(lab.found.size(), 1u);
  EXPECT_EQ(lab.found[0].source, "198.51.100.1");
}

TEST(SynFlood, ACrowdAndACrashedServerAreNoFlood) {
  Lab crowd;
  for (std::uint32_t i = 0; i < 3000; ++i) {
    crowd.contact(Contact::tcp_attempt, 0x20000000 + i, kServer, 443);
    crowd.contact(Contact::tcp_answered, 0x20000000 + i, kServer, 443);
    crowd.contact(Contact::tcp_completed, 0x20000000 + i, kServer, 443);
    crowd.wait(kMs);
  }
  EXPECT_TRUE(crowd.found.empty());
  Lab crashed;
  for (std::uint32_t i = 0; i < 3000; ++i) {
    crashed.contact(i % 2 == 0 ? Contact::tcp_attempt : Contact::tcp_retry, 0x20000000 + i / 2, kServer, 443);
    crashed.wait(kMs);
  }
  EXPECT_TRUE(crashed.found.empty());
}

TEST(Monitor, SwitchedOffDetectorsAreNotMade) {
  AnomalyConfig config;
  config.scan = config.flood = false;
  Lab lab(config);
  for (std::uint16_t port = 1; port <= 200; ++port) {
    lab.contact(Contact::tcp_attempt, kAttacker, kServer, port);
    lab.contact(Contact::tcp_refused, kAttacker, kServer, port);
  }
  EXPECT_TRUE(lab.found.empty());
}

// A spoofed flood of new sources must not push out a scanner that has evidence already.
TEST(SynScan, AFullTableKeepsTheScanner) {
  AnomalyConfig config;
  config.max_sources = 64;
  config.flood = false;  // the noise is one
  Lab lab(config);
  for (std::uint16_t port = 1; port <= 25; ++port) {
    for (std::uint32_t noise = 0; noise < 20; ++noise) {
      const std::uint32_t other = 0x20000000 + port * 1000 + noise;
      lab.contact(Contact::tcp_attempt, other, kServer + 9, 80);
      lab.contact(Contact::tcp_refused, other, kServer + 9, 80);
    }
    lab.contact(Contact::tcp_attempt, kAttacker, kServer, port);
    lab.contact(Contact::tcp_refused, kAttacker, kServer, port);
    lab.wait(kMs);
  }
  ASSERT_EQ(lab.found.size(), 1u);
  EXPECT_EQ(lab.found[0].source, "198.51.100.1");
}

TEST(Distinct, EstimatesWithinATenth) {
  const KeyedHash hash(7);
  Distinct<8> counter;
  for (std::uint64_t i = 0; i < 400; ++i) {
    counter.add(hash(i));
    counter.add(hash(i));
  }
  EXPECT_NEAR(static_cast<double>(counter.estimate()), 400.0, 60.0);
}

TEST(KeyedHash, DependsOnTheKeyAndOnEveryPart) {
  const KeyedHash a(1);
  const KeyedHash b(2);
  const IpAddress address = IpAddress::v4(kServer);
  EXPECT_EQ(a(address, 5), KeyedHash(1)(address, 5));
  EXPECT_NE(a(address, 5), b(address, 5));
  EXPECT_NE(a(address, 5), a(address, 6));
  EXPECT_NE(a(address), a(IpAddress::v4(kServer + 1)));
}

}  // namespace
}  // namespace gatehouse::ids::anomaly
