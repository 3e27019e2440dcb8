#include "ids/parsers/app_flow.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <set>

#include "ids/parsers/session_harness.h"

namespace gatehouse::ids {
namespace {

using testing::client;
using ::testing::Contains;
using testing::Conversation;
using ::testing::ElementsAre;
using testing::from_hex;
using ::testing::IsEmpty;
using testing::Played;
using testing::server;

std::vector<std::string> detection_events(Played& played) {
  std::vector<std::string> out;
  for (const AppEvent e : played.app().detection_events) out.emplace_back(detection_event_names()[e]);
  return out;
}

std::string proto(Played& played) {
  return std::string(app_proto_name(played.app().proto));
}

struct DetectionRow {
  std::string name;
  Conversation conversation;
  std::uint16_t port;
  AppTransport transport;
  std::string proto;
};

const std::string kTlsHello = from_hex("16 0301 0200 01 0001fc 0303");
const std::string kDnsQuery =
    from_hex("1234 0100 0001 0000 0000 0000 07 6578616d706c65 03 6f7267 00 0001 0001");

TEST(AppFlow, FindsProtocolsByContent) {
  const std::vector<DetectionRow> rows = {
      {"http on its port", {client("GET / HTTP/1.1\r\n")}, 80, AppTransport::tcp, "http"},
      {"http on any port", {client("GET / HTTP/1.1\r\n")}, 4444, AppTransport::tcp, "http"},
      {"http on the DNS port", {client("POST /one HTTP/1.0\r\n")}, 53, AppTransport::tcp, "http"},
      {"http byte by byte",
       {client("G"), client("E"), client("T"), client(" "), client("/")},
       80,
       AppTransport::tcp,
       "http"},
      {"unknown method", {client("BREW /pot HTTP/1.1\r\n")}, 80, AppTransport::tcp, "http"},
      {"http by the response alone", {server("HTTP/1.1 200 OK\r\n\r\n")}, 80, AppTransport::tcp, "http"},
      {"tls", {client(kTlsHello)}, 8443, AppTransport::tcp, "tls"},
      {"dns over tcp", {client(from_hex("001d") + kDnsQuery)}, 53, AppTransport::tcp, "dns"},
      {"dns over udp", {client(kDnsQuery)}, 53, AppTransport::udp, "dns"},
      {"dns elsewhere is left alone", {client(kDnsQuery)}, 5353, AppTransport::udp, "failed"},
      {"nothing known",
       {client("\x01\x02\x03\x04"), server("\x05\x06\x07\x08")},
       80,
       AppTransport::tcp,
       "failed"},
      {"SIP is not HTTP",
       {client("INVITE sip:a@b SIP/2.0\r\n"), server("SIP/2.0 200 OK\r\n")},
       80,
       AppTransport::tcp,
       "sip"},
      {"a line that never ends", {client("A"), server("\x01")}, 80, AppTransport::tcp, "failed"},
  };
  for (const DetectionRow& row : rows) {
    Played played(row.conversation, {}, row.port, row.transport);
    EXPECT_EQ(proto(played), row.proto) << row.name;
  }
}

TEST(AppFlow, ReportsContradictions) {
  Played mismatch(
      {client("GET / HTTP/1.1\r\nHost: a\r\n\r\n"), server(from_hex("16 0303 0050 02 00004c 0303"))});
  EXPECT_EQ(proto(mismatch), "http");
  EXPECT_THAT(detection_events(mismatch), ElementsAre("APPLAYER_MISMATCH_PROTOCOL_BOTH_DIRECTIONS"));

  Played one_side({client("GET / HTTP/1.1\r\nHost: a\r\n\r\n"), server("something else\r\n")});
  EXPECT_THAT(detection_events(one_side), ElementsAre("APPLAYER_DETECT_PROTOCOL_ONLY_ONE_DIRECTION"));

  Played banner_first({server("220 hello\r\n"), client(kTlsHello)}, {}, 443);
  EXPECT_EQ(proto(banner_first), "tls");
  EXPECT_THAT(detection_events(banner_first), Contains("APPLAYER_WRONG_DIRECTION_FIRST_DATA"));

  Played clean({client("GET / HTTP/1.1\r\nHost: a\r\n\r\n"), server("HTTP/1.1 204 No\r\n\r\n")});
  EXPECT_THAT(detection_events(clean), IsEmpty());
}

TEST(AppFlow, GivesUpWithinItsMemory) {
  Conversation flood;
  // Looks like a method that never ends its line, so the other side would have to decide.
  for (int i = 0; i < 200; ++i) flood.push_back(server(std::string(1000, '\x01')));
  Played played(flood, {}, 80, AppTransport::tcp, false);
  EXPECT_EQ(proto(played), "failed");
  EXPECT_THAT(detection_events(played), ElementsAre("APPLAYER_PROTO_DETECTION_SKIPPED"));
  EXPECT_TRUE(played.app().pending[1].empty());
}

TEST(AppFlow, FeedsWhatCameBeforeDetection) {
  // The response is seen first and understood only once the request is known.
  Played played({server("junk before\r\n"), client("GET /x HTTP/1.1\r\nHost: a\r\n\r\n"),
                 server("HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n")});
  EXPECT_EQ(proto(played), "http");
  ASSERT_GE(played.count(), 1U);
}

TEST(AppFlow, HonoursSwitchesAndPorts) {
  ParserConfig off;
  off.protocols.push_back({"http", false, {true, true}, false, {}});
  Played disabled({client("GET / HTTP/1.1\r\n"), server("HTTP/1.1 200 OK\r\n")}, off);
  EXPECT_EQ(proto(disabled), "failed");

  ParserConfig detection_only;
  detection_only.protocols.push_back({"http", true, {true, true}, true, {}});
  Played detected({client("GET / HTTP/1.1\r\n")}, detection_only);
  EXPECT_EQ(proto(detected), "http");
  EXPECT_FALSE(detected.parsed());

  ParserConfig ports;
  ports.protocols.push_back({"dns", true, {true, true}, false, {{{53}, {5353}}}});
  Played moved({client(kDnsQuery)}, ports, 5353, AppTransport::udp);
  EXPECT_EQ(proto(moved), "dns");
}

TEST(AppFlow, DropsOnlyWhatIsFinishedFromTheFront) {
  Flow flow;
  AppLayer layer({});
  StreamChunk chunk;
  const std::string two = "GET /1 HTTP/1.1\r\nHost: a\r\n\r\nGET /2 HTTP/1.1\r\nHost: a\r\n\r\n";
  chunk.data = core::as_bytes(two);
  layer.on_stream(flow, chunk, 0);
  auto& transactions = app_flow(flow)->session->transactions();
  ASSERT_EQ(transactions.size(), 2U);
  AppLayer::drop_finished(flow);
  EXPECT_EQ(transactions.size(), 2U);
  const std::string answer = "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n";
  chunk.direction = Direction::to_client;
  chunk.data = core::as_bytes(answer);
  layer.on_stream(flow, chunk, 0);
  transactions.front()->logged = true;
  AppLayer::drop_finished(flow);
  EXPECT_EQ(transactions.size(), 2U) << "not inspected yet";
  transactions.front()->inspected = {true, true};
  AppLayer::drop_finished(flow);
  ASSERT_EQ(transactions.size(), 1U);
  EXPECT_EQ(transactions.front()->id, 1U);
}

TEST(AppFlow, ParserTableIsConsistent) {
  std::set<std::string_view> names;
  for (const ParserDescriptor* parser : parser_table()) {
    EXPECT_TRUE(names.insert(parser->name).second) << parser->name;
    EXPECT_EQ(parser_of(find_parser(parser->name)).name, parser->name);
    std::set<std::string_view> events;
    for (const std::string_view event : parser->event_names) {
      EXPECT_TRUE(events.insert(event).second) << event;
      // DNS over HTTP/2 is HTTP/2 in what is odd about it.
      const std::string owner(parser->name == "doh2" ? "http2" : parser->name);
      EXPECT_EQ(event.substr(0, owner.size() + 1), owner + ".") << event;
    }
  }
  EXPECT_EQ(find_parser("gopher"), kAppUnknown);
}

}  // namespace
}  // namespace gatehouse::ids
