// What an attacker who knows all this may try: fill tables, aim at buckets, wash evidence, have others
// accused.
#include <gtest/gtest.h>

#include <set>

#include "ids/anomaly/keyed_hash.h"
#include "ids/anomaly/testing_lab.h"

namespace gatehouse::ids::anomaly {
namespace {

using namespace testing;

AnomalyConfig small() {
  AnomalyConfig config;
  config.memory_bytes = 8U << 20U;
  return config;
}

TEST(Adversary, TheBudgetHoldsAtEverySize) {
  for (const std::uint64_t mib : {8, 16, 32, 64, 256}) {
    EXPECT_LE(table_bytes(table_sizes(mib << 20U)), mib << 20U) << mib;
  }
}

// Addresses that share a bucket under one key are spread under another.
TEST(Adversary, CollisionsOfOneKeyAreNoneOfAnother) {
  const KeyedHash known(1);
  const KeyedHash other(2);
  std::vector<std::uint32_t> aimed;
  for (std::uint32_t i = 0; aimed.size() < 200; ++i) {
    if ((known(IpAddress::v4(i)) & 0x3ff) == 0) aimed.push_back(i);
  }
  std::set<std::uint64_t> buckets;
  for (const std::uint32_t a : aimed) buckets.insert(other(IpAddress::v4(a)) & 0x3ff);
  EXPECT_GT(buckets.size(), 150u);
}

TEST(Adversary, FillingTheSourcesKeepsTheScanner) {
  Lab lab(small());
  for (std::uint16_t port = 1; port <= 9; ++port) {
    for (std::uint32_t noise = 0; noise < 20'000; ++noise) {
      const std::uint32_t other = 0x20000000 + port * 100'000 + noise;
      lab.probe(other, kServer + 9, 80);
    }
    lab.probe(kAttacker, kServer, port);
    lab.wait(kMs);
  }
  EXPECT_TRUE(lab.accuses("198.51.100.1"));
  EXPECT_EQ(lab.count(Verdict::scan_vertical), 1u) << lab.names();
}

TEST(Adversary, AScanInsideASpoofedFloodIsSeen) {
  Lab lab;
  std::uint32_t forged = 0;
  for (std::uint16_t port = 1; port <= 20; ++port) {
    for (int i = 0; i < 500; ++i)
      lab.contact(Contact::tcp_attempt, 0x20000000 + ++forged * 7919, kServer, 443);
    lab.probe(kAttacker, kServer, port);
    lab.wait(100 * kMs);
  }
  lab.wait(3 * kSecond);
  EXPECT_EQ(lab.count(Verdict::syn_flood), 1u) << lab.names();
  EXPECT_EQ(lab.count(Verdict::scan_vertical), 1u) << lab.names();
  EXPECT_EQ(lab.starts(), 2u) << lab.names();
}

TEST(Adversary, WashingWithOneGoodHostDoesNotHelp) {
  Lab lab;
  for (std::uint16_t i = 0; i < 60; ++i) {
    for (std::uint16_t n = 0; n < 10; ++n)
      lab.connect(kAttacker, kServer + 1000, 443, static_cast<std::uint16_t>(i * 10 + n));
    lab.probe(kAttacker, kServer + i, 22);
    lab.wait(10 * kMs);
  }
  EXPECT_EQ(lab.starts(), 1u);
  EXPECT_TRUE(lab.accuses("198.51.100.1"));
}

TEST(Adversary, WashingWithManyGoodHostsDoesNotHideAHostsPorts) {
  Lab lab;
  for (std::uint16_t i = 0; i < 60; ++i) {
    for (std::uint16_t n = 0; n < 10; ++n)
      lab.connect(kAttacker, kServer + 1000 + i * 10 + n, 443, static_cast<std::uint16_t>(i * 10 + n));
    lab.probe(kAttacker, kServer, static_cast<std::uint16_t>(i + 1));
    lab.wait(10 * kMs);
  }
  EXPECT_TRUE(lab.accuses("198.51.100.1"));
}

// Answers to packets that were forged in our name: their senders are victims.
TEST(Adversary, BackscatterAccusesNobody) {
  Lab lab;
  for (std::uint32_t i = 0; i < 3000; ++i) {
    lab.contact(Contact::tcp_backscatter, kAttacker, kServer + i % 200, static_cast<std::uint16_t>(i), 443,
                i % 2 == 0 ? 0x12 : 0x04);
    lab.wait(10 * kMs);
  }
  EXPECT_FALSE(lab.accuses("198.51.100.1")) << lab.names();
}

TEST(Adversary, ForgedRefusalsOfNothingAccuseNobody) {
  Lab lab;
  for (std::uint16_t port = 1; port <= 500; ++port) {
    lab.contact(Contact::tcp_refused, kAttacker, kServer, port, 40000, 0x04);
    lab.udp(Contact::unreachable, kAttacker, kServer, port, 40000);
    lab.wait(kMs);
  }
  EXPECT_TRUE(lab.found.empty()) << lab.names();
}

// A forged RST races the server: the answer that comes after all clears the client.
TEST(Adversary, ForgedResetsBeforeTheAnswerAreTakenBack) {
  Lab lab;
  for (std::uint16_t i = 0; i < 200; ++i) {
    const std::uint32_t server = kServer + i;
    lab.contact(Contact::tcp_attempt, kAttacker, server, 443, i);
    lab.contact(Contact::tcp_refused, kAttacker, server, 443, i, 0x04);
    lab.contact(Contact::tcp_answered, kAttacker, server, 443, i);
    lab.contact(Contact::tcp_completed, kAttacker, server, 443, i);
    lab.wait(10 * kMs);
  }
  EXPECT_TRUE(lab.found.empty()) << lab.names();
}

TEST(Adversary, ASpoofedFloodOverRandomPortsNamesNoScanner) {
  Lab lab;
  for (std::uint32_t i = 0; i < 5000; ++i) {
    lab.probe(0x20000000 + i * 7919, kServer, static_cast<std::uint16_t>(i * 31 + 1));
    lab.wait(kMs);
  }
  for (const Found& f : lab.found) EXPECT_TRUE(f.sources.empty()) << lab.names();
}

// A million real clients, a forged flood over them, and one scanner: found, and nothing grows.
TEST(Adversary, AMillionSourcesAFloodAndAScanner) {
  Lab lab;
  const std::uint64_t before = lab.monitor().memory_bytes();
  for (std::uint32_t i = 0; i < 1'000'000; ++i) {
    lab.connect(0x30000000 + i, kServer + i % 200, 443, static_cast<std::uint16_t>(i));
    lab.contact(Contact::tcp_attempt, 0x60000000 + i * 7919, kServer + 250, 80);
    if (i % 50'000 == 0) lab.probe(kAttacker, kServer, static_cast<std::uint16_t>(i / 50'000 + 1));
    if (i % 100 == 0) {
      lab.now += 10 * kMs;
      lab.monitor().advance(lab.now);
    }
  }
  EXPECT_TRUE(lab.accuses("198.51.100.1")) << lab.names();
  EXPECT_EQ(lab.count(Verdict::syn_flood), 1u);
  EXPECT_EQ(lab.starts(), 2u) << lab.names();
  EXPECT_EQ(lab.monitor().memory_bytes(), before);
  EXPECT_LE(before, std::uint64_t{64} << 20U);
}

}  // namespace
}  // namespace gatehouse::ids::anomaly
