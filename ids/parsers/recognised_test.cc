#include <gtest/gtest.h>
#include <rapidcheck/gtest.h>

#include "ids/parsers/session_harness.h"

namespace gatehouse::ids {
namespace {

using testing::client;
using testing::from_hex;
using testing::Played;
using testing::server;

struct Sample {
  const char* name;
  AppTransport transport;
  std::uint16_t port;
  std::string request, reply;  // empty: none
};

constexpr auto kTcp = AppTransport::tcp;
constexpr auto kUdp = AppTransport::udp;

std::string text(std::string_view value) {
  return std::string(value);
}

// What both sides begin with, on a port of the protocol or on another one where that is enough.
std::vector<Sample> samples() {
  const std::string ntp(47, 'n');
  std::string dhcp(240, '\0');
  dhcp[0] = 1;
  dhcp.replace(236, 4, "\x63\x82\x53\x63");
  std::string dce_datagram(80, '\0');
  dce_datagram[0] = 4;
  dce_datagram[4] = 0x10;
  dce_datagram[74] = 3;
  const std::string nfs_call = from_hex("00000001 00000000 00000002 000186a3 00000003 00000000");
  const std::string nfs_reply = from_hex("00000001 00000001 00000000 00000000 00000000 00000000");
  std::string enip(24, '\0');
  enip[0] = 0x65;
  return {
      {"smb", kTcp, 4450, from_hex("00000040 ff534d42 72000000"), from_hex("00000040 fe534d42 40000000")},
      {"smb", kTcp, 139,
       from_hex("81000044 20") + std::string(32, 'C') + '\0' + ' ' + std::string(32, 'A') + '\0',
       from_hex("82000000 00000040 ff534d42")},
      {"dcerpc", kTcp, 49152, from_hex("05000b0310000000 4800000001000000"),
       from_hex("05000c0310000000 4400000001000000")},
      {"dcerpc", kUdp, 1025, dce_datagram + "abc", ""},
      {"krb5", kUdp, 88, from_hex("6a0b 3009 a103020105 a2020000"),
       from_hex("6b0b 3009 a003020105 a1020000")},
      {"krb5", kTcp, 88, from_hex("0000000d 6a0b 3009 a103020105 a2020000 0000000000000000"), ""},
      {"ldap", kTcp, 389, from_hex("300c 020101 6007 020103 0400 8000"),
       from_hex("300c 020101 6107 0a0100 0400 0400")},
      {"rdp", kTcp, 3390,
       from_hex("0300002a 25e00000000000") + "Cookie: mstshash=u\r\n" + from_hex("0100080003000000"),
       from_hex("03000013 0ed000001234000200080002000000")},
      {"imap", kTcp, 1143, "a1 CAPABILITY\r\n", "* OK ready\r\n"},
      {"pop3", kTcp, 110, "USER me\r\n", "+OK ready\r\n"},
      {"sip", kUdp, 5062, "INVITE sip:a@b SIP/2.0\r\n", "SIP/2.0 100 Trying\r\n"},
      {"sip", kTcp, 5060, "OPTIONS sip:a@b SIP/2.0\r\n", "SIP/2.0 200 OK\r\n"},
      {"rfb", kTcp, 5999, "RFB 003.008\n", "RFB 003.008\n"},
      {"telnet", kTcp, 2323, from_hex("fffd18"), from_hex("fffb01 fffb03")},
      {"ntp", kUdp, 123, '\x23' + ntp, '\x24' + ntp},
      {"dhcp", kUdp, 67, dhcp, ""},
      {"snmp", kUdp, 1161, from_hex("3013 020101 0406 7075626c6963 a006 020100 020100"), ""},
      {"tftp", kUdp, 1069, text({"\0\1file\0octet\0", 13}), ""},
      {"ike", kUdp, 500, from_hex("1122334455667788 0000000000000000 21202208 00000000 0000001c"), ""},
      {"nfs", kTcp, 2049, from_hex("80000018") + nfs_call, from_hex("80000018") + nfs_reply},
      {"nfs", kUdp, 2049, nfs_call, nfs_reply},
      {"mqtt", kTcp, 1884, from_hex("100c 0004 4d515454 04 02 003c 0000"), from_hex("20020000")},
      {"modbus", kTcp, 502, from_hex("000100000006 01 03 0000000a"), from_hex("000100000003 01 83 02")},
      {"dnp3", kTcp, 20001, from_hex("056405c90000 0400 fc7b"), ""},
      {"enip", kTcp, 44818, enip, enip},
      {"quic", kUdp, 4433, from_hex("c0 00000001 08 1122334455667788 00") + std::string(1200, 'q'), ""},
      {"bittorrent-dht", kUdp, 6881, "d1:ad2:id20:aaaaaaaaaaaaaaaaaaaae",
       "d1:rd2:id20:aaaaaaaaaaaaaaaaaaaae"},
      {"pgsql", kTcp, 5432, from_hex("00000008 04d2162f"), "S"},
  };
}

// Where the server greets, it speaks first.
testing::Conversation conversation_of(const Sample& s) {
  testing::Conversation conversation = {client(s.request)};
  if (!s.reply.empty()) conversation.push_back(server(s.reply));
  if (std::string_view(s.name) == "pop3") std::swap(conversation[0], conversation[1]);
  return conversation;
}

TEST(Recognised, ByWhatFlowsBeginWith) {
  for (const Sample& s : samples()) {
    Played played(conversation_of(s), {}, s.port, s.transport);
    EXPECT_EQ(std::string(app_proto_name(played.app().proto)), s.name) << "port " << s.port;
    EXPECT_EQ(std::string(app_proto_name(played.app().detected[0])), s.name) << "port " << s.port;
    if (!s.reply.empty()) {
      EXPECT_EQ(std::string(app_proto_name(played.app().detected[1])), s.name) << "port " << s.port;
    }
    EXPECT_FALSE(played.parsed());
    EXPECT_TRUE(played.app().detection_events.empty()) << s.name;
  }
}

// Stream protocols: byte for byte, in both directions.
TEST(Recognised, HoweverTheStreamWasCut) {
  for (const Sample& s : samples()) {
    if (s.transport == kUdp) continue;
    Played played(testing::recut(conversation_of(s), {1}), {}, s.port);
    EXPECT_EQ(std::string(app_proto_name(played.app().proto)), s.name) << "port " << s.port;
    EXPECT_TRUE(played.app().detection_events.empty()) << s.name;
  }
}

TEST(Recognised, NothingButTheProtocolItself) {
  // Each sample belongs to one protocol only, also as seen from the other side.
  for (const Sample& s : samples()) {
    for (const ParserDescriptor* parser : parser_table()) {
      const bool fits = (static_cast<unsigned>(parser->transport) & static_cast<unsigned>(s.transport)) != 0;
      if (!fits || parser->make_session != nullptr || parser->ports_only || parser->name == s.name) continue;
      EXPECT_NE(parser->probe(core::as_bytes(s.request), Direction::to_server, s.transport),
                ProbeVerdict::yes)
          << s.name << " taken for " << parser->name;
    }
  }
  const auto name = [](Played played) { return std::string(app_proto_name(played.app().detected[0])); };
  EXPECT_NE(name(Played({client("USER login\r\n")})), "imap");
  EXPECT_NE(name(Played({client("USER me\r\n"), server("+OK\r\n")})), "pop3") << "on port 80";
  EXPECT_EQ(name(Played({client(from_hex("0300001611e00000000100c1020100c2020102c0010a"))})), "failed")
      << "S7, not RDP";
  EXPECT_EQ(name(Played({client(from_hex("056405c900000400e922"))})), "failed") << "a wrong checksum";
  EXPECT_EQ(name(Played({client(from_hex("050100"))})), "failed") << "SOCKS";
}

RC_GTEST_PROP(Recognised, ProbesReadNothingBeyondTheirBytes, (const std::vector<std::uint8_t>& bytes)) {
  RC_PRE(!bytes.empty());
  for (const ParserDescriptor* parser : parser_table()) {
    for (const Direction d : {Direction::to_server, Direction::to_client}) {
      for (const AppTransport t : {kTcp, kUdp}) {
        const std::vector<std::uint8_t> exact(bytes.begin(), bytes.end());
        std::vector<std::uint8_t> longer = bytes;  // what lies behind the bytes must not count
        longer.push_back(0xff);
        RC_ASSERT(parser->probe(exact, d, t) == parser->probe(ByteView(longer).first(bytes.size()), d, t));
      }
    }
  }
}

}  // namespace
}  // namespace gatehouse::ids
