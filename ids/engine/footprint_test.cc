// What a packet costs in memory, and that the counters account for every packet and every flow.
#include <gtest/gtest.h>

#include "core/recycled.h"
#include "ids/alert/testing/allocations.h"
#include "ids/engine/testing/traffic.h"

namespace gatehouse::ids::testing {
namespace {

constexpr std::int64_t kHour = 3'600'000'000;
constexpr std::string_view kAlerts = "eve: {types: {alert: {}}}";
constexpr std::string_view kRules =
    "alert http any any -> any any (msg:\"a\"; http.uri; content:\"/never/there\"; sid:1;)\n"
    "alert http any any -> any any (msg:\"b\"; file_data; content:\"never-in-there\"; sid:2;)\n"
    "alert tls any any -> any any (msg:\"c\"; tls.sni; content:\"never.example\"; sid:3;)\n"
    "alert dns any any -> any any (msg:\"d\"; dns.query; content:\"never.example\"; sid:4;)\n"
    "alert smtp any any -> any any (msg:\"e\"; content:\"never-in-there\"; sid:5;)\n"
    "alert udp any any -> any any (msg:\"f\"; content:\"never-in-there\"; sid:6;)\n"
    "alert tcp any any -> any any (msg:\"g\"; flags:SF; sid:7;)\n";

void expect_flows_add_up(const FlowTableCounters& f) {
  EXPECT_EQ(f.total, f.active + f.timed_out + f.tcp_reuse + f.finished + f.evicted_fresh +
                         f.evicted_established + f.evicted_closed);
  EXPECT_EQ(f.total, f.tcp + f.udp + f.icmpv4 + f.icmpv6 + f.other);
}

void expect_packets_add_up(const engine::StatsSnapshot& stats) {
  EXPECT_EQ(stats.packets, stats.detect.inspected_packets + stats.bypassed);
  EXPECT_EQ(stats.packets,
            stats.decoder.packets + stats.defrag.ipv4_reassembled + stats.defrag.ipv6_reassembled);
}

// Each packet begins a flow, and each flow ends one: nothing is asked of the heap once the share of the
// unanswered is full.
TEST(Footprint, AFloodAllocatesNothing) {
  if (!core::kRecycle) GTEST_SKIP() << "a sanitizer must see each object come and go";
  for (const bool udp_flood : {false, true}) {
    SCOPED_TRACE(udp_flood ? "udp" : "tcp");
    Sensor sensor(kRules, "{settings: {flow: {memcap: 4mb}}, eve: {types: {alert: {}}}}");
    std::vector<Frame> frames;
    for (unsigned i = 0; i < 8'000; ++i) frames.push_back(flood_packet(i, udp_flood));
    std::size_t before = 0;
    for (std::size_t i = 0; i < frames.size(); ++i) {
      if (i == frames.size() / 2) before = alert::allocations();
      sensor.feed(frames[i]);
    }
    EXPECT_EQ(alert::allocations() - before, 0U);
    EXPECT_GT(sensor.stats().flow.evicted_fresh, 4'000U);
  }
}

// Packets in the middle of a transfer: headers were read, the body goes on.
TEST(Footprint, ABodyAllocatesNothingPerPacket) {
  Sensor sensor(kRules, kAlerts);
  TcpConversation talk;
  talk.handshake().client_sends("GET /a HTTP/1.1\r\nHost: shop.example\r\n\r\n");
  talk.server_sends("HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nContent-Length: 2000000\r\n\r\n");
  for (int i = 0; i < 1'500; ++i) talk.server_sends(std::string(1'000, 'b'));
  const auto& frames = talk.frames();
  // Half a megabyte: what rules look at of a body is full by then.
  std::size_t before = 0, busy = 0;
  for (std::size_t i = 0; i < frames.size(); ++i) {
    before = alert::allocations();
    sensor.feed(frames[i]);
    if (i >= frames.size() / 2 && alert::allocations() != before) ++busy;
  }
  // A buffer that grows with the body doubles once in a while.
  EXPECT_LE(busy, 2U) << "packets of " << frames.size() / 2;
}

// What a conversation allocates is its transactions (ids/engine/NOTES.md lists them); as much for the
// hundredth as for the tenth, and little of it.
TEST(Footprint, ConversationsAllocateTheirTransactionsOnly) {
  if (!core::kRecycle) GTEST_SKIP() << "a sanitizer must see each object come and go";
  struct Row {
    Talk talk;
    std::size_t most;  // for one conversation
  };
  constexpr Row kRows[] = {{Talk::web, 205}, {Talk::dns, 20}, {Talk::tls, 32}, {Talk::mail, 36}};
  for (const Row& row : kRows) {
    SCOPED_TRACE(to_string(row.talk));
    Sensor sensor(kRules, kAlerts);
    constexpr unsigned kPass = 20;
    std::vector<std::vector<Frame>> pass;
    for (unsigned i = 0; i < kPass; ++i) pass.push_back(conversation(row.talk, i));
    std::array<std::size_t, 6> cost{};
    for (std::size_t round = 0; round < cost.size(); ++round) {
      const std::size_t before = alert::allocations();
      for (const auto& frames : pass) sensor.feed(frames, static_cast<std::int64_t>(round) * kHour);
      cost[round] = alert::allocations() - before;
    }
    EXPECT_EQ(cost[5], cost[4]);
    EXPECT_LE(cost[5], row.most * kPass) << "each " << static_cast<double>(cost[5]) / kPass;
  }
}

TEST(Footprint, CapsHoldUnderFloods) {
  constexpr std::string_view kSmall =
      "{settings: {flow: {memcap: 4mb}, stream: {memcap: 1mb, reassembly: {memcap: 1mb}}, defrag: {memcap: "
      "1mb}}}";
  struct Row {
    const char* name;
    std::vector<Frame> frames;
  };
  std::vector<Row> rows(4);
  rows[0].name = "tcp";
  rows[1].name = "udp";
  rows[2].name = "fragments";
  rows[3].name = "out of order";
  for (unsigned i = 0; i < 20'000; ++i) {
    rows[0].frames.push_back(flood_packet(i, false));
    rows[1].frames.push_back(flood_packet(i, true));
    rows[2].frames.push_back(lone_fragment(i));
  }
  rows[3].frames = segments_beyond_a_hole(4'000);
  for (const Row& row : rows) {
    SCOPED_TRACE(row.name);
    Sensor sensor({}, kSmall);
    for (const Frame& frame : row.frames) {
      sensor.feed(frame);
      const engine::StatsSnapshot stats = sensor.stats();
      ASSERT_LE(stats.flow.memuse, 4U << 20U);
      ASSERT_LE(stats.tcp.memuse, 1U << 20U);
      ASSERT_LE(stats.tcp.reassembly_memuse, 1U << 20U);
      ASSERT_LE(stats.defrag.memuse, 1U << 20U);
    }
    engine::StatsSnapshot stats = sensor.stats();
    expect_packets_add_up(stats);
    expect_flows_add_up(stats.flow);
    EXPECT_EQ(stats.decoder.packets, row.frames.size());
    sensor.worker().finish();
    stats = sensor.stats();
    expect_flows_add_up(stats.flow);
    EXPECT_EQ(stats.flow.active, 0U);
    EXPECT_EQ(stats.tcp.active_sessions, 0U);
    EXPECT_EQ(stats.tcp.memuse, 0U);
    EXPECT_EQ(stats.tcp.reassembly_memuse, 0U);
  }
}

TEST(Footprint, CountersOfMixedTrafficAddUp) {
  Sensor sensor(kRules);
  std::size_t frames = 0;
  for (unsigned i = 0; i < 50; ++i) {
    for (const Talk talk : kTalks) {
      const auto packets = conversation(talk, i * 10 + static_cast<unsigned>(talk));
      frames += packets.size();
      sensor.feed(packets);
    }
  }
  engine::StatsSnapshot stats = sensor.stats();
  EXPECT_EQ(stats.decoder.packets, frames);
  EXPECT_EQ(stats.flow.total, 200U);
  expect_packets_add_up(stats);
  expect_flows_add_up(stats.flow);
  sensor.worker().finish();
  stats = sensor.stats();
  expect_flows_add_up(stats.flow);
  std::uint64_t flows = 0;
  for (const std::uint64_t count : stats.app_flows) flows += count;
  EXPECT_EQ(flows, stats.flow.total);
}

}  // namespace
}  // namespace gatehouse::ids::testing
