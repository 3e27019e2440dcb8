#include "ids/flow/flow_table.h"

#include <gtest/gtest.h>

#include <set>

#include "ids/flow/testing_pipeline.h"

namespace gatehouse::ids {
namespace {

using namespace testing;  // packet builder, pipeline

Frame udp_frame(const char* source, std::uint16_t from, const char* destination, std::uint16_t to,
                std::int64_t seconds) {
  IpFields fields;
  fields.source = source;
  fields.destination = destination;
  fields.protocol = 17;
  return {ethernet_ip(ipv4(fields, udp(from, to, from_text("x")))), seconds * 1'000'000};
}

Frame icmp_frame(const char* source, const char* destination, std::uint8_t type, std::uint8_t code,
                 const Bytes& payload = {}) {
  IpFields fields;
  fields.source = source;
  fields.destination = destination;
  fields.protocol = 1;
  return {ethernet_ip(ipv4(fields, icmp(type, code, 0x00010001, payload))), 1'000'000};
}

TEST(FlowTable, BothDirectionsAreOneFlow) {
  FlowPipeline run;
  run.feed(udp_frame("10.0.0.1", 5000, "10.0.0.2", 53, 1));
  EXPECT_EQ(run.packets.back().direction, Direction::to_server);
  EXPECT_FALSE(run.packets.back().established);
  run.feed(udp_frame("10.0.0.2", 53, "10.0.0.1", 5000, 2));
  EXPECT_EQ(run.packets.back().direction, Direction::to_client);
  EXPECT_TRUE(run.packets.back().established);
  run.finish();
  ASSERT_EQ(run.ended.size(), 1U);
  EXPECT_EQ(run.ended[0].state, FlowState::established);
  EXPECT_EQ(run.ended[0].counters[0].packets, 1U);
  EXPECT_EQ(run.ended[0].counters[1].packets, 1U);
  EXPECT_EQ(run.ended[0].counters[1].bytes, 43U);
}

TEST(FlowTable, TimeEndsFlowsByProtocolAndState) {
  FlowPipeline run;
  run.feed(udp_frame("10.0.0.1", 1, "10.0.0.2", 53, 0));  // new: 30 s
  run.feed(udp_frame("10.0.0.1", 2, "10.0.0.2", 53, 0));
  run.feed(udp_frame("10.0.0.2", 53, "10.0.0.1", 2, 0));  // established: 300 s
  run.table().expire(29'999'999);
  EXPECT_TRUE(run.ended.empty());
  run.table().expire(30'000'000);
  ASSERT_EQ(run.ended.size(), 1U);
  EXPECT_EQ(run.ended[0].reason, FlowEndReason::timeout);
  EXPECT_EQ(run.ended[0].key.client_port, 1);
  run.table().expire(299'999'999);
  EXPECT_EQ(run.ended.size(), 1U);
  run.table().expire(300'000'000);
  EXPECT_EQ(run.ended.size(), 2U);
  EXPECT_EQ(run.table().counters().active, 0U);
}

TEST(FlowTable, ClosedTcpFlowsGoSooner) {
  FlowPipeline run;
  run.feed(TcpConversation().handshake().client_sends("x").close().frames());
  const std::int64_t last = run.packets.back().time_us;
  run.table().expire(last + 59'000'000);
  EXPECT_TRUE(run.ended.empty());
  run.table().expire(last + 60'000'000);
  ASSERT_EQ(run.ended.size(), 1U);
  EXPECT_EQ(run.ended[0].state, FlowState::closed);
}

TEST(FlowTable, VlansKeepFlowsApartUnlessToldNot) {
  const Frame plain = udp_frame("10.0.0.1", 1, "10.0.0.2", 53, 0);
  Frame tagged = plain;
  const Bytes tag = {0x81, 0x00, 0x00, 0x05};
  tagged.data.insert(tagged.data.begin() + 12, tag.begin(), tag.end());
  FlowPipeline apart;
  apart.feed(plain).feed(tagged).finish();
  EXPECT_EQ(apart.ended.size(), 2U);
  FlowPipeline::Options options;
  options.flow.use_vlan = false;
  FlowPipeline together(options);
  together.feed(plain).feed(tagged).finish();
  EXPECT_EQ(together.ended.size(), 1U);
}

TEST(FlowTable, EchoAndReplyAreOneFlow) {
  FlowPipeline run;
  run.feed(icmp_frame("10.0.0.1", "10.0.0.2", 8, 0)).feed(icmp_frame("10.0.0.2", "10.0.0.1", 0, 0));
  EXPECT_EQ(run.last_flow->icmp_type[0], 8);
  EXPECT_EQ(run.last_flow->icmp_type[1], 0);
  run.finish();
  EXPECT_EQ(run.ended.size(), 1U);
}

TEST(FlowTable, UnreachableBelongsToTheFlowItReports) {
  const Frame datagram = udp_frame("10.0.0.1", 5000, "10.0.0.2", 53, 1);
  const Bytes quoted(datagram.data.begin() + 14, datagram.data.end());
  FlowPipeline run;
  run.feed(datagram);
  const Flow* flow = run.last_flow;
  run.feed(icmp_frame("10.0.0.9", "10.0.0.1", 3, 1, quoted));
  EXPECT_EQ(run.last_flow, flow);
  EXPECT_EQ(run.packets.back().direction, Direction::to_client);
  // About a flow nobody knows: no flow.
  FlowPipeline unknown;
  unknown.feed(icmp_frame("10.0.0.9", "10.0.0.1", 3, 1, quoted));
  EXPECT_EQ(unknown.last_flow, nullptr);
}

TEST(FlowTable, IdsAreUniqueAndSmall) {
  FlowPipeline run;
  for (std::uint16_t port = 1; port < 2000; ++port) run.feed(udp_frame("10.0.0.1", port, "10.0.0.2", 53, 0));
  run.finish();
  std::set<std::uint64_t> ids;
  for (const auto& ended : run.ended) {
    EXPECT_NE(ended.id, 0U);
    EXPECT_LT(ended.id, std::uint64_t{1} << 51U);
    ids.insert(ended.id);
  }
  EXPECT_EQ(ids.size(), 1999U);
}

TEST(FlowTable, FullTableEvictsTheOldestThatSaidNothing) {
  FlowPipeline::Options options;
  options.flow.memcap_bytes = 1U << 18U;
  FlowPipeline run(options);
  run.feed(udp_frame("10.9.9.9", 9, "10.0.0.2", 53, 0)).feed(udp_frame("10.0.0.2", 53, "10.9.9.9", 9, 0));
  const std::uint64_t answered = run.last_flow->id;
  for (std::uint16_t port = 1; port < 3000; ++port) run.feed(udp_frame("10.0.0.1", port, "10.0.0.2", 53, 0));
  const FlowTableCounters& counters = run.table().counters();
  EXPECT_LE(counters.memuse, options.flow.memcap_bytes);
  EXPECT_GT(counters.evicted_fresh, 0U);
  EXPECT_EQ(counters.evicted_established, 0U);
  EXPECT_EQ(counters.emerg_mode_entered, 1U);
  EXPECT_TRUE(run.table().emergency());
  ASSERT_FALSE(run.ended.empty());
  EXPECT_EQ(run.ended[0].reason, FlowEndReason::forced);
  EXPECT_EQ(run.ended[0].key.client_port, 1);
  for (const auto& ended : run.ended) EXPECT_NE(ended.id, answered);
  run.table().expire(40'000'000);
  EXPECT_FALSE(run.table().emergency());
  EXPECT_EQ(counters.emerg_mode_over, 1U);
}

// A flood of packets that nobody answers neither takes the whole table nor shortens the life of flows that
// were answered: what it exceeds is its own share.
TEST(FlowTable, FloodStaysInItsShare) {
  FlowPipeline::Options options;
  options.flow.memcap_bytes = 4U << 20U;
  FlowPipeline run(options);
  run.feed(udp_frame("10.9.9.9", 9, "10.0.0.2", 53, 0)).feed(udp_frame("10.0.0.2", 53, "10.9.9.9", 9, 0));
  const std::uint64_t answered = run.last_flow->id;
  for (int host = 0; host < 5; ++host) {
    const std::string source = "10.0.1." + std::to_string(host);
    for (std::uint16_t port = 1; port < 5000; ++port)
      run.feed(udp_frame(source.c_str(), port, "10.0.0.2", 53, 1));
  }
  const FlowTableCounters& counters = run.table().counters();
  EXPECT_LT(counters.memuse, options.flow.memcap_bytes / 3);
  EXPECT_GT(counters.evicted_fresh, 20'000U);
  EXPECT_EQ(counters.total, counters.active + counters.evicted_fresh);
  EXPECT_TRUE(run.table().emergency());
  // The hurried time-out of an answered flow would be 100 s.
  run.table().expire(299'000'000);
  EXPECT_EQ(counters.active, 1U);
  for (const auto& ended : run.ended) EXPECT_NE(ended.id, answered);
}

TEST(FlowTable, FragmentsAndBrokenHeadersHaveNoFlow) {
  FlowPipeline run;
  IpFields fields;
  fields.protocol = 6;
  run.feed({ethernet_ip(ipv4(fields, {1, 2, 3})), 0});
  EXPECT_EQ(run.last_flow, nullptr);
  fields.protocol = 89;
  run.feed({ethernet_ip(ipv4(fields, {1, 2, 3})), 0});
  EXPECT_EQ(run.last_flow, nullptr);
  run.feed({ethernet({1, 2, 3}, 0x0806), 0});
  EXPECT_EQ(run.last_flow, nullptr);
  EXPECT_EQ(run.table().counters().total, 0U);
}

}  // namespace
}  // namespace gatehouse::ids
