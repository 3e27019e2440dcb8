// The pipeline as a whole: frames in, events out.
#include "ids/engine/worker.h"

#include <gtest/gtest.h>

#include "ids/alert/testing/allocations.h"
#include "ids/engine/testing/replay.h"
#include "ids/engine/testing/traffic.h"

namespace gatehouse::ids::testing {
namespace {

using nlohmann::json;

std::vector<Frame> web() {
  return TcpConversation()
      .handshake()
      .client_sends("GET /a?b=c HTTP/1.1\r\nHost: shop.example\r\nUser-Agent: test\r\n\r\n")
      .server_sends("HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nContent-Length: 5\r\n\r\nhello")
      .close()
      .frames();
}

TEST(Worker, OneWebRequestGivesItsEventsInOrder) {
  const Replay result =
      replay(web(), "alert http any any -> any any (msg:\"m\"; http.uri; content:\"/a\"; sid:1;)");
  ASSERT_FALSE(result.diagnostics.has_errors()) << result.diagnostics.render_all();
  std::vector<std::string> types;
  for (const json& event : result.events) types.push_back(event["event_type"]);
  EXPECT_EQ(types, (std::vector<std::string>{"alert", "http", "fileinfo", "flow"}));

  const json& alert = result.events[0];
  EXPECT_EQ(alert["app_proto"], "http");
  EXPECT_EQ(alert["direction"], "to_server");
  EXPECT_EQ(alert["tx_id"], 0);
  EXPECT_EQ(alert["src_ip"], "192.0.2.1");
  EXPECT_EQ(alert["http"]["url"], "/a?b=c");
  EXPECT_EQ(alert["pkt_src"], "wire/pcap");
  const json& flow = result.events[3];
  EXPECT_EQ(flow["flow"]["state"], "closed");
  EXPECT_EQ(flow["flow"]["reason"], "shutdown");
  EXPECT_EQ(flow["flow"]["alerted"], true);
  EXPECT_EQ(flow["flow"]["tx_cnt"], 1);
  EXPECT_EQ(flow["flow"]["pkts_toserver"], 6);
  for (const json& event : result.events) EXPECT_EQ(event["flow_id"], alert["flow_id"]);
}

TEST(Worker, RulesForADirectionRunOnPacketsOfThatDirection) {
  // The request is acknowledged by packet 5; the client's next packet is number 7.
  const Replay result =
      replay(web(), "alert http any any -> any any (msg:\"m\"; http.uri; content:\"/a\"; sid:1;)");
  ASSERT_EQ(result.sids(), std::vector<int>{1});
  EXPECT_EQ(result.of_type("alert")[0]["pcap_cnt"], 7);
}

TEST(Worker, WhatIsOpenAtTheEndIsDecidedAndLogged) {
  const auto frames =
      TcpConversation().handshake().client_data("GET /cut HTTP/1.1\r\nHost: a\r\n\r\n").frames();
  const Replay result =
      replay(frames, "alert http any any -> any any (msg:\"m\"; http.uri; content:\"/cut\"; sid:1;)");
  ASSERT_EQ(result.sids(), std::vector<int>{1});
  EXPECT_EQ(result.of_type("alert")[0]["pkt_src"], "stream (flow timeout)");
  EXPECT_EQ(result.of_type("http").size(), 1u);
  EXPECT_EQ(result.of_type("flow").size(), 1u);
}

// Two minutes lie between the cut request and the end of the capture.
TEST(Worker, WhatIsFoundAtTheEndIsFoundNow) {
  const std::string cut = "GET /cut HTTP/1.1\r\nHost: a\r\n\r\n";
  auto frames = TcpConversation().handshake().client_data(cut).frames();
  TcpConversation::Endpoints later;
  later.client = "192.0.2.99";
  later.start_us = frames.back().time_us + 120'000'000;
  const auto more = TcpConversation(later).handshake().frames();
  frames.insert(frames.end(), more.begin(), more.end());
  const Replay result =
      replay(frames, "alert http any any -> any any (msg:\"m\"; http.uri; content:\"/cut\"; sid:1;)");
  ASSERT_EQ(result.sids(), std::vector<int>{1});
  const auto flows = result.of_type("flow");
  ASSERT_EQ(flows.size(), 2U);
  const auto last = std::max(flows[0]["flow"]["end"], flows[1]["flow"]["end"]);
  EXPECT_EQ(result.of_type("alert")[0]["timestamp"], last);
}

// Rules about a transaction whose literal is looked for in the payload: it comes before, with or after what
// else they ask of the transaction.
TEST(Worker, TransactionRulesFindContentsOfThePayload) {
  const auto frames =
      TcpConversation()
          .handshake()
          .client_sends(
              "POST /up HTTP/1.1\r\nHost: shop.example\r\nX-Marker: first\r\nContent-Length: 24\r\n\r\n")
          .client_sends("the body ")
          .client_sends("ends last-marker")
          .server_sends("HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello")
          .close()
          .frames();
  const Replay result = replay(
      frames,
      "alert http any any -> any any (msg:\"before\"; http.request_body; content:\"e\"; "
      "pkt_data; content:\"X-Marker|3a| first\"; sid:1;)\n"
      "alert http any any -> any any (msg:\"behind\"; content:\"last-marker\"; http.method; "
      "content:\"POST\"; sid:2;)\n"
      "alert http any any -> any any (msg:\"short\"; content:\"rst\"; http.uri; content:\"/up\"; sid:3;)\n"
      "alert http any any -> any any (msg:\"not there\"; content:\"no-marker\"; http.uri; content:\"/up\"; "
      "sid:4;)\n"
      "alert http any any -> any any (msg:\"other\"; content:\"X-Marker\"; http.uri; content:\"/down\"; "
      "sid:5;)\n"
      "alert http any any -> any 81 (msg:\"port\"; content:\"X-Marker\"; http.uri; content:\"/up\"; "
      "sid:6;)\n");
  ASSERT_FALSE(result.diagnostics.has_errors()) << result.diagnostics.render_all();
  std::vector<int> sids = result.sids();
  std::sort(sids.begin(), sids.end());
  EXPECT_EQ(sids, (std::vector<int>{1, 2, 3}));
}

TEST(Worker, OnlyTheListedEventTypesAreWritten) {
  const Replay result =
      replay(web(), "alert tcp any any -> any any (msg:\"m\"; flags:S; sid:1;)", "eve: {types: {http: {}}}");
  ASSERT_EQ(result.events.size(), 1u);
  EXPECT_EQ(result.events[0]["event_type"], "http");
}

TEST(Worker, FlowsEndByPacketTime) {
  auto frames = TcpConversation().handshake().frames();
  TcpConversation::Endpoints later;
  later.client = "192.0.2.99";
  later.start_us = frames.back().time_us + 3'600'000'000;
  const auto more = TcpConversation(later).handshake().frames();
  frames.insert(frames.end(), more.begin(), more.end());
  const auto flows = replay(frames).of_type("flow");
  ASSERT_EQ(flows.size(), 2u);
  EXPECT_EQ(flows[0]["flow"]["reason"], "timeout");
  EXPECT_EQ(flows[1]["flow"]["reason"], "shutdown");
}

TEST(Worker, BadChecksumsAreNoPartOfAStreamUnlessSwitchedOff) {
  auto frames = web();
  for (Frame& frame : frames) frame.data[50] ^= 0xff;  // the TCP checksum
  EXPECT_TRUE(replay(frames).of_type("http").empty());
  EXPECT_EQ(replay(frames, {}, "capture.checksum: none").of_type("http").size(), 1u);
}

TEST(Worker, FlowsOverTheDepthOrEncryptedAreOnlyCountedWhenAskedFor) {
  TcpConversation deep;
  deep.handshake();
  for (int i = 0; i < 4; ++i) deep.client_sends("0123456789").server_sends("0123456789");
  deep.client_sends("needle");
  const std::string rule = "alert tcp any any -> any any (dsize:6; sid:1;)\n";
  const std::string depth = "stream.reassembly.depth: 15\n";
  const auto flow_state = [](const auto& result) { return result.of_type("flow").at(0)["flow"]["state"]; };
  const auto off = replay(deep.frames(), rule, depth);
  EXPECT_EQ(flow_state(off), "established");
  EXPECT_EQ(off.of_type("alert").size(), 1u);
  const auto on = replay(deep.frames(), rule, depth + "stream.bypass: yes\n");
  EXPECT_EQ(flow_state(on), "bypassed");
  EXPECT_EQ(on.of_type("alert").size(), 0u);
  EXPECT_EQ(on.of_type("flow")[0]["flow"]["pkts_toserver"], off.of_type("flow")[0]["flow"]["pkts_toserver"]);
  EXPECT_EQ(flow_state(replay(web(), rule, "stream.bypass: yes\n")), "closed");
}

TEST(Worker, AScanIsWrittenAsAnAlertWithItsDetection) {
  std::vector<Frame> frames;
  for (std::uint16_t port = 1; port <= 40; ++port) {
    TcpConversation::Endpoints e;
    e.server_port = port;
    e.start_us += port * 1000;
    TcpConversation probe(e);
    probe.raw(true, kTcpSyn, 0, 0).raw(false, kTcpRst | kTcpAck, 0, 1);
    frames.insert(frames.end(), probe.frames().begin(), probe.frames().end());
  }
  const auto alerts = replay(frames).of_type("alert");
  ASSERT_EQ(alerts.size(), 2u);
  EXPECT_EQ(alerts[0]["detection"]["phase"], "start");
  EXPECT_EQ(alerts[1]["detection"]["phase"], "end");
  EXPECT_EQ(alerts[0]["detection"]["id"], alerts[1]["detection"]["id"]);
  EXPECT_EQ(alerts[0]["alert"]["gid"], 900);
  EXPECT_EQ(alerts[0]["alert"]["metadata"]["mitre_technique_id"], json({"T1046"}));
  EXPECT_EQ(alerts[0]["detection"]["class"], "scan.syn.vertical");
  EXPECT_EQ(alerts[0]["detection"]["sources"], json({"192.0.2.1"}));
}

// Packets of an established flow whose bytes match nothing: decode, flow, reassembly, detection.
TEST(Worker, EstablishedFlowsAllocateNothingPerPacket) {
  core::Diagnostics diagnostics;
  const auto settings = engine::load_settings({}, diagnostics);
  ASSERT_TRUE(settings);
  const core::SourceText source(
      "t.rules",
      "alert tcp any any -> any any (msg:\"a\"; content:\"never-in-there\"; sid:1;)\n"
      "alert tcp any any -> any any (msg:\"b\"; flags:SF; sid:2;)\n");
  auto compiled =
      Engine::build(check_rules(std::span(&source, 1), settings->environment, diagnostics), settings->engine);
  ASSERT_TRUE(compiled);
  engine::Output output(1, engine::WhenFull::wait);
  output.add_sink(std::make_unique<Discard>());
  output.start();

  TcpConversation::Endpoints endpoints;
  endpoints.server_port = 9999;  // no parser: the application layer gives up early
  TcpConversation conversation(endpoints);
  conversation.handshake();
  const std::string text(1000, 'x');
  for (int i = 0; i < 400; ++i) conversation.client_sends(text).server_sends(text);
  engine::Worker worker(*settings, *compiled, output.port(0), {});
  const auto& frames = conversation.frames();
  const std::size_t warm = frames.size() / 2;
  std::size_t before = 0;
  for (std::size_t i = 0; i < frames.size(); ++i) {
    if (i == warm) before = alert::allocations();
    RawPacket raw;
    raw.data = frames[i].data;
    raw.wire_length = static_cast<std::uint32_t>(frames[i].data.size());
    raw.time_us = frames[i].time_us;
    raw.number = i + 1;
    worker.on_packet(raw);
  }
  EXPECT_EQ(alert::allocations() - before, 0u) << "over " << frames.size() - warm << " packets";
  worker.finish();
}

TEST(Worker, StreamRulesLookAtChunks) {
  // Six pieces of 504 bytes make 3,024: the first time 2,560 are acknowledged. The rest waits for the end.
  TcpConversation talk;
  talk.handshake();
  for (int i = 0; i < 8; ++i) talk.client_sends("AAAA" + std::string(500, 'x'));
  const Replay result = replay(talk.frames(),
                               "alert tcp any any -> any any (content:\"AAAA\"; sid:1;)\n"
                               "alert tcp-pkt any any -> any any (content:\"AAAA\"; sid:2;)\n");
  ASSERT_FALSE(result.diagnostics.has_errors()) << result.diagnostics.render_all();
  std::vector<int> chunks;
  int packets = 0;
  for (const json& alert : result.of_type("alert")) {
    if (alert["alert"]["signature_id"] == 2) ++packets;
    if (alert["alert"]["signature_id"] == 1) chunks.push_back(alert.value("pcap_cnt", 0));
  }
  EXPECT_EQ(packets, 8);
  EXPECT_EQ(chunks, (std::vector<int>{16, 0}));
}

TEST(Worker, StreamRulesFindWhatLiesAcrossChunks) {
  TcpConversation talk;
  talk.handshake();
  talk.client_sends(std::string(2997, 'x') + "SPL").client_sends("IT" + std::string(500, 'x')).close();
  EXPECT_EQ(replay(talk.frames(), "alert tcp any any -> any any (content:\"SPLIT\"; sid:1;)").sids(),
            std::vector<int>{1});
}

TEST(Worker, AFlowSeenFromTheServersAnswerOnIsTurnedRound) {
  auto frames = web();
  frames.erase(frames.begin(), frames.begin() + 5);  // the handshake, the request, its acknowledgement
  const Replay result = replay(frames, {}, "settings: {stream: {midstream: yes}}");
  ASSERT_EQ(result.of_type("flow").size(), 1u);
  const json flow = result.of_type("flow")[0];
  EXPECT_EQ(flow["dest_port"], 80);
  EXPECT_EQ(flow["app_proto"], "http");
}

TEST(Worker, AddressesOfALinkTurnWithTheFlow) {
  auto frames = web();
  frames.erase(frames.begin(), frames.begin() + 5);
  // The last byte of each address is that of the IPv4 address it goes with.
  for (Frame& frame : frames) {
    frame.data[5] = frame.data[33];
    frame.data[11] = frame.data[29];
  }
  const auto flows =
      replay(frames, {}, "{settings: {stream: {midstream: yes}}, eve: {ethernet: yes}}").of_type("flow");
  ASSERT_EQ(flows.size(), 1u);
  EXPECT_EQ(flows[0]["ether"]["src_macs"].size(), 1u);
  EXPECT_EQ(flows[0]["ether"]["dest_macs"].size(), 1u);
}

TEST(Worker, ArpMessagesAndTcpPacketsBecomeEventsWhenAskedFor) {
  const Replay result = replay(web(), {}, "eve: {types: {stream: {state-update: yes}}}");
  const auto packets = result.of_type("stream_tcp");
  ASSERT_GE(packets.size(), 3u);
  EXPECT_EQ(packets[0]["stream_tcp"]["session"]["state"], "syn_sent");
  EXPECT_EQ(packets[1]["stream_tcp"]["session"]["state"], "syn_recv");
  EXPECT_EQ(packets[1]["stream_tcp"]["session"]["pstate"], "syn_sent");
  EXPECT_EQ(packets[2]["stream_tcp"]["session"]["state"], "established");

  Frame arp;
  const char bytes[] =
      "\xff\xff\xff\xff\xff\xff\x02\x00\x00\x00\x00\x01\x08\x06"
      "\x00\x01\x08\x00\x06\x04\x00\x01\x02\x00\x00\x00\x00\x01\xc0\x00\x02\x01"
      "\x00\x00\x00\x00\x00\x00\xc0\x00\x02\x02";
  arp.data.assign(bytes, bytes + sizeof bytes - 1);
  arp.time_us = 1'000'000;
  const auto messages = replay({arp}, {}, "eve: {types: {arp: {enabled: yes}}}").of_type("arp");
  ASSERT_EQ(messages.size(), 1u);
  EXPECT_EQ(messages[0]["arp"]["opcode"], "request");
  EXPECT_EQ(messages[0]["arp"]["src_ip"], "192.0.2.1");
  EXPECT_EQ(messages[0]["arp"]["dest_ip"], "192.0.2.2");
  EXPECT_EQ(messages[0]["arp"]["src_mac"], "02:00:00:00:00:01");
}

TEST(Worker, PayloadOfAStreamAlertNamesWhatIsMissing) {
  TcpConversation talk;
  talk.handshake().client_sends("VERY");
  auto frames = talk.frames();
  talk.client_sends("GOOD").client_data("DATA");
  const auto all = talk.frames();
  frames.insert(frames.end(), all.begin() + static_cast<std::ptrdiff_t>(frames.size()) + 2, all.end());
  const Replay result = replay(frames, "alert tcp-stream any any -> any any (content:\"DATA\"; sid:1;)",
                               "eve: {types: {alert: {payload-printable: yes}}}");
  ASSERT_EQ(result.sids(), std::vector<int>{1});
  EXPECT_EQ(result.of_type("alert")[0]["payload_printable"], "VERY[4 bytes missing]DATA");
}

}  // namespace
}  // namespace gatehouse::ids::testing
