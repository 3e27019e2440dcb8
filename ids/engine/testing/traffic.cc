#include "ids/engine/testing/traffic.h"

#include <fmt/format.h>

#include <cstdlib>

namespace gatehouse::ids::testing {
namespace {

constexpr std::int64_t kStart = 1'700'000'000'000'000;

std::string client_address(unsigned number) {
  return fmt::format("10.{}.{}.{}", number >> 16U & 0xffU, number >> 8U & 0xffU, number & 0xffU);
}

TcpConversation between(unsigned number, std::uint16_t port) {
  TcpConversation::Endpoints e;
  e.client = client_address(number);
  e.server_port = port;
  e.client_port = static_cast<std::uint16_t>(20'000 + number % 40'000);
  e.start_us = kStart;
  return TcpConversation(e);
}

std::string two_bytes(std::size_t number) {
  return {static_cast<char>(number >> 8U), static_cast<char>(number)};
}

// RFC 8446 4.1.2, with a server name.
std::string client_hello(std::string_view host) {
  const std::string name = two_bytes(host.size() + 3) + '\0' + two_bytes(host.size()) + std::string(host);
  const std::string extension = two_bytes(0) + two_bytes(name.size()) + name;
  std::string body = "\x03\x03" + std::string(32, 'r') + '\0' + two_bytes(2) + "\x13\x01" + '\x01' + '\0';
  body += two_bytes(extension.size()) + extension;
  const std::string message = std::string("\x01", 1) + '\0' + two_bytes(body.size()) + body;
  return "\x16\x03\x01" + two_bytes(message.size()) + message;
}

std::string server_hello() {
  const std::string body = "\x03\x03" + std::string(32, 's') + '\0' + "\x13\x01" + '\0';
  const std::string message = std::string("\x02", 1) + '\0' + two_bytes(body.size()) + body;
  return "\x16\x03\x03" + two_bytes(message.size()) + message + "\x17\x03\x03" + two_bytes(64) +
         std::string(64, 'x');
}

Frame datagram(unsigned number, bool from_client, const Bytes& payload, std::int64_t time_us) {
  IpFields ip;
  ip.protocol = 17;
  ip.source = client_address(number);
  const auto port = static_cast<std::uint16_t>(20'000 + number % 40'000);
  if (!from_client) std::swap(ip.source, ip.destination);
  const Bytes transport = from_client ? udp(port, 53, payload) : udp(53, port, payload);
  return {ethernet_ip(ipv4(ip, transport)), time_us};
}

std::vector<Frame> dns_exchange(unsigned number) {
  const Bytes question = from_hex("03 777777 07 6578616d706c65 03 6f7267 00 0001 0001");
  const Bytes query = from_hex("1234 0100 0001 0000 0000 0000") + question;
  const Bytes answer = from_hex("1234 8180 0001 0001 0000 0000") + question +
                       from_hex("c00c 0001 0001 0000003c 0004 5db8d822");
  return {datagram(number, true, query, kStart), datagram(number, false, answer, kStart + 1000)};
}

std::vector<Frame> web_visit(unsigned number) {
  const std::string body(4000, 'b');
  TcpConversation talk = between(number, 80);
  talk.handshake();
  for (int request = 0; request < 3; ++request) {
    talk.client_sends(
        fmt::format("GET /page/{} HTTP/1.1\r\nHost: shop.example\r\nUser-Agent: test\r\n"
                    "Accept: */*\r\n\r\n",
                    request));
    talk.server_sends("HTTP/1.1 200 OK\r\nContent-Type: text/html\r\nContent-Length: 4000\r\n\r\n");
    for (std::size_t at = 0; at < body.size(); at += 1000) talk.server_sends(body.substr(at, 1000));
  }
  return talk.close().frames();
}

std::vector<Frame> mail_sent(unsigned number) {
  TcpConversation talk = between(number, 25);
  talk.handshake().server_sends("220 mail.example ESMTP\r\n").client_sends("EHLO client.example\r\n");
  talk.server_sends("250 mail.example\r\n").client_sends("MAIL FROM:<a@client.example>\r\n");
  talk.server_sends("250 ok\r\n").client_sends("RCPT TO:<b@mail.example>\r\n").server_sends("250 ok\r\n");
  talk.client_sends("DATA\r\n").server_sends("354 go on\r\n");
  talk.client_sends(
      "From: a@client.example\r\nTo: b@mail.example\r\nSubject: test\r\n\r\nhello there\r\n.\r\n");
  talk.server_sends("250 taken\r\n").client_sends("QUIT\r\n").server_sends("221 bye\r\n");
  return talk.close().frames();
}

std::vector<Frame> tls_session(unsigned number) {
  TcpConversation talk = between(number, 443);
  talk.handshake().client_sends(client_hello("www.example.org")).server_sends(server_hello());
  const std::string data = "\x17\x03\x03" + two_bytes(900) + std::string(900, 'x');
  for (int i = 0; i < 5; ++i) talk.client_sends(data).server_sends(data);
  return talk.close().frames();
}

engine::Settings settings_of(std::string_view config) {
  core::Diagnostics diagnostics;
  const core::SourceText text("test.yaml", std::string(config));
  engine::SettingsInput input;
  if (!config.empty()) input.config = &text;
  auto settings = engine::load_settings(input, diagnostics);
  if (!settings) std::abort();
  return *std::move(settings);
}

}  // namespace

std::string_view to_string(Talk talk) {
  constexpr std::string_view kNames[] = {"web", "dns", "tls", "mail"};
  return kNames[static_cast<std::size_t>(talk)];
}

std::vector<Frame> conversation(Talk talk, unsigned number) {
  switch (talk) {
    case Talk::web:
      return web_visit(number);
    case Talk::dns:
      return dns_exchange(number);
    case Talk::tls:
      return tls_session(number);
    case Talk::mail:
      break;
  }
  return mail_sent(number);
}

Frame flood_packet(unsigned number, bool udp_packet) {
  IpFields ip;
  ip.source = client_address(number);
  ip.protocol = udp_packet ? 17 : 6;
  const auto port = static_cast<std::uint16_t>(1024 + (number >> 24U));
  TcpFields fields;
  fields.source_port = port;
  fields.flags = 0x02;
  const Bytes transport = udp_packet ? udp(port, 40'000, from_text("eighteen bytes....")) : tcp(fields);
  return {ethernet_ip(ipv4(ip, transport)), kStart + number};
}

Frame lone_fragment(unsigned number) {
  IpFields ip;
  ip.source = client_address(number);
  ip.protocol = 17;
  ip.id = static_cast<std::uint16_t>(number);
  ip.fragment = 0x2000 | 10;
  return {ethernet_ip(ipv4(ip, Bytes(800, 'f'))), kStart + number};
}

std::vector<Frame> segments_beyond_a_hole(unsigned count) {
  TcpConversation talk = between(7, 9999);
  talk.handshake();
  const std::string text(1000, 'o');
  for (unsigned i = 0; i < count; ++i) talk.raw(true, 0x18, 2 + i * 1001, 1, text);
  return talk.frames();
}

Sensor::Sensor(std::string_view rules, std::string_view config)
    : settings_(settings_of(config)), output_(1, engine::WhenFull::wait) {
  core::Diagnostics diagnostics;
  const core::SourceText source("test.rules", std::string(rules));
  auto compiled =
      Engine::build(check_rules(std::span(&source, 1), settings_.environment, diagnostics), settings_.engine);
  if (!compiled || diagnostics.has_errors()) std::abort();
  output_.add_sink(std::make_unique<Discard>());
  output_.start();
  worker_ = std::make_unique<engine::Worker>(settings_, *compiled, output_.port(0), engine::WorkerOptions{});
}

Sensor::~Sensor() {
  worker_.reset();
  output_.stop();
}

void Sensor::feed(const Frame& frame, std::int64_t later_us) {
  RawPacket raw = raw_packet(frame, ++number_);
  raw.time_us += later_us;
  worker_->on_packet(raw);
}

void Sensor::feed(const std::vector<Frame>& frames, std::int64_t later_us) {
  for (const Frame& frame : frames) feed(frame, later_us);
}

engine::StatsSnapshot Sensor::stats() const {
  engine::StatsSnapshot stats;
  worker_->snapshot(stats);
  return stats;
}

}  // namespace gatehouse::ids::testing
