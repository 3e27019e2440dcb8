#include <gtest/gtest.h>
#include <rapidcheck/gtest.h>

#include "ids/parsers/http2_session.h"
#include "ids/parsers/session_harness.h"

namespace gatehouse::ids {
namespace {

using testing::client;
using testing::Conversation;
using testing::Played;
using testing::recut;
using testing::server;

const std::string kPreface = "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";

std::string number(std::uint64_t value, unsigned bytes) {
  std::string out;
  while (bytes-- > 0) out.push_back(static_cast<char>(value >> (8 * bytes) & 0xffU));
  return out;
}

std::string frame(unsigned type, unsigned flags, std::uint32_t stream, const std::string& payload) {
  return number(payload.size(), 3) + number(type, 1) + number(flags, 1) + number(stream, 4) + payload;
}

// A literal without indexing, not compressed (RFC 7541 6.2.2).
std::string field(const std::string& name, const std::string& value) {
  return number(0, 1) + number(name.size(), 1) + name + number(value.size(), 1) + value;
}

constexpr unsigned kData = 0, kHeaders = 1, kPriority = 2, kReset = 3, kSettings = 4, kPush = 5, kPing = 6,
                   kGoaway = 7, kWindow = 8, kContinuation = 9;
constexpr unsigned kEndStream = 1, kEndHeaders = 4, kPadded = 8, kHasPriority = 0x20;

std::string request_block(const std::string& method, const std::string& path) {
  return field(":method", method) + field(":scheme", "http") + field(":path", path) +
         field(":authority", "Example.com:8080") + field("user-agent", "probe");
}
std::string get(std::uint32_t stream, const std::string& path) {
  return frame(kHeaders, kEndStream | kEndHeaders, stream, request_block("GET", path));
}
std::string status(std::uint32_t stream, const std::string& code, unsigned flags = kEndHeaders,
                   const std::string& more = {}) {
  return frame(kHeaders, flags, stream, field(":status", code) + more);
}

const std::string kServerStart = frame(kSettings, 0, 0, number(3, 2) + number(100, 4));
const std::string kClientStart = kPreface + frame(kSettings, 0, 0, "");

Conversation exchange() {
  return {client(kClientStart + get(1, "/a/../b%41?q=1")),
          server(kServerStart + status(1, "200", kEndHeaders, field("content-type", "text/plain; x")) +
                 frame(kData, 0, 1, "hello ") + frame(kData, kEndStream | kPadded, 1, "\x03world???"))};
}

Http2Transaction* stream_of(Played& played, std::uint32_t stream) {
  for (std::size_t i = 0; i < played.count(); ++i) {
    auto& tx = played.tx<Http2Transaction>(i);
    if (tx.stream == stream) return &tx;
  }
  return nullptr;
}

std::vector<std::string> all_events(Played& played) {
  std::vector<std::string> out;
  for (std::size_t i = 0; i < played.count(); ++i) {
    for (const std::string& e : played.events(i)) out.push_back(e);
  }
  return out;
}

TEST(Http2, AStreamIsARequestAndItsResponse) {
  Played played(exchange());
  EXPECT_EQ(app_proto_name(played.app().proto), "http2");
  Http2Transaction* tx = stream_of(played, 1);
  ASSERT_NE(tx, nullptr);
  EXPECT_EQ(tx->method, "GET");
  EXPECT_EQ(tx->uri_raw, "/a/../b%41?q=1");
  EXPECT_EQ(tx->uri, "/bA?q=1");
  EXPECT_EQ(tx->host, "example.com");
  EXPECT_EQ(tx->port, 8080);
  EXPECT_EQ(tx->status, 200);
  EXPECT_EQ(core::as_text(tx->response().body), "hello world");
  ASSERT_EQ(tx->files.size(), 1u);
  EXPECT_EQ(tx->files[0].state, FileState::closed);
  EXPECT_EQ(tx->files[0].size, 11u);
  EXPECT_EQ(tx->progress[0], kHttpComplete);
  EXPECT_EQ(tx->progress[1], kHttpComplete);
  EXPECT_TRUE(all_events(played).empty());
}

TEST(Http2, LogsTheMessageAndItsFrames) {
  Played played(exchange());
  EXPECT_EQ(played.log(0), R"({"version":"2","http2":{"stream_id":0}})");
  std::string log;
  for (std::size_t i = 0; i < played.count(); ++i) {
    if (played.tx<Http2Transaction>(i).stream == 1) log = played.log(i);
  }
  EXPECT_NE(log.find(R"("request_headers":[{"name":":method","value":"GET"})"), std::string::npos) << log;
  EXPECT_NE(log.find(R"("hostname":"Example.com:8080","url":"/a/../b%41?q=1","http_method":"GET")"),
            std::string::npos)
      << log;
  EXPECT_NE(log.find(R"("status":200)"), std::string::npos) << log;
  EXPECT_NE(log.find(R"("http2":{"stream_id":1})"), std::string::npos) << log;
}

TEST(Http2, CutsDoNotChangeTheResult) {
  const Conversation whole = exchange();
  const std::string expected = Played(whole).describe();
  for (const std::size_t size : {std::size_t{1}, std::size_t{2}, std::size_t{9}, std::size_t{10}}) {
    EXPECT_EQ(Played(recut(whole, {size})).describe(), expected) << size;
  }
}

RC_GTEST_PROP(Http2, RandomCutsDoNotChangeTheResult, (std::vector<std::uint8_t> sizes)) {
  const std::vector<std::size_t> cuts(sizes.begin(), sizes.end());
  RC_ASSERT(Played(recut(exchange(), cuts)).describe() == Played(exchange()).describe());
}

TEST(Http2, JoinsContinuationsAndSkipsPadding) {
  const std::string block = request_block("GET", "/long") + field("x", std::string(100, 'y'));
  Played played({client(kClientStart +
                        frame(kHeaders, kEndStream | kPadded | kHasPriority, 1,
                              "\x02" + number(0, 4) + "\x0f" + block.substr(0, 20) + "pp") +
                        frame(kContinuation, 0, 1, block.substr(20, 30)) +
                        frame(kContinuation, kEndHeaders, 1, block.substr(50))),
                 server(kServerStart)});
  Http2Transaction* tx = stream_of(played, 1);
  ASSERT_NE(tx, nullptr);
  EXPECT_EQ(tx->uri, "/long");
  EXPECT_EQ(tx->request().field("x")->value, std::string(100, 'y'));
  ASSERT_EQ(tx->frames[0].priorities.size(), 1u);
  EXPECT_EQ(tx->frames[0].priorities[0], 15);
  EXPECT_TRUE(all_events(played).empty());
}

TEST(Http2, StreamsInterleave) {
  Played played({client(kClientStart + get(1, "/one") + get(3, "/two")),
                 server(kServerStart + status(3, "404") + status(1, "200") + frame(kData, 0, 1, "1") +
                        frame(kData, kEndStream, 3, "33") + frame(kData, kEndStream, 1, "1"))});
  EXPECT_EQ(stream_of(played, 1)->status, 200);
  EXPECT_EQ(core::as_text(stream_of(played, 1)->response().body), "11");
  EXPECT_EQ(stream_of(played, 3)->status, 404);
  EXPECT_EQ(core::as_text(stream_of(played, 3)->response().body), "33");
}

TEST(Http2, InterimResponsesAndTrailersAreRead) {
  Played played({client(kClientStart + get(1, "/")),
                 server(kServerStart + status(1, "103", kEndHeaders, field("link", "x")) + status(1, "200") +
                        frame(kData, 0, 1, "d") +
                        frame(kHeaders, kEndStream | kEndHeaders, 1, field("checksum", "7")))});
  Http2Transaction* tx = stream_of(played, 1);
  EXPECT_EQ(tx->status, 200);
  EXPECT_EQ(tx->response().field("link"), nullptr);
  ASSERT_NE(tx->response().field("checksum"), nullptr);
}

TEST(Http2, KeepsWhatFramesSay) {
  Played played({client(kClientStart + frame(kWindow, 0, 0, number(1000, 4)) +
                        frame(kPing, 0, 0, number(1, 8)) + frame(kGoaway, 0, 0, number(0, 4) + number(2, 4)) +
                        frame(kPriority, 0, 5, number(0, 4) + number(200, 1))),
                 server(kServerStart + frame(kReset, 0, 7, number(8, 4)))});
  std::vector<std::uint32_t> windows, errors;
  for (std::size_t i = 0; i < played.count(); ++i) {
    for (const Http2Frames& frames : played.tx<Http2Transaction>(i).frames) {
      windows.insert(windows.end(), frames.windows.begin(), frames.windows.end());
      for (const auto& error : frames.errors) errors.push_back(error.code);
    }
  }
  EXPECT_EQ(windows, std::vector<std::uint32_t>{1000});
  EXPECT_EQ(errors, (std::vector<std::uint32_t>{2, 8}));
  EXPECT_EQ(stream_of(played, 5)->frames[0].priorities[0], 200);
}

TEST(Http2, AResetEndsTheStream) {
  Played played({client(kClientStart + get(1, "/big")),
                 server(kServerStart + status(1, "200") + frame(kData, 0, 1, "some")),
                 client(frame(kReset, 0, 1, number(8, 4))), server(frame(kData, 0, 1, "late"))},
                {}, 80, AppTransport::tcp, false);
  Http2Transaction* tx = stream_of(played, 1);
  EXPECT_EQ(tx->progress[1], kHttpComplete);
  EXPECT_EQ(tx->files[0].state, FileState::truncated);
  EXPECT_EQ(core::as_text(tx->response().body), "some");
  EXPECT_TRUE(all_events(played).empty());  // data that was on its way
}

struct OddRow {
  std::string name, from_client, from_server, event;
};

TEST(Http2, TellsWhatIsOdd) {
  const std::string bomb_field = field("x", std::string(120, 'y'));
  std::string many_fields = request_block("GET", "/");
  for (int i = 0; i < 3000; ++i) many_fields += bomb_field;
  std::string in_pieces;
  for (std::size_t at = 0; at < many_fields.size(); at += 16000) {
    const bool last = at + 16000 >= many_fields.size();
    in_pieces +=
        frame(at == 0 ? kHeaders : kContinuation, last ? kEndHeaders : 0, 1, many_fields.substr(at, 16000));
  }
  const std::vector<OddRow> rows = {
      {"wrong length", frame(kPing, 0, 0, "x"), "", "http2.invalid_frame_length"},
      {"settings of 5 bytes", frame(kSettings, 0, 0, "12345"), "", "http2.invalid_frame_length"},
      {"padding too long",
       frame(kHeaders, kPadded | kEndHeaders, 1,
             "\x7f"
             "abc"),
       "", "http2.invalid_frame_data"},
      {"headers without a stream", frame(kHeaders, kEndHeaders, 0, field("a", "b")), "",
       "http2.invalid_frame_data"},
      {"no such index", frame(kHeaders, kEndHeaders, 1, "\xff\x7f"), "", "http2.invalid_header"},
      {"continuation alone", frame(kContinuation, kEndHeaders, 1, ""), "",
       "http2.continuation_without_headers"},
      {"data without a stream", frame(kData, 0, 0, "x"), "", "http2.data_stream_zero"},
      {"stream used twice", get(1, "/") + get(1, "/"), "", "http2.stream_id_reuse"},
      {"table too large", frame(kHeaders, kEndHeaders, 1, "\x3f\xe1\xff\x7f" + request_block("GET", "/")), "",
       "http2.header_table_overflow"},
      {"endless number", frame(kHeaders, kEndHeaders, 1, "\x3f\xff\xff\xff\xff\xff\xff\xff"), "",
       "http2.header_integer_overflow"},
      {"other host", frame(kHeaders, kEndHeaders, 1, request_block("GET", "/") + field("host", "other")), "",
       "http2.authority_host_mismatch"},
      {"user", frame(kHeaders, kEndHeaders, 1, field(":authority", "me:pw@host")), "",
       "http2.userinfo_in_uri"},
      {"range", get(1, "/"), status(1, "206", kEndHeaders, field("content-range", "bytes 1-x/9")),
       "http2.invalid_range"},
      {"not gzip", get(1, "/"),
       status(1, "200", kEndHeaders, field("content-encoding", "gzip")) +
           frame(kData, kEndStream, 1, "plain"),
       "http2.failed_decompression"},
      {"large headers", in_pieces, "", "http2.reassembly_limit_reached"},
      {"many headers", in_pieces, "", "http2.too_long_repeated_headers"},
  };
  for (const OddRow& row : rows) {
    Played played(
        recut({client(kClientStart + row.from_client), server(kServerStart + row.from_server)}, {1400}));
    const auto events = all_events(played);
    EXPECT_NE(std::find(events.begin(), events.end(), row.event), events.end()) << row.name;
  }
}

TEST(Http2, FollowsTheHeaderTable) {
  // The first block adds x-key: abc to the table (RFC 7541 6.2.1), the second names it by index 62.
  const std::string adds = std::string("\x40\x05") + "x-key\x03" + "abc";
  Played played({client(kClientStart + frame(kHeaders, 5, 1, request_block("GET", "/1") + adds) +
                        frame(kHeaders, 5, 3, "\x3f\xe1\x1f" + request_block("GET", "/2") + "\xbe")),
                 server(kServerStart)});
  ASSERT_NE(stream_of(played, 3), nullptr);
  ASSERT_NE(stream_of(played, 3)->request().field("x-key"), nullptr);
  EXPECT_EQ(stream_of(played, 3)->request().field("x-key")->value, "abc");
  ASSERT_EQ(stream_of(played, 3)->frames[0].table_sizes.size(), 1u);
  EXPECT_EQ(stream_of(played, 3)->frames[0].table_sizes[0].bytes, 4096u);
}

TEST(Http2, LostDataIsAGapLostFramesEndTheDirection) {
  const std::string data_head = number(10, 3) + number(kData, 1) + number(kEndStream, 1) + number(1, 4);
  Played within({client(kClientStart + get(1, "/")),
                 server(kServerStart + status(1, "200") + data_head + "ab"), testing::server_gap(6),
                 server("yz" + status(3, "204"))});
  EXPECT_TRUE(stream_of(within, 1)->files[0].gaps);
  EXPECT_EQ(stream_of(within, 1)->files[0].size, 10u);
  Played across({client(kClientStart + get(1, "/")),
                 server(kServerStart + status(1, "200") + data_head + "ab"), testing::server_gap(60),
                 server(status(3, "204"))});
  EXPECT_EQ(stream_of(across, 3), nullptr);
  EXPECT_EQ(stream_of(across, 1)->files[0].state, FileState::truncated);
}

TEST(Http2, OpenStreamsAreCapped) {
  ParserConfig config;
  config.http2.max_streams = 4;
  std::string requests;
  for (std::uint32_t i = 0; i < 10; ++i) requests += get(2 * i + 1, "/");
  Played played({client(kClientStart + requests), server(kServerStart)}, config);
  std::size_t told = 0;
  for (const std::string& e : all_events(played)) told += e == "http2.too_many_streams" ? 1 : 0;
  EXPECT_EQ(told, 6u);
  std::string pings;
  for (int i = 0; i < 1000; ++i) pings += frame(kPing, 0, 0, number(0, 8));
  Played flooded({client(kClientStart + pings), server(kServerStart)}, config);
  EXPECT_LE(flooded.count(), 4u * 16u);
}

TEST(Http2, AnHttp1RequestBecomesStreamOne) {
  Played played(
      {client("GET /up HTTP/1.1\r\nHost: h.example\r\nUpgrade: h2c\r\nHTTP2-Settings: AAMAAABk\r\n\r\n"),
       server("HTTP/1.1 101 Switching Protocols\r\nUpgrade: h2c\r\n\r\n")},
      {}, 80, AppTransport::tcp, false);
  Session& old = *played.app().session;
  EXPECT_TRUE(old.upgrade);
  EXPECT_EQ(old.upgrade_to, "http2");
  ASSERT_NE(old.heir, nullptr);
  old.heir->on_data(Direction::to_server, core::as_bytes(kClientStart), 0);
  old.heir->on_data(Direction::to_client, core::as_bytes(kServerStart + status(1, "200", 5)), 0);
  const auto& tx = static_cast<const Http2Transaction&>(*old.heir->transactions().at(1));
  EXPECT_EQ(tx.stream, 1u);
  EXPECT_EQ(tx.uri, "/up");
  EXPECT_EQ(tx.host, "h.example");
  EXPECT_EQ(tx.status, 200);
  const auto& settings =
      static_cast<const Http2Transaction&>(*old.heir->transactions().at(0)).frames[0].settings;
  ASSERT_EQ(settings.size(), 1u);
  EXPECT_EQ(settings[0].value, 100u);
}

const std::string kDnsQuery =
    testing::from_hex("0000 0100 0001 0000 0000 0000 076578616d706c6503636f6d00 0001 0001");

TEST(Doh2, AMessageRenamesTheFlow) {
  const std::string post =
      frame(kHeaders, kEndHeaders, 1,
            request_block("POST", "/dns-query") + field("content-type", "application/dns-message"));
  std::string answer = kDnsQuery;
  answer[2] = '\x81';
  const std::string type = field("content-type", "application/dns-message");
  Played played(
      {client(kClientStart + post + frame(kData, kEndStream, 1, kDnsQuery)),
       server(kServerStart + status(1, "200", kEndHeaders, type) + frame(kData, kEndStream, 1, answer))});
  EXPECT_EQ(app_proto_name(played.app().proto), "doh2");
  EXPECT_EQ(app_proto_name(played.app().original), "http2");
  Http2Transaction* tx = stream_of(played, 1);
  const auto* query = static_cast<const DnsTransaction*>(tx->carried(Direction::to_server));
  ASSERT_NE(query, nullptr);
  EXPECT_EQ(query->queries.at(0).name, "example.com");
  EXPECT_NE(tx->carried(Direction::to_client), nullptr);
  EXPECT_EQ(app_proto_name(tx->logged_as(played.app().proto)), "doh2");
  EXPECT_EQ(app_proto_name(played.tx<Transaction>(0).logged_as(played.app().proto)), "http2");
}

TEST(Doh2, AQueryInTheUri) {
  const std::string path = "/dns-query?dns=AAABAAABAAAAAAAAB2V4YW1wbGUDY29tAAABAAE";
  Played played(
      {client(kClientStart +
              frame(kHeaders, 5, 1, request_block("GET", path) + field("accept", "application/dns-message"))),
       server(kServerStart)});
  EXPECT_EQ(app_proto_name(played.app().proto), "doh2");
}

TEST(Doh2, TooLongIsAnEvent) {
  const std::string post =
      frame(kHeaders, kEndHeaders, 1,
            request_block("POST", "/") + field("content-type", "application/dns-message"));
  std::string body;
  for (int i = 0; i < 5; ++i) body += frame(kData, 0, 1, std::string(16384, 'x'));
  Played played(recut({client(kClientStart + post + body), server(kServerStart)}, {1400}));
  EXPECT_EQ(all_events(played), std::vector<std::string>{"http2.dns_request_too_long"});
}

}  // namespace
}  // namespace gatehouse::ids
