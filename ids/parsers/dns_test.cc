#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <rapidcheck/gtest.h>

#include "ids/parsers/dns_message.h"
#include "ids/parsers/session_harness.h"

namespace gatehouse::ids {
namespace {

using testing::client;
using testing::Conversation;
using testing::from_hex;
using testing::Played;
using testing::recut;
using testing::server;

// id 0x1234, one question: example.org A.
const std::string kQuery = from_hex("1234 0100 0001 0000 0000 0000 07 6578616d706c65 03 6f7267 00 0001 0001");

std::string framed(const std::string& message) {
  return std::string{static_cast<char>(message.size() >> 8U), static_cast<char>(message.size() & 0xffU)} +
         message;
}

// A response to kQuery: `count` answers, their bytes following.
std::string response(unsigned answers, unsigned authorities, std::string_view records_hex) {
  return from_hex("1234 8180 0001 00") + static_cast<char>(answers) + '\0' + static_cast<char>(authorities) +
         from_hex("0000 07 6578616d706c65 03 6f7267 00 0001 0001") + from_hex(records_hex);
}

Played play(const Conversation& conversation, AppTransport transport = AppTransport::udp) {
  return Played(conversation, {}, 53, transport);
}

struct RecordRow {
  std::string name, records, json;
};

TEST(Dns, LogsRecordsByType) {
  const std::vector<RecordRow> rows = {
      {"A", "c00c 0001 0001 0000003c 0004 c0000201",
       R"("answers":[{"rrname":"example.org","rrtype":"A","ttl":60,"rdata":"192.0.2.1"}],"grouped":{"A":["192.0.2.1"]})"},
      {"AAAA", "c00c 001c 0001 0000003c 0010 20010db8000000000000000000000001",
       R"("rdata":"2001:0db8:0000:0000:0000:0000:0000:0001"}],"grouped":{"AAAA":["2001:0db8:0000:0000:0000:0000:0000:0001"]})"},
      {"CNAME, compressed", "c00c 0005 0001 0000003c 0006 03777777 c00c", R"("rdata":"www.example.org")"},
      {"MX", "c00c 000f 0001 0000003c 0009 000a 046d61696c c00c", R"("rdata":"mail.example.org")"},
      {"TXT, two strings", "c00c 0010 0001 0000003c 0004 026869 00",
       R"("rdata":"hi"},{"rrname":"example.org","rrtype":"TXT","ttl":60,"rdata":""}],"grouped":{"TXT":["hi",""]})"},
      {"SRV", "c00c 0021 0001 0000003c 0008 0001 0002 13c4 c00c",
       R"("srv":{"priority":1,"weight":2,"port":5060,"name":"example.org"})"},
      {"SSHFP", "c00c 002c 0001 0000003c 0004 0101 abcd",
       R"("grouped":{"SSHFP":[{"fingerprint":"ab:cd","algo":1,"type":1}]})"},
      {"SOA", "c00c 0006 0001 0000003c 0018 c00c c00c 00000001 00000002 00000003 00000004 00000005",
       R"("soa":{"mname":"example.org","rname":"example.org","serial":1,"refresh":2,"retry":3,"expire":4,"minimum":5})"},
      {"NULL, not UTF-8", "c00c 000a 0001 0000003c 0003 41c5ff", R"("rdata":"A\\xc5\\xff")"},
      {"type without a name", "c00c ffff 0001 0000003c 0001 00", R"("rrtype":"65535","ttl":60})"},
      {"A of a wrong length", "c00c 0001 0001 0000003c 0003 c00002",
       R"("answers":[{"rrname":"example.org","rrtype":"A","ttl":60}])"},
  };
  for (const RecordRow& row : rows) {
    auto played = play({client(kQuery), server(response(1, 0, row.records))});
    ASSERT_EQ(played.count(), 2U) << row.name;
    EXPECT_THAT(played.log(1), ::testing::HasSubstr(row.json)) << row.name;
    EXPECT_TRUE(played.events(1).empty()) << row.name;
  }
}

TEST(Dns, LogsBothLayouts) {
  auto played = play({client(kQuery), server(response(1, 0, "c00c 0001 0001 0000003c 0004 c0000201"))});
  EXPECT_EQ(played.log(0),
            R"({"version":3,"type":"request","tx_id":0,"id":4660,"flags":"100","rd":true,"opcode":0,)"
            R"("rcode":"NOERROR","queries":[{"rrname":"example.org","rrtype":"A"}]})");
  LogOptions old;
  old.dns_version = 2;
  EXPECT_EQ(
      played.log(0, old),
      R"({"version":2,"type":"query","id":4660,"rrname":"example.org","rrtype":"A","tx_id":0,"opcode":0})");
  EXPECT_EQ(played.log(1, old),
            R"({"version":2,"type":"answer","id":4660,"flags":"8180","qr":true,"rd":true,"ra":true,)"
            R"("opcode":0,"rrname":"example.org","rrtype":"A","rcode":"NOERROR","answers":)"
            R"([{"rrname":"example.org","rrtype":"A","ttl":60,"rdata":"192.0.2.1"}],)"
            R"("grouped":{"A":["192.0.2.1"]}})");
  old.dns_grouped = old.dns_detailed = false;
  EXPECT_THAT(played.log(1, old), ::testing::Not(::testing::HasSubstr("192.0.2.1")));
}

TEST(Dns, EachMessageIsATransactionOfOneDirection) {
  auto played = play({client(kQuery), server(response(0, 0, "")), client(kQuery)});
  ASSERT_EQ(played.count(), 3U);
  EXPECT_TRUE(played.tx<DnsTransaction>(0).skip_inspect[1]);
  EXPECT_TRUE(played.tx<DnsTransaction>(1).skip_inspect[0]);
  EXPECT_EQ(played.tx<DnsTransaction>(2).id, 2U);
}

struct EventRow {
  std::string name, bytes, event;
};

TEST(Dns, ReportsOddMessages) {
  const std::string name = "07 6578616d706c65 03 6f7267 00 0001 0001";
  const std::vector<EventRow> rows = {
      {"a response where a request is due", from_hex("1234 8100 0001 0000 0000 0000" + name),
       "dns.not_request"},
      {"reserved bit", from_hex("1234 0140 0001 0000 0000 0000" + name), "dns.z_flag_set"},
      {"operation 9", from_hex("1234 4900 0001 0000 0000 0000" + name), "dns.invalid_opcode"},
      {"cut in the question", from_hex("1234 0100 0001 0000 0000 0000 07 6578"), "dns.malformed_data"},
      {"pointer to itself", from_hex("1234 0100 0001 0000 0000 0000 c00c 0001 0001"), "dns.infinite_loop"},
      {"pointer out of the message", from_hex("1234 0100 0001 0000 0000 0000 c0ff 0001 0001"),
       "dns.malformed_data"},
      {"additional record cut", from_hex("1234 0100 0001 0000 0000 0001" + name + "00 0029"),
       "dns.invalid_additionals"},
  };
  for (const EventRow& row : rows) {
    auto played = play({client(kQuery), client(row.bytes)});
    ASSERT_GE(played.count(), 1U) << row.name;
    EXPECT_TRUE(played.has_event(played.count() - 1, row.event)) << row.name;
  }
}

TEST(Dns, ReportsAMalformedFirstMessageWithoutLoggingIt) {
  auto session = parser_of(find_parser("dns")).make_session({}, AppTransport::udp);
  session->on_data(Direction::to_server, core::as_bytes(kQuery.substr(0, 15)), 0);
  ASSERT_EQ(session->transactions().size(), 1U);
  EXPECT_TRUE(session->transactions().front()->logged);
  EXPECT_EQ(session->transaction_count(), 0U);
}

TEST(Dns, CutsEndlessNames) {
  std::string message = from_hex("1234 0100 0001 0000 0000 0000");
  for (int i = 0; i < 60; ++i) message += '\x3f' + std::string(63, 'a');
  message += from_hex("00 0001 0001");
  dns::Message parsed;
  EXPECT_EQ(dns::parse_message(core::as_bytes(message), parsed), dns::ParseStatus::ok);
  EXPECT_TRUE(parsed.names.too_long);
  EXPECT_LE(parsed.queries.at(0).name.size(), 1025U);
}

TEST(Dns, KeepsAtMostItsTransactions) {
  ParserConfig config;
  config.dns.max_transactions = 3;
  Conversation flood;
  for (int i = 0; i < 10; ++i) flood.push_back(client(kQuery));
  Played played(flood, config, 53, AppTransport::udp);
  EXPECT_EQ(played.count(), 3U);
  EXPECT_TRUE(played.has_event(2, "dns.too_many_transactions"));
}

RC_GTEST_PROP(Dns, AnySegmentationOverTcpGivesTheSame, ()) {
  const std::string answer = response(1, 0, "c00c 0001 0001 0000003c 0004 c0000201");
  const Conversation conversation = {client(framed(kQuery) + framed(kQuery)), server(framed(answer)),
                                     client(framed("junk junk junk"))};
  const auto sizes =
      *rc::gen::nonEmpty(rc::gen::container<std::vector<std::size_t>>(rc::gen::inRange<std::size_t>(1, 40)));
  RC_ASSERT(play(recut(conversation, sizes), AppTransport::tcp).describe() ==
            play(conversation, AppTransport::tcp).describe());
}

TEST(Dns, SurvivesACutAtEveryByte) {
  const std::string answer =
      response(2, 1,
               "c00c 0005 0001 0000003c 0006 03777777 c00c c00c 0010 0001 00000000 0003 026869"
               "c00c 0006 0001 0000003c 0018 c00c c00c 00000001 00000002 00000003 00000004 00000005");
  for (std::size_t i = 0; i <= answer.size(); ++i) {
    dns::Message parsed;
    const auto status = dns::parse_message(core::as_bytes(std::string_view(answer).substr(0, i)), parsed);
    EXPECT_EQ(status == dns::ParseStatus::no_header, i < 12) << i;
    EXPECT_EQ(parsed.answers.size() == 2 && parsed.authorities.size() == 1, i == answer.size()) << i;
    play({client(kQuery), server(answer.substr(0, i))}).describe();
  }
}

}  // namespace
}  // namespace gatehouse::ids
