#include "ids/decode/testing/packet_builder.h"

namespace gatehouse::ids::testing {
namespace {

constexpr std::uint8_t kFin = 0x01, kSyn = 0x02, kRst = 0x04, kPsh = 0x08, kAck = 0x10;

}  // namespace

TcpConversation::TcpConversation(Endpoints endpoints)
    : endpoints_(std::move(endpoints)), now_us_(endpoints_.start_us) {}

TcpConversation& TcpConversation::raw(bool from_client, std::uint8_t flags, std::uint32_t sequence,
                                      std::uint32_t acknowledgment, std::string_view text, Bytes options,
                                      std::uint16_t window) {
  const Endpoints& e = endpoints_;
  TcpFields fields;
  fields.source_port = from_client ? e.client_port : e.server_port;
  fields.destination_port = from_client ? e.server_port : e.client_port;
  fields.sequence = sequence + (from_client ? e.client_isn : e.server_isn);
  fields.acknowledgment =
      (flags & kAck) != 0 ? acknowledgment + (from_client ? e.server_isn : e.client_isn) : 0;
  fields.flags = flags;
  fields.window = window;
  fields.options = std::move(options);
  IpFields ip;
  ip.source = from_client ? e.client : e.server;
  ip.destination = from_client ? e.server : e.client;
  const Bytes segment = tcp(fields, from_text(text));
  const bool v6 = ip.source.find(':') != std::string::npos;
  frames_.push_back({ethernet_ip(v6 ? ipv6(ip, segment) : ipv4(ip, segment)), now_us_});
  now_us_ += 1'000;
  return *this;
}

void TcpConversation::emit(bool from_client, std::uint8_t flags, std::string_view text) {
  std::uint32_t& mine = from_client ? client_next_ : server_next_;
  raw(from_client, flags, mine, from_client ? server_next_ : client_next_, text);
  mine += static_cast<std::uint32_t>(text.size()) + ((flags & (kSyn | kFin)) != 0 ? 1 : 0);
}

TcpConversation& TcpConversation::handshake() {
  emit(true, kSyn, {});
  emit(false, kSyn | kAck, {});
  emit(true, kAck, {});
  return *this;
}

TcpConversation& TcpConversation::client_data(std::string_view text) {
  emit(true, kPsh | kAck, text);
  return *this;
}
TcpConversation& TcpConversation::server_data(std::string_view text) {
  emit(false, kPsh | kAck, text);
  return *this;
}
TcpConversation& TcpConversation::client_ack() {
  emit(true, kAck, {});
  return *this;
}
TcpConversation& TcpConversation::server_ack() {
  emit(false, kAck, {});
  return *this;
}
TcpConversation& TcpConversation::client_sends(std::string_view text) {
  return client_data(text).server_ack();
}
TcpConversation& TcpConversation::server_sends(std::string_view text) {
  return server_data(text).client_ack();
}

TcpConversation& TcpConversation::close() {
  emit(true, kFin | kAck, {});
  emit(false, kFin | kAck, {});
  emit(true, kAck, {});
  return *this;
}
TcpConversation& TcpConversation::client_reset() {
  emit(true, kRst | kAck, {});
  return *this;
}
TcpConversation& TcpConversation::server_reset() {
  emit(false, kRst | kAck, {});
  return *this;
}
TcpConversation& TcpConversation::wait_us(std::int64_t us) {
  now_us_ += us;
  return *this;
}

}  // namespace gatehouse::ids::testing
