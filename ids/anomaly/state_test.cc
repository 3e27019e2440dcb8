#include "ids/anomaly/state.h"

#include <fmt/format.h>
#include <gtest/gtest.h>
#include <rapidcheck/gtest.h>

#include "ids/anomaly/testing_lab.h"

namespace gatehouse::ids::anomaly {
namespace {

using namespace testing;

// Each event in words: all that a reader of it sees.
struct Record : DetectionSink {
  void on_detection(const Detection& d) override {
    std::string line =
        fmt::format("{} {} {} {} {} {} {} {} {} {} {}", d.id, attack_class(d.verdict).klass,
                    to_string(d.phase), d.update, d.time_us, d.first_us, d.last_us, d.source.to_string(),
                    d.target.to_string(), d.sources_total, d.targets_total);
    for (const IpAddress& source : d.sources) line += " " + source.to_string();
    for (const Figure& figure : d.evidence) line += fmt::format(" {}={}", figure.first, figure.second);
    lines.push_back(line);
  }
  std::vector<std::string> lines;
};

AnomalyConfig small() {
  AnomalyConfig config;
  config.hash_seed = 99;
  config.memory_bytes = 12U << 20U;
  return config;
}

// Several things at once, in the order of time: scans, floods, clients, held connections, guesses.
std::vector<Observation> traffic(std::uint64_t seed, std::size_t count) {
  std::vector<Observation> out;
  std::uint64_t random = seed | 1;
  const auto draw = [&](std::uint64_t below) {
    random ^= random << 13U;
    random ^= random >> 7U;
    random ^= random << 17U;
    return (random >> 11U) % below;
  };
  std::int64_t now = kStart;
  const auto tell = [&](Contact contact, std::uint32_t client, std::uint32_t server, std::uint64_t port,
                        std::uint64_t client_port, std::uint8_t protocol = 6, std::uint64_t value = 0) {
    Observation o;
    o.time_us = now;
    o.packet = out.size() + 1;
    o.client = IpAddress::v4(client);
    o.server = IpAddress::v4(server);
    o.server_port = static_cast<std::uint16_t>(port);
    o.client_port = static_cast<std::uint16_t>(client_port);
    o.contact = contact;
    o.protocol = protocol;
    o.tcp_flags = protocol == 6 ? 0x02 : 0;
    o.value = value;
    o.service = port == 22 ? Service::ssh : port == 80 ? Service::http : Service::unknown;
    o.bytes = 300;
    out.push_back(o);
  };
  for (std::size_t i = 0; out.size() < count; ++i) {
    now += static_cast<std::int64_t>(draw(8'000));
    if (draw(400) == 0) now += static_cast<std::int64_t>(draw(30)) * kSecond;
    switch (draw(8)) {
      case 0:  // a scan
        tell(Contact::tcp_attempt, kAttacker, kServer, i % 900 + 1, 40000);
        if (draw(3) != 0) tell(Contact::tcp_refused, kAttacker, kServer, i % 900 + 1, 40000);
        break;
      case 1:  // a sweep
        tell(Contact::ping, kAttacker + 1, kServer + 100 + static_cast<std::uint32_t>(i % 200), 0, 0, 1, 1);
        break;
      case 2:  // a flood
        for (int n = 0; n < 5; ++n)
          tell(Contact::tcp_attempt, 0x0b000000U + static_cast<std::uint32_t>(draw(1U << 24U)), kServer + 1,
               443, draw(60000) + 1024);
        break;
      case 3:  // answers nobody asked for
        for (int n = 0; n < 4; ++n)
          tell(Contact::udp_attempt, 0x0c000000U + static_cast<std::uint32_t>(draw(20)), kServer + 2,
               draw(60000), 53, 17);
        break;
      case 4: {  // a client
        const auto client = 0xac140900U + static_cast<std::uint32_t>(draw(50));
        const std::uint64_t port = 1024 + i % 60000;
        for (const Contact c : {Contact::tcp_attempt, Contact::tcp_answered, Contact::tcp_completed,
                                Contact::tcp_data, Contact::http_head, Contact::http_request})
          tell(c, client, kServer + 3, 80, port, 6, draw(30));
        break;
      }
      case 5: {  // held connections
        for (const Contact c : {Contact::tcp_attempt, Contact::tcp_answered, Contact::tcp_completed})
          tell(c, kAttacker + 5, kServer + 4, 80, 1024 + i % 60000);
        if (draw(2) != 0) tell(Contact::tcp_data, kAttacker + 5, kServer + 4, 80, 1024 + i % 60000);
        break;
      }
      case 6:  // guesses
        tell(Contact::tcp_closed, kAttacker + 6, kServer + 5, 22, 1024 + i % 60000, 6, 1500);
        break;
      default:  // names that do not exist
        for (int n = 0; n < 3; ++n)
          tell(Contact::dns_query, 0xac140a01U, kServer + 6, 53, draw(60000), 17, draw(1U << 30U));
        break;
    }
  }
  return out;
}

void feed(Monitor& monitor, std::span<const Observation> part) {
  for (const Observation& o : part) {
    monitor.advance(o.time_us);
    monitor.on_observation(o);
  }
}

RC_GTEST_PROP(State, ACaptureCutAnywhereGivesTheSameEvents, ()) {
  const auto seed = *rc::gen::inRange<std::uint64_t>(1, 1U << 30U);
  const std::vector<Observation> all = traffic(seed, 6000);
  Record whole;
  {
    Monitor monitor(small(), whole);
    feed(monitor, all);
    monitor.finish(all.back().time_us);
  }
  RC_ASSERT(whole.lines.size() > 8u);
  std::vector<std::size_t> cuts =
      *rc::gen::container<std::vector<std::size_t>>(rc::gen::inRange<std::size_t>(0, all.size()));
  cuts.resize(std::min<std::size_t>(cuts.size(), 3));
  cuts.push_back(all.size());
  std::sort(cuts.begin(), cuts.end());
  Record parts;
  std::string state;
  std::size_t from = 0;
  for (const std::size_t to : cuts) {
    Monitor monitor(small(), parts);
    if (!state.empty()) RC_ASSERT(monitor.restore(state).has_value());
    feed(monitor, std::span(all).subspan(from, to - from));
    from = to;
    if (to == all.size()) {
      // A part without a packet changes nothing.
      if (to != 0) monitor.advance(all.back().time_us);
      monitor.finish(all.back().time_us);
    } else {
      state = monitor.suspend(to == 0 ? 0 : all[to - 1].time_us);
    }
  }
  std::sort(whole.lines.begin(), whole.lines.end());
  std::sort(parts.lines.begin(), parts.lines.end());
  RC_ASSERT(whole.lines == parts.lines);
}

std::string some_state() {
  Record record;
  Monitor monitor(small(), record);
  const auto all = traffic(5, 4000);
  feed(monitor, all);
  return monitor.suspend(all.back().time_us);
}

TEST(State, WhatIsDamagedIsRefusedAndSaysWhy) {
  const std::string good = some_state();
  ASSERT_GT(good.size(), 10'000u);
  const auto why = [](const std::string& content, AnomalyConfig config = small()) {
    Record record;
    Monitor monitor(config, record);
    const core::Status status = monitor.restore(content);
    return status ? std::string() : status.error().to_string();
  };
  EXPECT_EQ(why(good), "");
  EXPECT_NE(why("").find("no state"), std::string::npos);
  EXPECT_NE(why(good.substr(0, good.size() / 2)).find("cut off"), std::string::npos);
  EXPECT_NE(why(good + "x").find("behind its end"), std::string::npos);
  std::string flipped = good;
  flipped[good.size() / 2] = static_cast<char>(flipped[good.size() / 2] ^ 1);
  EXPECT_NE(why(flipped).find("checksum"), std::string::npos);
  std::string version = good;
  version[8] = 77;
  EXPECT_NE(why(version).find("version 77"), std::string::npos);
  AnomalyConfig other = small();
  other.memory_bytes = 64U << 20U;
  EXPECT_NE(why(good, other).find("anomaly.memory"), std::string::npos);
  other = small();
  other.hash_seed = 5;
  EXPECT_NE(why(good, other).find("anomaly.seed"), std::string::npos);
  other = small();
  other.without = {"guessing"};
  EXPECT_NE(why(good, other).find("other detectors"), std::string::npos);
}

// Whoever can write the file can mend its checksum: what is taken up must be sound all the same.
RC_GTEST_PROP(State, AForgedFileIsRefusedOrHarmless, ()) {
  static const std::string good = some_state();
  std::string_view body;
  const auto head = read_state_head(good, body);
  std::string forged(body);
  const int changes = *rc::gen::inRange(1, 6);
  for (int i = 0; i < changes; ++i) {
    const auto at = *rc::gen::inRange<std::size_t>(0, forged.size());
    const auto size = std::min<std::size_t>(*rc::gen::element<std::size_t>(1, 4, 8), forged.size() - at);
    const char with = *rc::gen::element('\0', '\x7f', '\xff', '\x01');
    std::fill_n(forged.begin() + static_cast<std::ptrdiff_t>(at), size, with);
  }
  Record record;
  Monitor monitor(small(), record);
  if (!monitor.restore(state_file(*head, forged))) return;
  auto after = traffic(7, 3000);
  for (Observation& o : after) o.time_us += head->time_us - kStart;
  feed(monitor, after);
  monitor.finish(after.back().time_us);
}

TEST(State, ACaptureOfBeforeSetsItAsideAndLeavesTheFileAlone) {
  const std::string good = some_state();
  Record record;
  Monitor monitor(small(), record);
  ASSERT_TRUE(monitor.restore(good).has_value());
  auto before = traffic(9, 500);
  for (Observation& o : before) o.time_us -= 3600 * kSecond;
  feed(monitor, before);
  EXPECT_EQ(monitor.suspend(before.back().time_us), "");
  ASSERT_FALSE(record.lines.empty());
  EXPECT_EQ(record.lines[0].substr(0, 2), "1 ");
}

TEST(State, NoPacketLeavesItAsItWas) {
  const std::string good = some_state();
  Record record;
  Monitor monitor(small(), record);
  EXPECT_EQ(monitor.suspend(0), "");
  ASSERT_TRUE(monitor.restore(good).has_value());
  EXPECT_EQ(monitor.suspend(0), good);
}

}  // namespace
}  // namespace gatehouse::ids::anomaly
