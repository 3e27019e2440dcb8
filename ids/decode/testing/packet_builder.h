// Packets for tests, built from nothing: every layer with right lengths and checksums, unless the
// test asks for wrong ones. In the product only `ids test` uses it.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "core/bytes.h"
#include "ids/capture/source.h"

namespace gatehouse::ids::testing {

using Bytes = std::vector<std::uint8_t>;

// "12 34 ab": spaces are ignored.
Bytes from_hex(std::string_view hex);
inline Bytes from_text(std::string_view text) {
  return {text.begin(), text.end()};
}
Bytes operator+(Bytes left, const Bytes& right);

// ---- transport: header and payload, checksums filled in later by ipv4() / ipv6() ----
struct TcpFields {
  std::uint16_t source_port = 40000, destination_port = 80;
  std::uint32_t sequence = 0, acknowledgment = 0;
  std::uint8_t flags = 0x10;
  std::uint16_t window = 65535;
  std::uint16_t urgent = 0;
  Bytes options;  // padded with zeros to a multiple of 4
};
Bytes tcp(const TcpFields& fields, const Bytes& payload = {});
Bytes udp(std::uint16_t source_port, std::uint16_t destination_port, const Bytes& payload);
// `rest` is the 4-byte field after the checksum: identifier and sequence of an echo.
Bytes icmp(std::uint8_t type, std::uint8_t code, std::uint32_t rest, const Bytes& payload = {});

// ---- network ----
struct IpFields {
  std::string source = "192.0.2.1", destination = "198.51.100.2";
  std::uint8_t protocol = 6;
  std::uint8_t ttl = 64, tos = 0;
  std::uint16_t id = 1;
  std::uint16_t fragment = 0;  // flags and offset as in the header: 0x2000 is "more fragments"
  Bytes options;               // IPv4 only, padded with zeros to a multiple of 4
  bool fill_checksums = true;  // of the transport header; fragments are left alone
};
Bytes ipv4(const IpFields& fields, const Bytes& payload);
// Source and destination must be IPv6. `protocol` is the first next-header value; `payload` holds
// the extension headers; the transport checksum is filled when the payload begins with it.
Bytes ipv6(const IpFields& fields, const Bytes& payload);
// One fragment header (RFC 8200 4.5) for use at the front of an ipv6() payload with protocol 44.
Bytes ipv6_fragment_header(std::uint8_t next, std::uint16_t offset_bytes, bool more, std::uint32_t id);
// Fragments of `datagram` (a whole IPv4 or IPv6 packet without extension headers), each with
// `piece` payload bytes (a multiple of 8) but the last.
std::vector<Bytes> fragments(const Bytes& datagram, std::size_t piece, std::uint32_t id = 0x1234);

// ---- link ----
Bytes ethernet(const Bytes& payload, std::uint16_t ether_type = 0x0800);
// Ethernet around an IP packet: the type follows its version.
Bytes ethernet_ip(const Bytes& ip_packet);
Bytes vlan_tag(std::uint16_t id, const Bytes& payload, std::uint16_t inner_type = 0x0800);

// RFC 1071 over the bytes, as the checksum field holds it when the field itself is zero.
std::uint16_t checksum(core::ByteView bytes, std::uint32_t start = 0);

// ---- conversations ----
struct Frame {
  Bytes data;
  std::int64_t time_us = 0;
};

// A TCP connection that writes both sides' packets as Ethernet frames, one millisecond apart.
class TcpConversation {
 public:
  struct Endpoints {
    std::string client = "192.0.2.1", server = "198.51.100.2";
    std::uint16_t client_port = 40000, server_port = 80;
    std::uint32_t client_isn = 1000, server_isn = 9000;
    std::int64_t start_us = 1'700'000'000'000'000;
  };
  TcpConversation() : TcpConversation(Endpoints{}) {}
  explicit TcpConversation(Endpoints endpoints);

  TcpConversation& handshake();
  // Data in one packet, then the other side's bare acknowledgement.
  TcpConversation& client_sends(std::string_view text);
  TcpConversation& server_sends(std::string_view text);
  // The same without the acknowledgement.
  TcpConversation& client_data(std::string_view text);
  TcpConversation& server_data(std::string_view text);
  TcpConversation& client_ack();
  TcpConversation& server_ack();
  // FIN from the client, FIN-ACK from the server, ACK.
  TcpConversation& close();
  TcpConversation& client_reset();
  TcpConversation& server_reset();
  // Any packet: sequence and acknowledgement are relative to the initial numbers.
  TcpConversation& raw(bool from_client, std::uint8_t flags, std::uint32_t sequence,
                       std::uint32_t acknowledgment, std::string_view text = {}, Bytes options = {},
                       std::uint16_t window = 65535);
  TcpConversation& wait_us(std::int64_t us);

  const std::vector<Frame>& frames() const { return frames_; }
  std::vector<Frame>& frames() { return frames_; }

 private:
  void emit(bool from_client, std::uint8_t flags, std::string_view text);

  Endpoints endpoints_;
  std::uint32_t client_next_ = 0, server_next_ = 0;  // relative to the initial numbers
  std::int64_t now_us_ = 0;
  std::vector<Frame> frames_;
};

// ---- captures ----
enum class PcapFormat : std::uint8_t { micro, nano, micro_swapped, pcapng };
// The bytes of a capture file.
Bytes pcap_bytes(const std::vector<Frame>& frames, PcapFormat format = PcapFormat::micro,
                 std::uint32_t link_type = 1);
// Writes it to a file; aborts the test program when it cannot.
void write_pcap(const std::string& path, const std::vector<Frame>& frames,
                PcapFormat format = PcapFormat::micro, std::uint32_t link_type = 1);

// A RawPacket that views `frame`.
RawPacket raw_packet(const Frame& frame, std::uint64_t number = 1, int link_type = kLinkEthernet);
RawPacket raw_packet(const Bytes& bytes, std::int64_t time_us = 0, std::uint64_t number = 1,
                     int link_type = kLinkEthernet);

}  // namespace gatehouse::ids::testing
