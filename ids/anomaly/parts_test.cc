#include <gtest/gtest.h>

#include <string>

#include "ids/anomaly/address_counts.h"
#include "ids/anomaly/bucket_table.h"
#include "ids/anomaly/classes.h"
#include "ids/anomaly/distinct.h"
#include "ids/anomaly/keyed_hash.h"
#include "ids/anomaly/reason.h"
#include "ids/anomaly/scan_source.h"
#include "ids/anomaly/successes.h"
#include "ids/anomaly/testing_lab.h"
#include "ids/anomaly/victims.h"

namespace gatehouse::ids::anomaly {
namespace {

using namespace testing;

TEST(Classes, EverySidIsItsOwnAndEveryVerdictHasWords) {
  std::vector<std::uint32_t> sids;
  for (std::size_t i = 0; i < attack_classes().size(); ++i) {
    sids.push_back(attack_classes()[i].sid);
    EXPECT_FALSE(reason_of(static_cast<Verdict>(i)).empty());
    EXPECT_FALSE(prevention_of(static_cast<Verdict>(i)).empty());
  }
  std::sort(sids.begin(), sids.end());
  EXPECT_EQ(std::adjacent_find(sids.begin(), sids.end()), sids.end());
}

TEST(AddressCounts, NamesTheFewAndCountsTheMany) {
  const KeyedHash hash(3);
  AddressCounts few;
  for (std::uint32_t i = 0; i < 1000; ++i) few.add(hash(IpAddress::v4(i % 10)), IpAddress::v4(i % 10));
  std::array<IpAddress, AddressCounts::kMost> out;
  EXPECT_TRUE(few.repeats());
  EXPECT_EQ(few.list(out), 10u);
  AddressCounts forged;
  for (std::uint32_t i = 0; i < 1000; ++i) forged.add(hash(IpAddress::v4(i)), IpAddress::v4(i));
  EXPECT_FALSE(forged.repeats());
  EXPECT_NEAR(static_cast<double>(forged.distinct()), 1000, 150);
}

TEST(AddressCounts, IsAsNewWhenItIsCleared) {
  const KeyedHash hash(3);
  AddressCounts counts;
  for (std::uint32_t round = 0; round < 3; ++round) {
    for (std::uint32_t i = 0; i < 90; ++i) {
      const IpAddress address = IpAddress::v4(round * 1000 + i % 45);
      counts.add(hash(address), address);
    }
    std::array<IpAddress, AddressCounts::kMost> out;
    EXPECT_EQ(counts.list(out), 45u);
    EXPECT_EQ(counts.count_of(IpAddress::v4(round * 1000 + 7)), 2u);
    EXPECT_TRUE(counts.sound());
    counts.clear();
    EXPECT_EQ(counts.list(out) + counts.total() + counts.distinct() + counts.largest(), 0u);
  }
}

struct Known {
  std::uint64_t tag = 0;
  std::int64_t value = 0;
  std::int64_t worth() const { return value; }
  bool sound() const { return value >= 0; }
};

TEST(BucketTable, NothingIsLostWhileItsIndexGrows) {
  const KeyedHash hash(11);
  BucketTable<Known> table(1U << 17U);
  bool fresh = false;
  for (std::uint32_t i = 1; i <= 16'000; ++i) {
    table.get(hash(i), fresh).value = i;
    EXPECT_TRUE(fresh);
    if (i % 1'000 != 0) continue;
    for (std::uint32_t j = 1; j <= i; ++j) {
      const Known* known = table.find(hash(j));
      ASSERT_NE(known, nullptr) << j << " of " << i;
      EXPECT_EQ(known->value, j);
    }
  }
  std::uint32_t all = 0;
  table.each([&](const Known&) { ++all; });
  EXPECT_EQ(all, 16'000u);
  EXPECT_EQ(table.evicted(), 0u);
  EXPECT_EQ(table.find(hash(16'001)), nullptr);
}

struct Passing {
  std::uint64_t tag = 0;
  std::int64_t last = 0;
  std::uint32_t value = 0;
  std::int64_t worth() const { return last; }
  bool is_over(std::int64_t now) const { return now - last > 1'000; }
  bool sound() const { return last >= 0; }
};

// One comes each tick and is asked for again later: who is not over is there, and there are few others.
TEST(BucketTable, WhatIsOverMakesRoom) {
  const KeyedHash hash(15);
  BucketTable<Passing> table(1U << 17U);
  bool fresh = false;
  for (std::uint32_t now = 1; now <= 30'000; ++now) {
    Passing& p = table.get(hash(now), fresh, now);
    EXPECT_TRUE(fresh);
    p.last = now;
    p.value = now;
    const std::uint32_t earlier = now > 700 ? now - 700 : 1;
    Passing& again = table.get(hash(earlier), fresh, now);
    EXPECT_FALSE(fresh);
    EXPECT_EQ(again.value, earlier);
    if (now % 1'000 != 0) continue;
    for (std::uint32_t i = now > 1'000 ? now - 1'000 : 1; i <= now; ++i)
      ASSERT_NE(table.find(hash(i)), nullptr) << i << " at " << now;
    std::uint32_t all = 0;
    table.each([&](const Passing&) { ++all; });
    EXPECT_LE(all, 10'000u);
  }
  EXPECT_EQ(table.evicted(), 0u);
}

TEST(BucketTable, TheLeastGoesFirstOnceItIsFull) {
  const KeyedHash hash(12);
  BucketTable<Known> table(1'024);
  bool fresh = false;
  for (std::uint32_t i = 1; i <= 64; ++i) table.get(hash(i), fresh).value = 1'000'000;
  for (std::uint32_t i = 1'000; i < 20'000; ++i) table.get(hash(i), fresh).value = i;
  std::uint32_t all = 0;
  table.each([&](const Known&) { ++all; });
  EXPECT_LE(all, 1'024u);
  EXPECT_GT(all, 900u);
  for (std::uint32_t i = 1; i <= 64; ++i) EXPECT_NE(table.find(hash(i)), nullptr) << i;
}

TEST(BucketTable, GoesOnFromAFileAtAnySize) {
  const KeyedHash hash(13);
  for (const std::uint32_t entries : {0U, 100U, 300U, 3'000U}) {
    BucketTable<Known> table(1U << 16U);
    bool fresh = false;
    for (std::uint32_t i = 1; i <= entries; ++i) table.get(hash(i), fresh).value = i;
    std::string saved;
    StateArchive out(saved);
    table.archive(out);
    BucketTable<Known> again(1U << 16U);
    StateArchive in(saved, true);
    again.archive(in);
    ASSERT_FALSE(in.failed()) << in.why();
    for (std::uint32_t i = entries + 1; i <= entries + 2'000; ++i) again.get(hash(i), fresh).value = i;
    for (std::uint32_t i = 1; i <= entries + 2'000; ++i) EXPECT_NE(again.find(hash(i)), nullptr) << i;
  }
}

TEST(VictimTable, NoHostIsForgottenWhileGlancesGrow) {
  const KeyedHash hash(14);
  VictimTable hosts(hash, 1U << 14U, false, 200);
  constexpr std::uint32_t kHosts = 3'000, kEnough = 16;
  for (std::uint32_t round = 1; round <= kEnough; ++round) {
    for (std::uint32_t i = 0; i < kHosts; ++i) {
      Sighting o;
      o.time_us = kStart + round * 10'000;
      o.server = IpAddress::v4(kServer + i);
      o.server_key = hash(o.server);
      EXPECT_EQ(hosts.add(o, o.server_key, Tally::syn).victim != nullptr, round == kEnough) << i;
    }
  }
}

TEST(FirstFailure, IsRepeatedByTheSameAndByNothingElse) {
  Outcome o;
  o.began_us = kStart;
  o.time_us = kStart + kSecond;
  o.client = IpAddress::v4(1);
  o.server = IpAddress::v4(kServer);
  o.server_port = 80;
  o.tcp_flags = kSynFlag;
  o.result = Result::refused;
  FirstFailure first;
  first.set(o);
  EXPECT_TRUE(first.sound());
  EXPECT_EQ(first.outcome().server, o.server);
  EXPECT_EQ(first.outcome().began_us, o.began_us);
  EXPECT_TRUE(first.is_repeated(o, 60 * kSecond));
  Outcome later = o;
  later.time_us += 60 * kSecond;
  EXPECT_FALSE(first.is_repeated(later, 60 * kSecond));
  Outcome port = o, host = o, dropped = o;
  port.server_port = 81;
  host.server = IpAddress::v4(kServer + 1);
  dropped.result = Result::abandoned;
  for (const Outcome& other : {port, host, dropped}) EXPECT_FALSE(first.is_repeated(other, 60 * kSecond));
}

TEST(Successes, CountsDistinctOnesAndForgetsSlowly) {
  const KeyedHash hash(5);
  Successes s(1U << 16U);
  for (int round = 0; round < 5; ++round) {
    for (std::uint32_t i = 0; i < 40; ++i) s.add(hash(IpAddress::v4(1)), hash(i), kStart);
  }
  EXPECT_NEAR(s.count(hash(IpAddress::v4(1))), 40, 2);
  EXPECT_EQ(s.count(hash(IpAddress::v4(2))), 0u);
  s.add(hash(IpAddress::v4(3)), hash(99), kStart + 3'700 * kSecond);
  EXPECT_NEAR(s.count(hash(IpAddress::v4(1))), 20, 1);
}

TEST(Successes, NothingIsLostWhenTheirTableGrows) {
  const KeyedHash hash(5);
  Successes s(1U << 20U);
  for (std::uint32_t source = 0; source < 20'000; ++source) {
    for (std::uint32_t i = 0; i < 3; ++i) s.add(hash(source), hash.join(source, i), kStart);
    s.add_service(hash(source));
  }
  std::uint32_t more = 0, unknown = 0;
  for (std::uint32_t source = 0; source < 20'000; ++source) {
    // A pair in a thousand seems to be known before it comes.
    EXPECT_GE(s.count(hash(source)), 2u);
    EXPECT_TRUE(s.knows_service(hash(source)));
    more += s.count(hash(source)) > 3;
    unknown += !s.knows_service(hash(source + 1'000'000));
  }
  EXPECT_LT(more, 1'000u);
  EXPECT_GT(unknown, 19'800u);
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

TEST(KeyedHash, OfTextDependsOnTheKeyTheLengthAndEveryByte) {
  const KeyedHash hash(1);
  for (std::size_t length = 0; length < 50; ++length) {
    std::string text(length, 'a');
    const std::uint64_t whole = hash.text(text);
    EXPECT_NE(whole, KeyedHash(2).text(text));
    EXPECT_NE(whole, hash.text(text + std::string(1, '\0')));
    for (char& byte : text) {
      byte = 'b';
      EXPECT_NE(whole, hash.text(text)) << length;
      byte = 'a';
    }
  }
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
