#include "ids/state/address_table.h"

#include <gtest/gtest.h>

#include <thread>

#include "ids/state/tags.h"

namespace gatehouse::ids {
namespace {

constexpr std::int64_t kSecond = 1'000'000;

core::IpAddress ip(const char* text) {
  return *core::IpAddress::parse(text);
}

TEST(AddressBits, ABitLastsItsSecondsAndNoMore) {
  AddressBits bits(1U << 20U);
  const AddressKey key = AddressKey::host(ip("192.0.2.1"), 7);
  EXPECT_FALSE(bits.is_set(key, 0));
  bits.set(key, 10 * kSecond, 5);
  EXPECT_TRUE(bits.is_set(key, 10 * kSecond));
  EXPECT_TRUE(bits.is_set(key, 15 * kSecond));
  EXPECT_FALSE(bits.is_set(key, 15 * kSecond + 1));
  EXPECT_EQ(bits.size(), 0U);  // the look-up dropped it
  EXPECT_FALSE(bits.is_set(key, 15 * kSecond));
}

TEST(AddressBits, TogglesAndUnsets) {
  AddressBits bits(1U << 20U);
  const AddressKey key = AddressKey::pair(ip("192.0.2.1"), ip("192.0.2.2"), 1);
  bits.toggle(key, 0, 30);
  EXPECT_TRUE(bits.is_set(AddressKey::pair(ip("192.0.2.2"), ip("192.0.2.1"), 1), 0));
  bits.toggle(key, 0, 30);
  EXPECT_FALSE(bits.is_set(key, 0));
  bits.toggle(key, 0, 30);
  bits.toggle(key, 40 * kSecond, 30);  // it had ended: set anew
  EXPECT_TRUE(bits.is_set(key, 41 * kSecond));
  bits.unset(key, 41 * kSecond);
  EXPECT_FALSE(bits.is_set(key, 41 * kSecond));
}

TEST(AddressBits, NamesAddressesAndVersionsAreKeptApart) {
  AddressBits bits(1U << 20U);
  bits.set(AddressKey::host(ip("1.2.3.4"), 1), 0, 30);
  EXPECT_FALSE(bits.is_set(AddressKey::host(ip("1.2.3.4"), 2), 0));
  EXPECT_FALSE(bits.is_set(AddressKey::host(ip("1.2.3.5"), 1), 0));
  // The same leading bytes, as IPv6.
  EXPECT_FALSE(bits.is_set(AddressKey::host(ip("102:304::"), 1), 0));
  EXPECT_FALSE(bits.is_set(AddressKey::host(ip("::ffff:1.2.3.4"), 1), 0));
  bits.set(AddressKey::pair(ip("1.2.3.4"), ip("5.6.7.8"), 1), 0, 30);
  EXPECT_FALSE(bits.is_set(AddressKey::pair(ip("102:304::"), ip("506:708::"), 1), 0));
}

TEST(AddressBits, AMillionHostsStayWithinTheMemcap) {
  AddressBits bits(8U << 20U);
  for (std::uint32_t i = 0; i < 1'000'000; ++i)
    bits.set(AddressKey::host(core::IpAddress::v4(i), 1), i, 3600);
  EXPECT_LE(bits.memory_bytes(), 8U << 20U);
  EXPECT_GE(bits.memory_bytes(), 3U << 20U);
  EXPECT_LE(bits.size(), bits.capacity());
  EXPECT_GE(bits.size(), bits.capacity() * 99 / 100);
  EXPECT_EQ(bits.size() + bits.evictions(), 1'000'000U);
  // The latest ones are there: what goes is what was not used for the longest time.
  unsigned kept = 0;
  for (std::uint32_t i = 999'000; i < 1'000'000; ++i)
    kept += bits.is_set(AddressKey::host(core::IpAddress::v4(i), 1), i) ? 1U : 0U;
  EXPECT_EQ(kept, 1000U);
}

TEST(AddressBits, WorkersShareIt) {
  AddressBits bits(4U << 20U);
  std::vector<std::thread> workers;
  for (std::uint32_t w = 0; w < 4; ++w) {
    workers.emplace_back([&bits, w] {
      for (std::uint32_t i = 0; i < 20'000; ++i)
        bits.set(AddressKey::host(core::IpAddress::v4(i % 500), w), i, 3600);
    });
  }
  for (std::thread& worker : workers) worker.join();
  EXPECT_EQ(bits.size(), 2000U);
  for (std::uint32_t w = 0; w < 4; ++w)
    EXPECT_TRUE(bits.is_set(AddressKey::host(core::IpAddress::v4(499), w), 20'000));
}

Packet packet_at(std::int64_t time_us, const std::array<std::uint8_t, 100>& bytes) {
  Packet packet;
  packet.time_us = time_us;
  packet.frame = bytes;
  return packet;
}

Tag tag_of(TagMetric metric, std::uint32_t limit) {
  Tag tag;
  tag.sid = 1;
  tag.metric = metric;
  tag.limit = limit;
  return tag;
}

TEST(Tags, CountThePacketOfTheAlertButDoNotAskForIt) {
  const std::array<std::uint8_t, 100> bytes{};
  SessionTags tags;
  tags.add(tag_of(TagMetric::packets, 3));
  EXPECT_FALSE(tags.count(packet_at(0, bytes)));  // the alert's own
  EXPECT_TRUE(tags.count(packet_at(1, bytes)));
  EXPECT_TRUE(tags.count(packet_at(2, bytes)));
  EXPECT_FALSE(tags.count(packet_at(3, bytes)));
  EXPECT_TRUE(tags.empty());
}

TEST(Tags, CountBytesAndSeconds) {
  const std::array<std::uint8_t, 100> bytes{};
  SessionTags tags;
  tags.add(tag_of(TagMetric::bytes, 250));
  EXPECT_FALSE(tags.count(packet_at(0, bytes)));
  EXPECT_TRUE(tags.count(packet_at(1, bytes)));
  EXPECT_FALSE(tags.count(packet_at(2, bytes)));
  tags.add(tag_of(TagMetric::seconds, 2));
  EXPECT_FALSE(tags.count(packet_at(0, bytes)));
  EXPECT_TRUE(tags.count(packet_at(2 * kSecond, bytes)));
  EXPECT_FALSE(tags.count(packet_at(2 * kSecond + 1, bytes)));
}

TEST(Tags, ARuleThatGoesOnMatchingDoesNotTagForEver) {
  const std::array<std::uint8_t, 100> bytes{};
  SessionTags tags;
  unsigned told = 0;
  for (std::int64_t i = 0; i < 1000; ++i) {
    tags.add(tag_of(TagMetric::packets, 5));
    told += tags.count(packet_at(i, bytes)) ? 1U : 0U;
    if (tags.empty()) break;
  }
  EXPECT_EQ(told, 13U);  // nine renewals, one packet each, then what is left of the last count
}

TEST(Tags, AreBounded) {
  const std::array<std::uint8_t, 100> bytes{};
  HostTags tags;
  for (std::uint32_t i = 0; i < 100; ++i) {
    Tag tag = tag_of(TagMetric::packets, 10);
    tag.sid = i;
    tags.add(tag);
  }
  EXPECT_FALSE(tags.count(packet_at(0, bytes)));
  EXPECT_TRUE(tags.count(packet_at(1, bytes)));
  // Forgotten after ten silent minutes.
  EXPECT_FALSE(tags.count(packet_at(700 * kSecond, bytes)));
  EXPECT_TRUE(tags.empty());
}

}  // namespace
}  // namespace gatehouse::ids
