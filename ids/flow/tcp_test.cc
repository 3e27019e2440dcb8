#include "ids/flow/tcp.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "ids/flow/testing_pipeline.h"

namespace gatehouse::ids {
namespace {

using ::testing::Contains;
using ::testing::ElementsAre;
using testing::FlowPipeline;
using ::testing::IsEmpty;
using testing::TcpConversation;

constexpr std::uint8_t kAck = kTcpAck, kSynAck = kTcpSyn | kTcpAck, kData = kTcpPsh | kTcpAck;

TEST(Tcp, DeliversWhatTheOtherSideAcknowledged) {
  FlowPipeline run;
  TcpConversation talk;
  talk.handshake().client_data("GET / HTTP/1.1\r\n\r\n");
  run.feed(talk.frames());
  EXPECT_THAT(run.deliveries, IsEmpty());
  talk.frames().clear();
  talk.server_data("HTTP/1.1 200 OK\r\n\r\n").client_ack();
  run.feed(talk.frames());
  ASSERT_EQ(run.deliveries.size(), 2U);
  EXPECT_EQ(run.deliveries[0].data, "GET / HTTP/1.1\r\n\r\n");
  EXPECT_EQ(run.deliveries[0].packet, 5U);  // the server's data packet carries the ACK
  EXPECT_EQ(run.deliveries[1].data, "HTTP/1.1 200 OK\r\n\r\n");
  EXPECT_EQ(run.deliveries[1].packet, 6U);
  EXPECT_THAT(run.events, IsEmpty());
}

TEST(Tcp, OrderlyCloseEndsBothStreamsOnce) {
  FlowPipeline run;
  run.feed(TcpConversation().handshake().client_sends("hello").server_sends("world").close().frames());
  EXPECT_EQ(run.last_tcp_state, TcpState::closed);
  run.finish();
  EXPECT_EQ(run.to_server(), "hello");
  EXPECT_EQ(run.to_client(), "world");
  unsigned ends = 0;
  for (const auto& delivery : run.deliveries) ends += delivery.end ? 1 : 0;
  EXPECT_EQ(ends, 2U);
  ASSERT_EQ(run.ended.size(), 1U);
  EXPECT_EQ(run.ended[0].state, FlowState::closed);
  EXPECT_EQ(run.ended[0].reason, FlowEndReason::shutdown);
  EXPECT_THAT(run.events, IsEmpty());
}

TEST(Tcp, StatesAsTheFieldNamesThem) {
  FlowPipeline run;
  TcpConversation talk;
  const auto state_after = [&](auto&& step) {
    talk.frames().clear();
    step();
    run.feed(talk.frames());
    return run.last_tcp_state;
  };
  EXPECT_EQ(state_after([&] { talk.raw(true, kTcpSyn, 0, 0); }), TcpState::syn_sent);
  EXPECT_EQ(state_after([&] { talk.raw(false, kSynAck, 0, 1); }), TcpState::syn_recv);
  EXPECT_EQ(state_after([&] { talk.raw(true, kAck, 1, 1); }), TcpState::established);
  EXPECT_EQ(state_after([&] { talk.raw(false, kAck | kTcpFin, 1, 1); }), TcpState::fin_wait1);
  EXPECT_EQ(state_after([&] { talk.raw(true, kAck, 1, 2); }), TcpState::fin_wait2);
  EXPECT_EQ(state_after([&] { talk.raw(true, kAck | kTcpFin, 1, 2); }), TcpState::time_wait);
  EXPECT_EQ(run.last_flow->state, FlowState::closed);
  EXPECT_EQ(state_after([&] { talk.raw(false, kAck, 2, 2); }), TcpState::closed);
  EXPECT_THAT(run.events, IsEmpty());
}

TEST(Tcp, ClientClosesFirst) {
  FlowPipeline run;
  TcpConversation talk;
  talk.handshake().raw(true, kAck | kTcpFin, 1, 1);
  run.feed(talk.frames());
  EXPECT_EQ(run.last_tcp_state, TcpState::close_wait);
  EXPECT_EQ(run.last_flow->state, FlowState::established);
  run.feed(TcpConversation().raw(false, kAck | kTcpFin, 1, 2).frames());
  EXPECT_EQ(run.last_tcp_state, TcpState::last_ack);
  run.feed(TcpConversation().raw(true, kAck, 2, 2).frames());
  EXPECT_EQ(run.last_tcp_state, TcpState::closed);
}

TEST(Tcp, ResetFlushesAtTheEndOfTheFlow) {
  FlowPipeline run;
  run.feed(TcpConversation().handshake().client_data("let me in").server_reset().frames());
  EXPECT_EQ(run.last_tcp_state, TcpState::closed);
  run.finish();
  EXPECT_EQ(run.to_server(), "let me in");
}

TEST(Tcp, GapIsReportedOnceAndTheRestGoesOn) {
  FlowPipeline run;
  TcpConversation talk;
  talk.handshake().client_sends("first ");
  talk.raw(true, kData, 1 + 6 + 7, 1, "third");  // 7 bytes never seen
  talk.raw(false, kAck, 1, 1 + 6 + 7 + 5);
  run.feed(talk.frames());
  ASSERT_EQ(run.deliveries.size(), 3U);
  EXPECT_EQ(run.deliveries[1].gap, 7U);
  EXPECT_EQ(run.deliveries[1].offset, 13U);
  EXPECT_EQ(run.deliveries[2].data, "third");
  EXPECT_EQ(run.deliveries[2].offset, 13U);
  EXPECT_THAT(run.events, ElementsAre("reassembly_seq_gap"));
  EXPECT_EQ(run.tcp().counters().reassembly_gap, 1U);
}

// The two directions reach a capture by queues of their own.
TEST(Tcp, DataAcknowledgedBeforeItIsSeenIsNoGap) {
  FlowPipeline run;
  TcpConversation talk;
  talk.handshake();
  talk.raw(false, kAck, 1, 1 + 5);
  talk.raw(true, kData, 1, 1, "first");
  talk.raw(false, kAck, 1, 1 + 5 + 6);
  talk.raw(true, kData, 1 + 5, 1, "second");
  talk.raw(false, kAck, 1, 1 + 5 + 6);
  run.feed(talk.frames());
  EXPECT_EQ(run.to_server(), "firstsecond");
  EXPECT_TRUE(run.events.empty());
  EXPECT_EQ(run.tcp().counters().reassembly_gap, 0U);
  EXPECT_EQ(run.tcp().counters().ack_unseen_data, 2U);
}

TEST(Tcp, DepthEndsTheStream) {
  FlowPipeline::Options options;
  options.tcp.depth_bytes = 8;
  FlowPipeline run(options);
  run.feed(TcpConversation().handshake().client_sends("0123456789").client_sends("more").frames()).finish();
  EXPECT_EQ(run.to_server(), "01234567");
  ASSERT_GE(run.deliveries.size(), 2U);
  EXPECT_TRUE(run.deliveries[1].end);
  EXPECT_TRUE(run.deliveries[1].depth_reached);
  EXPECT_THAT(run.events, Contains("reassembly_depth_reached"));
}

TEST(Tcp, MidstreamNeedsTheOption) {
  TcpConversation talk;
  talk.raw(true, kData, 1, 1, "hello")
      .raw(false, kAck, 1, 6)
      .raw(false, kData, 1, 6, "yes")
      .raw(true, kAck, 6, 4);
  FlowPipeline without;
  without.feed(talk.frames()).finish();
  EXPECT_EQ(without.to_server(), "");
  ASSERT_EQ(without.ended.size(), 1U);
  EXPECT_EQ(without.ended[0].state, FlowState::fresh);

  FlowPipeline::Options options;
  options.tcp.midstream = true;
  FlowPipeline with(options);
  with.feed(talk.frames());
  EXPECT_EQ(with.to_server(), "hello");
  EXPECT_EQ(with.to_client(), "yes");
  EXPECT_EQ(with.last_flow->state, FlowState::established);
  EXPECT_EQ(with.tcp().counters().midstream_pickups, 1U);
}

TEST(Tcp, MidstreamSynAckTurnsTheFlowAround) {
  FlowPipeline::Options options;
  options.tcp.midstream = true;
  FlowPipeline run(options);
  TcpConversation talk;
  talk.raw(false, kSynAck, 0, 1).raw(true, kAck, 1, 1).raw(true, kData, 1, 1, "hello").raw(false, kAck, 1, 6);
  run.feed(talk.frames());
  EXPECT_EQ(run.last_flow->key.client_port, 40000);
  EXPECT_EQ(run.last_flow->key.server_port, 80);
  EXPECT_EQ(run.to_server(), "hello");
  EXPECT_EQ(run.last_flow->counters[0].packets, 2U);
  EXPECT_EQ(run.last_flow->counters[1].packets, 2U);
}

TEST(Tcp, OneSidedTrafficIsDeliveredAtOnce) {
  FlowPipeline::Options options;
  options.tcp.async_oneside = true;
  FlowPipeline run(options);
  TcpConversation talk;
  talk.raw(true, kTcpSyn, 0, 0).raw(true, kAck, 1, 1).raw(true, kData, 1, 1, "hello");
  run.feed(talk.frames());
  EXPECT_EQ(run.to_server(), "hello");
  EXPECT_TRUE(run.last_session->async());
}

TEST(Tcp, NewSynOnAnEndedSessionIsANewFlow) {
  FlowPipeline run;
  TcpConversation::Endpoints second;
  second.client_isn = 77'000;
  second.start_us += 1'000'000;
  run.feed(TcpConversation().handshake().client_sends("one").close().frames());
  run.feed(TcpConversation(second).handshake().client_sends("two").frames());
  ASSERT_EQ(run.ended.size(), 1U);
  EXPECT_EQ(run.ended[0].reason, FlowEndReason::tcp_reuse);
  run.finish();
  ASSERT_EQ(run.ended.size(), 2U);
  EXPECT_NE(run.ended[0].id, run.ended[1].id);
  EXPECT_EQ(run.to_server(), "onetwo");
}

TEST(Tcp, InjectedResetDoesNotBlind) {
  FlowPipeline run;
  TcpConversation talk;
  talk.handshake().client_sends("first ");
  talk.raw(false, kTcpRst, 1, 0);  // forged in the server's name
  talk.raw(false, kAck, 1, 7);
  talk.client_sends("second");
  run.feed(talk.frames());
  EXPECT_EQ(run.to_server(), "first second");
  EXPECT_THAT(run.events, Contains("suspected_rst_inject"));
}

TEST(Tcp, OutOfWindowResetIsIgnored) {
  FlowPipeline run;
  TcpConversation talk;
  talk.handshake().raw(false, kTcpRst, 500'000, 0).client_sends("still here");
  run.feed(talk.frames());
  EXPECT_EQ(run.to_server(), "still here");
  EXPECT_EQ(run.last_tcp_state, TcpState::established);
}

// A scan of every port leaves half-open flows only; they must give way to a real connection.
TEST(Tcp, HalfOpenFlowsGiveWayToANewSession) {
  FlowPipeline::Options options;
  options.tcp.session_memcap_bytes = 16 << 10;
  FlowPipeline run(options);
  for (std::uint16_t port = 1; port <= 500; ++port) {
    TcpConversation::Endpoints probe;
    probe.server_port = port;
    probe.client_port = 50000;
    TcpConversation syn(probe);
    syn.raw(true, kTcpSyn, 0, 0);
    run.feed(syn.frames());
  }
  EXPECT_GT(run.table().counters().evicted_fresh, 400U);
  EXPECT_EQ(run.tcp().counters().ssn_memcap_drop, 0U);
  TcpConversation talk;
  talk.handshake().client_sends("GET / HTTP/1.1\r\n\r\n");
  run.feed(talk.frames());
  EXPECT_EQ(run.to_server(), "GET / HTTP/1.1\r\n\r\n");
}

TEST(Tcp, EstablishedSessionsDoNotGiveWay) {
  FlowPipeline::Options options;
  options.tcp.session_memcap_bytes = 16 << 10;
  FlowPipeline run(options);
  for (std::uint16_t port = 1; port <= 100; ++port) {
    TcpConversation::Endpoints ends;
    ends.client_port = port;
    TcpConversation talk(ends);
    talk.handshake();
    run.feed(talk.frames());
  }
  EXPECT_EQ(run.table().counters().evicted_established, 0U);
  EXPECT_GT(run.tcp().counters().ssn_memcap_drop, 0U);
  EXPECT_EQ(run.tcp().counters().active_sessions, run.tcp().counters().sessions);
}

TEST(Tcp, BadChecksumIsCountedAndIgnored) {
  FlowPipeline run;
  TcpConversation talk;
  talk.handshake().client_data("evil").client_data("good").server_ack();
  talk.frames()[3].data.back() ^= 1;
  run.feed(talk.frames());
  EXPECT_EQ(run.tcp().counters().invalid_checksum, 1U);
  EXPECT_EQ(run.to_server(), "good");
}

struct EventRow {
  const char* name;
  void (*talk)(TcpConversation&);
  const char* event;
};

void PrintTo(const EventRow& row, std::ostream* out) {
  *out << row.name;
}

class StreamEvents : public ::testing::TestWithParam<EventRow> {};

TEST_P(StreamEvents, AreReported) {
  FlowPipeline run;
  TcpConversation talk;
  GetParam().talk(talk);
  run.feed(talk.frames());
  EXPECT_THAT(run.events, Contains(GetParam().event));
}

const EventRow kEventRows[] = {
    {"synack_wrong_ack", [](TcpConversation& t) { t.raw(true, kTcpSyn, 0, 0).raw(false, kSynAck, 0, 5); },
     "3whs_synack_with_wrong_ack"},
    {"synack_from_client", [](TcpConversation& t) { t.raw(true, kTcpSyn, 0, 0).raw(true, kSynAck, 0, 1); },
     "3whs_synack_in_wrong_direction"},
    {"synack_other_seq",
     [](TcpConversation& t) {
       t.raw(true, kTcpSyn, 0, 0).raw(false, kSynAck, 0, 1).raw(false, kSynAck, 50, 1);
     },
     "3whs_synack_resend_with_diff_seq"},
    {"synack_other_ack",
     [](TcpConversation& t) {
       t.raw(true, kTcpSyn, 0, 0).raw(false, kSynAck, 0, 1).raw(false, kSynAck, 0, 9);
     },
     "3whs_synack_resend_with_different_ack"},
    {"ack_from_server",
     [](TcpConversation& t) { t.raw(true, kTcpSyn, 0, 0).raw(false, kSynAck, 0, 1).raw(false, kAck, 1, 1); },
     "3whs_ack_in_wrong_dir"},
    {"wrong_ack",
     [](TcpConversation& t) { t.raw(true, kTcpSyn, 0, 0).raw(false, kSynAck, 0, 1).raw(true, kAck, 1, 77); },
     "3whs_right_seq_wrong_ack_evasion"},
    {"wrong_both",
     [](TcpConversation& t) { t.raw(true, kTcpSyn, 0, 0).raw(false, kSynAck, 0, 1).raw(true, kAck, 7, 77); },
     "3whs_wrong_seq_wrong_ack"},
    {"out_of_window", [](TcpConversation& t) { t.handshake().raw(true, kData, 900'000, 1, "x"); },
     "est_packet_out_of_window"},
    {"invalid_ack", [](TcpConversation& t) { t.handshake().raw(true, kAck, 1, 900'000); }, "est_invalid_ack"},
    {"retransmission",
     [](TcpConversation& t) { t.handshake().client_data("abc").raw(true, kData, 1, 1, "abc"); },
     "pkt_retransmission"},
    {"spurious", [](TcpConversation& t) { t.handshake().client_sends("abcd").raw(true, kData, 1, 1, "abc"); },
     "pkt_spurious_retransmission"},
    {"overlap", [](TcpConversation& t) { t.handshake().client_data("abc").raw(true, kData, 1, 1, "xyz"); },
     "reassembly_overlap_different_data"},
    {"syn_again", [](TcpConversation& t) { t.handshake().raw(true, kTcpSyn, 0, 0); }, "est_syn_resend"},
    {"other_syn", [](TcpConversation& t) { t.handshake().raw(true, kTcpSyn, 70, 0); },
     "est_syn_resend_diff_seq"},
    {"syn_to_client", [](TcpConversation& t) { t.handshake().raw(false, kTcpSyn, 0, 0); },
     "est_syn_toclient"},
    {"synack_to_server", [](TcpConversation& t) { t.handshake().raw(true, kSynAck, 0, 1); },
     "est_synack_toserver"},
    {"fin_without_session", [](TcpConversation& t) { t.raw(true, kTcpFin | kTcpAck, 0, 1); },
     "fin_but_no_session"},
    {"rst_without_session", [](TcpConversation& t) { t.raw(true, kTcpRst, 0, 0); }, "rst_but_no_session"},
    {"fin_out_of_window", [](TcpConversation& t) { t.handshake().raw(true, kTcpFin | kTcpAck, 900'000, 1); },
     "fin_out_of_window"},
    {"syn_in_shutdown",
     [](TcpConversation& t) { t.handshake().raw(true, kTcpFin | kTcpAck, 1, 1).raw(true, kTcpSyn, 9, 0); },
     "shutdown_syn_resend"},
};

INSTANTIATE_TEST_SUITE_P(All, StreamEvents, ::testing::ValuesIn(kEventRows),
                         [](const auto& row) { return std::string(row.param.name); });

TEST(Tcp, EventNamesAreFound) {
  for (std::uint16_t i = 0; i < stream_event::kCount; ++i)
    EXPECT_EQ(find_stream_event(stream_event_name(i)), i);
  EXPECT_EQ(find_stream_event("stream.est_invalid_ack"), std::uint16_t{stream_event::k_est_invalid_ack});
  EXPECT_FALSE(find_stream_event("est_invalid"));
}

}  // namespace
}  // namespace gatehouse::ids
