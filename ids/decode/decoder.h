// From a raw frame to packets. One Decoder per worker; it keeps counters and the state of the
// automatic checksum mode, and no memory of single packets.
#pragma once

#include <array>
#include <cstdint>
#include <vector>

#include "ids/capture/source.h"
#include "ids/decode/packet.h"

namespace gatehouse::ids {

// automatic: validates, and stops for good when more than a tenth of the first 1,000 packets were
// wrong, because then the capturing card computes the sums (off-loading). Until then a sum of an interface's
// packet that only waits to be computed is not called wrong.
enum class ChecksumMode : std::uint8_t { automatic, yes, no };

struct DecoderOptions {
  ChecksumMode checksum = ChecksumMode::automatic;
  bool from_interface = false;  // as opposed to a file
  bool ipip = true, teredo = true, vxlan = true, geneve = true;
  bool erspan_type1 = true;  // has no header of its own: nothing but the type tells it from other GRE traffic
  std::vector<std::uint16_t> teredo_ports = {3544};
  std::vector<std::uint16_t> vxlan_ports = {4789};
  std::vector<std::uint16_t> geneve_ports = {6081};
  unsigned max_tunnel_depth = 8;  // packets in packets beyond this are not opened
};

struct DecoderCounters {
  std::uint64_t packets = 0, bytes = 0, invalid = 0;  // frames; bytes on the wire
  std::uint64_t ipv4 = 0, ipv6 = 0, tcp = 0, udp = 0, sctp = 0, icmpv4 = 0, icmpv6 = 0, esp = 0;
  std::uint64_t ethernet = 0, arp = 0, raw = 0, null = 0, sll = 0, ppp = 0, pppoe = 0, chdlc = 0,
                unknown_link = 0;
  std::uint64_t vlan = 0, vlan_qinq = 0, vlan_qinqinq = 0, vntag = 0, mpls = 0, nsh = 0,
                unknown_ethertype = 0;
  std::uint64_t gre = 0, vxlan = 0, geneve = 0, teredo = 0, erspan = 0, ipv4_in_ipv4 = 0, ipv6_in_ipv4 = 0;
  std::uint64_t ipv4_in_ipv6 = 0, ipv6_in_ipv6 = 0, too_many_layers = 0;
  std::uint64_t bad_checksum = 0;
  std::uint64_t max_packet = 0;
  std::vector<std::uint64_t> events;  // by DecodeEvent
};

// Receives each packet of a frame: the outer one first, then those inside tunnels.
class PacketHandler {
 public:
  virtual ~PacketHandler() = default;
  // The packet and its views live until the return. Later layers may set its flow-layer members.
  virtual void on_packet(Packet& packet) = 0;
};

class Decoder {
 public:
  explicit Decoder(DecoderOptions options);

  void decode(const RawPacket& raw, PacketHandler& handler);
  // Decodes an IP datagram put together from fragments; it stands at `ip_offset` of `frame`, and
  // `last` is the fragment that completed it. The packets' views point into `frame`.
  void decode_datagram(ByteView frame, std::size_t ip_offset, const Packet& last, PacketHandler& handler);

  const DecoderCounters& counters() const { return counters_; }
  const DecoderOptions& options() const { return options_; }
  bool validates_checksums() const { return validate_; }

 private:
  void decode_inner(const Packet& outer, const struct InnerPacket& inner, PacketHandler& handler);
  void finish(struct DecodeContext& context, PacketHandler& handler);
  struct DecodeContext context_of(Packet& packet);
  bool samples_checksums() const;
  void judge_checksums(const struct DecodeContext& context);

  DecoderOptions options_;
  DecoderCounters counters_;
  bool validate_ = true;
  std::uint64_t checksum_seen_ = 0, checksum_bad_ = 0;
};

}  // namespace gatehouse::ids
