// What an attacker who knows all this may try: fill tables, aim at buckets, wash evidence, have others
// accused.
#include <gtest/gtest.h>
#include <rapidcheck/gtest.h>

#include <array>
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

// Whatever addresses an attacker chooses, without the key he learns nothing about their buckets: pairs with
// any difference he likes fall into one bucket as often as strangers do.
TEST(Adversary, ChosenDifferencesCollideNoMoreThanStrangers) {
  constexpr std::uint64_t kBuckets = 1024;
  constexpr std::uint32_t kKeys = 8192;
  std::vector<IpAddress> differences;
  for (std::size_t bit = 0; bit < 128; ++bit) {
    IpAddress d{{}, 6};
    d.bytes[bit / 8] = static_cast<std::uint8_t>(1U << (bit % 8));
    differences.push_back(d);
    d.bytes[(bit / 8 + 8) % 16] = d.bytes[bit / 8];  // in both halves: these are multiplied
    differences.push_back(d);
  }
  IpAddress all{{}, 6};
  all.bytes.fill(0xff);
  differences.push_back(all);
  std::fill(all.bytes.begin(), all.bytes.begin() + 8, 0);
  differences.push_back(all);
  const IpAddress base = *IpAddress::parse("2001:db8::1");
  for (const IpAddress& d : differences) {
    IpAddress other = base;
    for (std::size_t i = 0; i < 16; ++i) other.bytes[i] ^= d.bytes[i];
    std::uint32_t low = 0, high = 0;
    for (std::uint32_t key = 1; key <= kKeys; ++key) {
      const KeyedHash hash(key * 0x9e3779b97f4a7c15U | 1U);
      const std::uint64_t a = hash(base), b = hash(other);
      low += a % kBuckets == b % kBuckets;
      high += (a >> 20U) % kBuckets == (b >> 20U) % kBuckets;
    }
    // Eight are expected; more than thirty come by chance once in 10^9 tries.
    EXPECT_LE(low, 30u) << other.to_string();
    EXPECT_LE(high, 30u) << other.to_string();
  }
}

RC_GTEST_PROP(Adversary, AnyProgressionOfAddressesFillsAllBuckets,
              (std::uint32_t first, std::uint64_t seed)) {
  const auto step = *rc::gen::inRange<std::uint32_t>(1, UINT32_MAX);
  const KeyedHash hash(seed | 1U);
  std::array<std::uint32_t, 256> buckets{};
  constexpr std::uint32_t kAddresses = 16'384;
  std::set<std::uint32_t> distinct;
  for (std::uint32_t i = 0; i < kAddresses; ++i) distinct.insert(first + i * step);
  for (const std::uint32_t a : distinct) ++buckets[hash(IpAddress::v4(a)) % buckets.size()];
  const double each = static_cast<double>(distinct.size()) / buckets.size();
  double chi = 0;
  for (const std::uint32_t n : buckets) chi += (n - each) * (n - each) / each;
  // 255 degrees of freedom; 400 is six deviations above.
  if (distinct.size() == kAddresses) RC_ASSERT(chi < 400);
}

// Nobody without the key can make entries of the tables push one another out: addresses picked to share a
// bucket under any key but ours lose no more scanners than addresses at random do.
TEST(Adversary, AddressesAimedAtABucketHideNoScanner) {
  const KeyedHash guessed(4711);
  Lab lab(small());
  std::vector<std::uint32_t> aimed;
  const std::uint64_t bucket = guessed(IpAddress::v4(kAttacker)) & 0x3ffU;
  for (std::uint32_t a = 0x20000000; aimed.size() < 400; ++a) {
    if ((guessed(IpAddress::v4(a)) & 0x3ffU) == bucket) aimed.push_back(a);
  }
  for (std::uint16_t port = 1; port <= 9; ++port) {
    for (const std::uint32_t a : aimed) lab.probe(a, kServer + 9, static_cast<std::uint16_t>(port + 7));
    lab.probe(kAttacker, kServer, port);
    lab.wait(kMs);
  }
  EXPECT_TRUE(lab.accuses("198.51.100.1")) << lab.names();
}

// More scanners at a time than there is room for attacks: the oldest end, nothing grows, each was told of.
TEST(Adversary, MoreAttacksThanFit) {
  Lab lab;
  const std::uint64_t before = lab.monitor().memory_bytes();
  for (std::uint32_t scanner = 0; scanner < 3000; ++scanner) {
    for (std::uint16_t port = 1; port <= 9; ++port) lab.probe(0x20000000 + scanner, kServer + scanner, port);
    lab.wait(kMs);
  }
  // Of the last that share a full bucket only one in eight is let in at a time.
  EXPECT_GE(lab.starts(), 2950u);
  EXPECT_LE(lab.monitor().log().size(), 1024u);
  EXPECT_EQ(lab.monitor().memory_bytes(), before);
}

TEST(Adversary, AThousandVisitsToOneOpenPortDoNotExcuseTheOthers) {
  Lab lab;
  for (std::uint16_t i = 0; i < 9; ++i) {
    for (std::uint16_t n = 0; n < 200; ++n)
      lab.connect(kAttacker, kServer, 443, static_cast<std::uint16_t>(i * 200 + n));
    lab.probe(kAttacker, kServer, static_cast<std::uint16_t>(i + 1));
    lab.probe(kAttacker, kServer + 1, static_cast<std::uint16_t>(i + 1));
    lab.wait(10 * kMs);
  }
  EXPECT_TRUE(lab.accuses("198.51.100.1"));
  EXPECT_EQ(lab.starts(), 1u) << lab.names();
}

// Who washes a sweep of hosts with ports he knows to be open must know many: what each of them buys is
// bounded.
TEST(Adversary, WashingASweepNeedsAnotherOpenPortForEveryFourHosts) {
  for (const std::uint32_t open_ports : {3U, 8U, 12U}) {
    Lab lab;
    for (std::uint32_t i = 0; i < 200; ++i) {
      for (std::uint32_t n = 0; n < open_ports; ++n)
        lab.connect(kAttacker, kServer + 5000, static_cast<std::uint16_t>(80 + n),
                    static_cast<std::uint16_t>(i * 16 + n));
      lab.probe(kAttacker, kServer + i, 22);
      lab.wait(10 * kMs);
    }
    EXPECT_EQ(lab.starts(), 1u) << open_ports;
  }
}

// A server whose client restarted asks for nothing: it goes on with connections our hosts began.
TEST(Adversary, ConnectionsThatOurHostsForgotAccuseNoServer) {
  Lab lab;
  const std::uint32_t server = kAttacker;
  for (std::uint16_t i = 0; i < 40; ++i)
    lab.connect(kServer, server, 443, static_cast<std::uint16_t>(30000 + i));
  lab.wait(600 * kSecond);
  for (std::uint16_t i = 0; i < 40; ++i) {
    const auto port = static_cast<std::uint16_t>(30000 + i);
    lab.contact(Contact::tcp_stray, server, kServer, port, 443, i % 2 == 0 ? 0x10 : 0x11);
    lab.contact(Contact::tcp_refused, server, kServer, port, 443, 0x04);
    lab.wait(10 * kMs);
  }
  EXPECT_TRUE(lab.found.empty()) << lab.names();
  // From another port of it the same is a scan.
  for (std::uint16_t i = 0; i < 60; ++i) {
    lab.contact(Contact::tcp_stray, server, kServer, static_cast<std::uint16_t>(i + 1), 444, 0x10);
    lab.contact(Contact::tcp_refused, server, kServer, static_cast<std::uint16_t>(i + 1), 444, 0x04);
    lab.wait(10 * kMs);
  }
  EXPECT_EQ(lab.count(Verdict::scan_ack), 1u) << lab.names();
}

// Half handshakes in somebody's name look like his. Whoever is named for what anybody could have forged is
// marked so, and no ban may rest on it.
TEST(Adversary, WhatCouldBeForgedSaysSo) {
  const std::uint32_t third = 0xcb007107;
  Lab refused, dropped, stray;
  for (std::uint16_t port = 1; port <= 60; ++port) {
    refused.probe(third, kServer, port);
    dropped.contact(Contact::tcp_attempt, third, kServer, port);
    dropped.contact(Contact::tcp_answered, third, kServer, port);
    dropped.contact(Contact::tcp_abandoned, third, kServer, port);  // the third party knows nothing of it
    stray.contact(Contact::tcp_stray, third, kServer, port, 40000, 0x10);
    stray.contact(Contact::tcp_refused, third, kServer, port, 40000, 0x04);
    for (Lab* lab : {&refused, &dropped, &stray}) lab->wait(10 * kMs);
  }
  for (Lab* lab : {&refused, &dropped, &stray}) {
    for (const Found& f : lab->found) EXPECT_TRUE(attack_class(f.verdict).spoofable) << lab->names();
  }
}

// Answers of every kind to packets forged in our name.
TEST(Adversary, AnswersOfEveryKindAccuseNobody) {
  Lab lab;
  for (std::uint32_t i = 0; i < 4000; ++i) {
    const std::uint32_t ours = kServer + i % 250;
    const auto port = static_cast<std::uint16_t>(1024 + i);
    switch (i % 5) {
      case 0:
        lab.contact(Contact::tcp_backscatter, kAttacker, ours, port, 443, 0x12);
        break;
      case 1:
        lab.contact(Contact::tcp_backscatter, kAttacker, ours, port, 443, 0x14);
        break;
      case 2:
        lab.udp(Contact::unreachable, ours, kAttacker, 53, port);
        break;
      case 3:
        lab.ping(Contact::ping_answered, kAttacker, ours);
        break;
      default:
        lab.udp(Contact::udp_answered, ours, kAttacker, 53, port);
    }
    lab.wait(10 * kMs);
  }
  EXPECT_TRUE(lab.found.empty()) << lab.names();
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
