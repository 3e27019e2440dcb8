#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <rapidcheck/gtest.h>

#include "ids/parsers/session_harness.h"
#include "ids/parsers/tls_hello.h"
#include "ids/parsers/x509.h"

namespace gatehouse::ids {
namespace {

using testing::client;
using testing::Conversation;
using testing::from_hex;
using testing::Played;
using testing::recut;
using testing::server;

// Made for this test: C=SE, O="Example, Inc.", CN=mail.example.org, three alternative names.
const std::string kCertificate = from_hex(
    "308201fb308201a0a003020102020300f00d300a06082a8648ce3d0403023040310b30090603550406130253453116301406"
    "0355040a0c0d4578616d706c652c20496e632e3119301706035504030c106d61696c2e6578616d706c652e6f7267301e170d"
    "3236313132323030303734315a170d3237313132323030303734315a3040310b300906035504061302534531163014060355"
    "040a0c0d4578616d706c652c20496e632e3119301706035504030c106d61696c2e6578616d706c652e6f7267305930130607"
    "2a8648ce3d020106082a8648ce3d0301070342000491c1c4a939f2c6d7384a2c6116b0b776cfe5fd6b344c38c62a79d6bda1"
    "7c91a909df3b921974687d3bb50e25053bf0ca4acd6ad47278222d2d5fae1324fb7378a38188308185301d0603551d0e0416"
    "0414173707ead9ee24bd14516d22f9a959a8d42787c3301f0603551d23041830168014173707ead9ee24bd14516d22f9a959"
    "a8d42787c3300f0603551d130101ff040530030101ff30320603551d11042b302982106d61696c2e6578616d706c652e6f72"
    "67820f7777772e6578616d706c652e6f72678704c0000201300a06082a8648ce3d0403020349003046022100a7c66600c758"
    "d2b03f995ef43bd2363431e66d1b8566e2c03ac6baba9f743c3b022100903fab02ff172b5d791c49a5526639765f1a8551c4"
    "8638cecb4b930e57eb0cf4");

std::string u16(std::size_t value) {
  return {static_cast<char>(value >> 8U & 0xffU), static_cast<char>(value & 0xffU)};
}
std::string u24(std::size_t value) {
  return static_cast<char>(value >> 16U & 0xffU) + u16(value & 0xffffU);
}
std::string record(char type, const std::string& content, std::size_t version = 0x0303) {
  return type + u16(version) + u16(content.size()) + content;
}
std::string handshake(char type, const std::string& body) {
  return type + u24(body.size()) + body;
}
std::string extension(std::size_t type, const std::string& content) {
  return u16(type) + u16(content.size()) + content;
}

std::string sni_extension(const std::string& name) {
  const std::string entry = '\0' + u16(name.size()) + name;
  return extension(0, u16(entry.size()) + entry);
}

// GREASE values stand where browsers put them.
std::string client_hello(const std::string& extra = {}, const std::string& session = {}) {
  const std::string extensions =
      extension(0x0a0a, "") + sni_extension("www.example.org") + extension(10, from_hex("0004 2a2a 001d")) +
      extension(11, from_hex("01 00")) + extension(13, from_hex("0004 0403 0804")) +
      extension(16, from_hex("000c 02 6832 08 687474702f312e31")) + extension(43, from_hex("04 0304 0303")) +
      extra;
  return handshake(1, from_hex("0303") + std::string(32, 'r') + static_cast<char>(session.size()) + session +
                          from_hex("0006 1a1a c02b 1301 01 00") + u16(extensions.size()) + extensions);
}

std::string server_hello(const std::string& extensions = {}, const std::string& session = {}) {
  return handshake(2, from_hex("0303") + std::string(32, 's') + static_cast<char>(session.size()) + session +
                          from_hex("c02b 00") + u16(extensions.size()) + extensions);
}

std::string certificate_message() {
  const std::string entry = u24(kCertificate.size()) + kCertificate;
  return handshake(11, u24(2 * entry.size()) + entry + entry);
}

const std::string kChange = record(20, "\x01");
const std::string kData = record(23, std::string(40, 'e'));

Conversation full_handshake() {
  return {
      client(record(22, client_hello())),
      server(record(22, server_hello()) + record(22, certificate_message()) + record(22, handshake(14, ""))),
      client(record(22, handshake(16, "key")) + kChange + record(22, std::string(40, 'f'))),
      server(kChange + kData), client(kData)};
}

Played play(const Conversation& conversation) {
  return Played(conversation, {}, 443);
}

TEST(Tls, ReadsAHandshake) {
  auto played = play(full_handshake());
  ASSERT_EQ(played.count(), 1U);
  const auto& tx = played.tx<TlsTransaction>(0);
  EXPECT_EQ(tx.sni, "www.example.org");
  EXPECT_THAT(tx.client_alpns, ::testing::ElementsAre("h2", "http/1.1"));
  EXPECT_EQ(tx.version, 0x0303);
  EXPECT_EQ(tx.ja3, "771,49195-4865,0-10-11-13-16-43,29,0");
  EXPECT_EQ(tx.ja3_hash, tls::md5_hex(tx.ja3));
  EXPECT_EQ(tx.ja3s, "771,49195,");
  EXPECT_EQ(tx.ja4.substr(0, 11), "t13d0206h2_");
  EXPECT_EQ(tx.ja4.substr(11, 12), tls::sha256_hex("1301,c02b").substr(0, 12));
  EXPECT_EQ(tx.ja4.substr(24), tls::sha256_hex("000a,000b,000d,002b_0403,0804").substr(0, 12));
  EXPECT_EQ(tx.server_certificate().chain.size(), 2U);
  EXPECT_FALSE(tx.session_resumed);
  EXPECT_EQ(tx.progress[0], kTlsComplete);
  EXPECT_EQ(tx.progress[1], kTlsComplete);
  EXPECT_TRUE(played.app().session->bypass);
  EXPECT_TRUE(played.events(0).empty());
  LogOptions options;
  options.tls_ja3 = options.tls_ja4 = false;
  EXPECT_EQ(
      played.log(0, options),
      R"({"subject":"C=SE, O=Example, Inc., CN=mail.example.org","issuerdn":"C=SE, O=Example, Inc., CN=mail.example.org",)"
      R"("subjectaltname":["mail.example.org","www.example.org","192.0.2.1"],"serial":"00:F0:0D",)"
      R"("fingerprint":"e8:12:03:e9:fb:c2:94:e7:6b:9c:90:1b:59:2f:3a:67:e1:a9:a6:16","sni":"www.example.org",)"
      R"("version":"TLS 1.2","notbefore":"2026-11-22T00:07:41","notafter":"2027-11-22T00:07:41",)"
      R"("client_alpns":["h2","http/1.1"]})");
}

// Their lengths tell of a leak although they cannot be read.
TEST(Tls, LooksAtEncryptedHeartbeatsUntilDataComes) {
  const std::string finished = record(22, std::string(40, 'f'));
  const std::string question = record(24, std::string(32, 'h')), answer = record(24, std::string(900, 'H'));
  Conversation talk = {client(record(22, client_hello())),
                       server(record(22, server_hello({})) + kChange + finished),
                       client(kChange + finished + question), server(answer)};
  auto leak = play(talk);
  EXPECT_FALSE(leak.app().session->opaque);
  EXPECT_THAT(leak.events(0), ::testing::Contains("tls.dataleak_heartbeat_mismatch"));
  talk.push_back(client(kData));
  EXPECT_TRUE(play(talk).app().session->opaque);
}

TEST(Tls, TakesTheVersionFromTheExtension) {
  auto played = play({client(record(22, client_hello())),
                      server(record(22, server_hello(extension(43, from_hex("0304")))) + kChange + kData),
                      client(kChange + kData)});
  EXPECT_EQ(tls_version_text(played.tx<TlsTransaction>(0).version), "TLS 1.3");
  EXPECT_FALSE(played.tx<TlsTransaction>(0).session_resumed);
  EXPECT_EQ(played.tx<TlsTransaction>(0).progress[1], kTlsComplete);
}

TEST(Tls, WithoutAServerTheVersionIsTheOneTheClientLikesBest) {
  const auto version_of = [](const std::string& offered) {
    auto played = play({client(record(22, client_hello(extension(43, from_hex(offered)))))});
    return tls_version_text(played.tx<TlsTransaction>(0).version);
  };
  EXPECT_EQ(version_of("06 0a0a 0304 0303"), "TLS 1.3");
  EXPECT_EQ(version_of("06 0a0a 0302 0303"), "TLS 1.1");
  EXPECT_EQ(version_of("04 0a0a 1a1a"), "TLS 1.2");  // the version of the hello itself
}

TEST(Tls, SeesAResumedSession) {
  auto played =
      play({client(record(22, client_hello({}, "session"))),
            server(record(22, server_hello({}, "session")) + kChange + kData), client(kChange + kData)});
  EXPECT_TRUE(played.tx<TlsTransaction>(0).session_resumed);
  EXPECT_THAT(played.log(0), ::testing::HasSubstr(R"("session_resumed":true)"));
}

TEST(Tls, ReadsAnSsl2Hello) {
  const std::string body = from_hex("01 0301 0003 0000 0010 010080") + std::string(16, 'c');
  auto played = play({client(from_hex("80") + static_cast<char>(body.size()) + body),
                      server(record(22, server_hello() + certificate_message(), 0x0301))});
  ASSERT_EQ(played.count(), 1U);
  EXPECT_EQ(played.tx<TlsTransaction>(0).client_version, 0x0301);
  EXPECT_TRUE(played.tx<TlsTransaction>(0).server_certificate().parsed);
}

struct EventRow {
  std::string name, from_client, event;
};

TEST(Tls, ReportsOddRecords) {
  const std::string hello = record(22, client_hello());
  const std::vector<EventRow> rows = {
      {"record type", hello + record(99, "x"), "tls.invalid_record_type"},
      {"record version", hello + record(22, "x", 0x0909), "tls.invalid_record_version"},
      {"record length", hello + from_hex("16 0303 ffff"), "tls.invalid_record_length"},
      {"hello breaks off", record(22, handshake(1, from_hex("0303 00"))), "tls.invalid_handshake_message"},
      {"two names", record(22, client_hello(sni_extension("other.example.org"))),
       "tls.multiple_sni_extensions"},
      {"name longer than its place", record(22, client_hello(extension(0, from_hex("0005 00 0009 6162")))),
       "tls.invalid_sni_length"},
      {"name of another type", record(22, client_hello(extension(0, from_hex("0005 01 0002 6162")))),
       "tls.invalid_sni_type"},
      {"fatal alert", hello + record(21, from_hex("02 28")), "tls.error_message_encountered"},
      {"short alert", hello + record(21, "x"), "tls.invalid_alert_message"},
      {"heartbeat asks for more than it sent", hello + record(24, from_hex("01 4000 61")),
       "tls.overflow_heartbeat_message"},
      {"endless message", hello + record(22, from_hex("0b ffffff 00")), "tls.handshake_invalid_length"},
      {"certificate list", hello + record(22, handshake(11, from_hex("0000ff 000001 00"))),
       "tls.certificate_invalid_length"},
      {"an empty certificate", hello + record(22, handshake(11, from_hex("000005 000002 3000"))),
       "tls.certificate_invalid_length"},
      {"no certificate", hello + record(22, handshake(11, from_hex("00000b 000008 30063084fffffffa"))),
       "tls.invalid_certificate"},
      {"unknown message", hello + record(22, from_hex("84 000001 00")), "tls.invalid_handshake_message"},
  };
  for (const EventRow& row : rows) {
    auto played = play({client(row.from_client)});
    ASSERT_EQ(played.count(), 1U) << row.name;
    EXPECT_TRUE(played.has_event(0, row.event)) << row.name;
  }
}

TEST(Tls, KeepsWithinItsLimits) {
  ParserConfig config;
  config.tls.max_handshake_bytes = 2000;
  config.tls.max_chain = 1;
  const std::string long_message = handshake(11, std::string(3000, 'x'));
  Played played({client(record(22, client_hello())),
                 server(record(22, server_hello() + long_message + certificate_message()))},
                config, 443);
  EXPECT_TRUE(played.has_event(0, "tls.handshake_invalid_length"));
  // What follows the skipped message is read again.
  EXPECT_EQ(played.tx<TlsTransaction>(0).server_certificate().chain.size(), 1U);
}

RC_GTEST_PROP(Tls, AnySegmentationGivesTheSame, ()) {
  Conversation conversation = full_handshake();
  const auto place = *rc::gen::inRange<std::size_t>(0, conversation[1].bytes.size());
  conversation[1].bytes[place] = static_cast<char>(*rc::gen::inRange(0, 256));
  const auto sizes =
      *rc::gen::nonEmpty(rc::gen::container<std::vector<std::size_t>>(rc::gen::inRange<std::size_t>(1, 200)));
  RC_ASSERT(play(recut(conversation, sizes)).describe() == play(conversation).describe());
}

TEST(Tls, SurvivesACutAtEveryByte) {
  const Conversation conversation = full_handshake();
  const auto expect_same_in_single_bytes = [](const Conversation& cut) {
    EXPECT_EQ(play(recut(cut, {1})).describe(), play(cut).describe());
  };
  for (std::size_t i = 1; i <= conversation[0].bytes.size(); ++i)
    expect_same_in_single_bytes({client(conversation[0].bytes.substr(0, i))});
  for (std::size_t i = 0; i <= conversation[1].bytes.size(); ++i)
    expect_same_in_single_bytes({conversation[0], server(conversation[1].bytes.substr(0, i))});
}

TEST(Tls, NamesVersions) {
  EXPECT_EQ(tls_version_text(0), "UNDETERMINED");
  EXPECT_EQ(tls_version_text(0x0300), "SSLv3");
  EXPECT_EQ(tls_version_text(0x0301), "TLSv1");
  EXPECT_EQ(tls_version_text(0x7f12), "TLS 1.3 draft-18");
  EXPECT_EQ(tls_version_text(0x7f01), "TLS 1.3 draft-<16");
  EXPECT_EQ(tls_version_text(0x1234), "0x1234");
}

}  // namespace
}  // namespace gatehouse::ids
