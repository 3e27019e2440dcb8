// Rules about SSH, TLS, mail and recognised protocols, from the bytes of a flow to the match.
#include <gtest/gtest.h>

#include "ids/match/detector.h"

namespace gatehouse::ids {
namespace {

struct Said {
  Direction direction;
  std::string bytes;
};
Said client(std::string bytes) {
  return {Direction::to_server, std::move(bytes)};
}
Said server(std::string bytes) {
  return {Direction::to_client, std::move(bytes)};
}

struct Fired {
  std::uint32_t sid;
  char side;  // 's' to the server, 'c' to the client
  friend bool operator==(const Fired&, const Fired&) = default;
  friend std::ostream& operator<<(std::ostream& out, const Fired& f) { return out << f.sid << f.side; }
};

// Each text is a whole rule without its sid. After each piece both directions are inspected, the other one
// first: it acknowledges.
std::vector<Fired> run(const std::vector<std::string>& rules, const std::vector<Said>& conversation,
                       std::uint16_t port = 443, const ParserConfig& config = {}) {
  std::string text;
  for (std::size_t i = 0; i < rules.size(); ++i)
    text += rules[i].substr(0, rules[i].rfind(')')) + " sid:" + std::to_string(i + 1) + ";)\n";
  core::Diagnostics d;
  const core::SourceText source("t.rules", text);
  auto engine = Engine::build(check_rules(std::span(&source, 1), {}, d), {});
  EXPECT_FALSE(d.has_errors()) << d.render_all();
  const auto detector = Detector::make(*engine);
  AppLayer layer(config);
  Flow flow;
  flow.key.protocol = kProtoTcp;
  flow.key.server_port = port;
  std::vector<Fired> fired;
  std::array<std::uint64_t, 2> offset{};
  for (const Said& said : conversation) {
    StreamChunk chunk;
    chunk.direction = said.direction;
    chunk.offset = offset[index(said.direction)];
    chunk.data = core::as_bytes(said.bytes);
    offset[index(said.direction)] += said.bytes.size();
    layer.on_stream(flow, chunk, 0);
    for (const Direction direction : {opposite(said.direction), said.direction}) {
      Packet p;
      p.ip_version = 4;
      p.protocol = kProtoTcp;
      p.has_transport = true;
      p.established = true;
      p.direction = direction;
      p.time_us = 1'800'000'000'000'000;
      (direction == Direction::to_server ? p.destination_port : p.source_port) = port;
      std::vector<Match> out;
      detector->inspect(p, &flow, out);
      for (const Match& m : out)
        fired.push_back({m.rule->meta.sid, m.direction == Direction::to_server ? 's' : 'c'});
    }
  }
  std::sort(fired.begin(), fired.end(),
            [](const Fired& a, const Fired& b) { return std::tie(a.sid, a.side) < std::tie(b.sid, b.side); });
  return fired;
}

using List = std::vector<Fired>;

const std::vector<Said> kBanners = {server("SSH-1.99-Server_2\r\n"), client("SSH-2.0-Client_1 comment\r\n")};

TEST(SessionRules, BothBannersAreDecidedOnTheirOwn) {
  EXPECT_EQ(run({"alert ssh any any -> any any (ssh.proto; content:\"2.0\";)",
                 "alert ssh any any -> any any (ssh_proto; content:\"1.99\";)",
                 "alert ssh any any -> any any (ssh.software; content:\"_\";)",
                 "alert ssh any any -> any any (flow:to_client; ssh.software; content:\"_\";)",
                 "alert ssh any any -> any any (ssh_software; content:\"comment\";)",
                 "alert tcp any any -> any any (ssh.software; bsize:8;)"},
                kBanners, 22),
            (List{{1, 's'}, {2, 'c'}, {3, 'c'}, {3, 's'}, {4, 'c'}, {6, 'c'}, {6, 's'}}));
}

std::string u16(std::size_t v) {
  return {static_cast<char>(v >> 8U & 0xffU), static_cast<char>(v & 0xffU)};
}
std::string hello(char type, std::size_t version) {
  const std::string body =
      u16(version) + std::string(32, 'r') + '\0' +
      (type == 1 ? u16(2) + "\xc0\x2b" + std::string("\1\0", 2) : std::string("\xc0\x2b\0", 3));
  const std::string message = type + std::string(1, '\0') + u16(body.size()) + body;
  return '\x16' + u16(version) + u16(message.size()) + message;
}

TEST(SessionRules, VersionsAreThoseOfEachSide) {
  const std::vector<Said> session = {client(hello(1, 0x0303)), server(hello(2, 0x0301))};
  EXPECT_EQ(run({"alert tls any any -> any any (tls.version:1.2;)",
                 "alert tls any any -> any any (ssl_version:tls1.0;)",
                 "alert tls any any -> any any (ssl_version:!tls1.3,sslv3;)",
                 "alert tls any any -> any any (ssl_version:!tls1.2,tls1.0;)",
                 "alert tls any any -> any any (tls.version:0x0301; flow:to_client;)"},
                session),
            (List{{1, 's'}, {2, 'c'}, {3, 'c'}, {3, 's'}, {5, 'c'}}));
}

TEST(SessionRules, StatesOfTheHandshake) {
  const std::vector<Said> session = {client(hello(1, 0x0303)), server(hello(2, 0x0303))};
  EXPECT_EQ(run({"alert tls any any -> any any (flow:to_server; ssl_state:client_hello;)",
                 "alert tls any any -> any any (flow:to_server; ssl_state:server_hello;)",
                 "alert tls any any -> any any (flow:to_server; ssl_state:client_keyx|server_keyx;)",
                 "alert tls any any -> any any (flow:to_server; ssl_state:!client_hello;)"},
                session),
            (List{{1, 's'}, {2, 's'}, {4, 's'}}));
}

TEST(SessionRules, ProtocolOfAFlow) {
  const std::vector<Said> mixed = {client("GET / HTTP/1.1\r\nHost: a\r\n\r\n"), server("SSH-2.0-x\r\n")};
  EXPECT_EQ(run({"alert tcp any any -> any any (app-layer-protocol:http;)",
                 "alert tcp any any -> any any (app-layer-protocol:ssh;)",
                 "alert tcp any any -> any any (app-layer-protocol:http,final;)",
                 "alert tcp any any -> any any (app-layer-protocol:!ssh;)",
                 "alert tcp any any -> any any (app-layer-protocol:ssh,either;)",
                 "alert tcp any any -> any any (app-layer-protocol:http1,original;)",
                 "alert tcp any any -> any any (app-layer-protocol:http1,to_server; "
                 "app-layer-protocol:ssh,to_client;)"},
                mixed, 80),
            (List{{1, 's'}, {2, 'c'}, {3, 'c'}, {3, 's'}, {4, 's'}, {5, 'c'}, {7, 'c'}}));
}

TEST(SessionRules, DcerpcIncludesItsCarrier) {
  const std::string smb(
      "\0\0\0\x40\xff"
      "SMB\x72",
      9);
  EXPECT_EQ(run({"alert smb any any -> any any (flow:to_server; app-layer-protocol:smb;)",
                 "alert tcp any any -> any any (flow:to_server; app-layer-protocol:dcerpc;)",
                 "alert tcp any any -> any any (flow:to_server; app-layer-protocol:!dcerpc;)"},
                {client(smb)}, 445)
                .size(),
            2U);
}

std::vector<Said> mail(const std::string& text) {
  return {server("220 mx.example ESMTP\r\n"),
          client("EHLO client.example\r\n"),
          server("250 mx.example\r\n"),
          client("MAIL FROM:<a@x>\r\nRCPT TO:<b@y>\r\nRCPT TO:<c@y>\r\n"),
          server("250 ok\r\n250 ok\r\n250 ok\r\n"),
          client("DATA\r\n"),
          server("354 go\r\n"),
          client(text + "\r\n.\r\n"),
          server("250 ok\r\n"),
          client("QUIT\r\n")};
}

TEST(SessionRules, EnvelopeOfMail) {
  EXPECT_EQ(run({"alert smtp any any -> any any (smtp.helo; content:\"client.example\"; bsize:14;)",
                 "alert smtp any any -> any any (smtp.mail_from; content:\"<a@x>\"; startswith; endswith;)",
                 "alert smtp any any -> any any (smtp.rcpt_to; content:\"<c@y>\";)",
                 "alert smtp any any -> any any (smtp.rcpt_to; content:\"<a@x>\";)",
                 "alert smtp any any -> any any (smtp.mail_from; content:!\"<a@x>\";)"},
                mail("Subject: s\r\n\r\nx"), 25),
            (List{{1, 's'}, {2, 's'}, {3, 's'}}));
}

TEST(SessionRules, FieldsAndAddressesOfMail) {
  EXPECT_EQ(run({"alert smtp any any -> any any (email.subject; content:\"two words\"; bsize:9;)",
                 "alert smtp any any -> any any (email.from; content:\"Joe\";)",
                 "alert smtp any any -> any any (email.to; content:\"d@y\";)",
                 "alert smtp any any -> any any (email.cc; content:\"@\";)",
                 "alert smtp any any -> any any (email.message_id; content:\"<1@x>\";)",
                 "alert smtp any any -> any any (email.x_mailer; content:\"Mailer\";)",
                 "alert smtp any any -> any any (email.received; content:\"second\";)",
                 "alert smtp any any -> any any (email.url; content:\"evil.example/x\"; endswith;)",
                 "alert smtp any any -> any any (email.date; content:\"1999\";)"},
                mail("From: Joe <j@x>\r\nTo: c@y,\r\n d@y\r\nSubject: two\r\n words\r\nMessage-ID: "
                     "<1@x>\r\nX-Mailer: "
                     "Mailer\r\nReceived: first\r\nReceived: second\r\n\r\nhttp://evil.example/x"),
                25),
            (List{{1, 's'}, {2, 's'}, {3, 's'}, {5, 's'}, {6, 's'}, {7, 's'}, {8, 's'}}));
}

TEST(SessionRules, AttachmentsOfMail) {
  EXPECT_EQ(run({"alert smtp any any -> any any (file.data; content:\"hello world\";)",
                 "alert smtp any any -> any any (file.name; content:\"a.exe\";)",
                 "alert smtp any any -> any any (file_data; content:\"aGVsbG8\";)",
                 "alert smtp any any -> any any (app-layer-event:smtp.mime_invalid_base64;)",
                 "alert smtp any any -> any any (app-layer-event:smtp.tls_rejected;)"},
                mail("Content-Type: application/x; name=a.exe\r\nContent-Transfer-Encoding: "
                     "base64\r\n\r\naGVsbG8*gd29ybGQ="),
                25),
            (List{{1, 's'}, {2, 's'}, {4, 's'}}));
}

}  // namespace
}  // namespace gatehouse::ids
