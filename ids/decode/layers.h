// What the header files of this folder share: one function per header, and the state they pass
// along. Private to the folder.
#pragma once

#include "ids/decode/checksum.h"
#include "ids/decode/decoder.h"
#include "ids/decode/events.h"

namespace gatehouse::ids {

// Ethernet type numbers (IANA ieee-802-numbers).
inline constexpr std::uint16_t kEtherIpv4 = 0x0800, kEtherArp = 0x0806, kEtherTransparent = 0x6558;
inline constexpr std::uint16_t kEtherIpv6 = 0x86dd, kEtherVlan = 0x8100, kEtherQinQ = 0x9100,
                               kEtherServiceVlan = 0x88a8;
inline constexpr std::uint16_t kEtherProviderBackbone = 0x88e7, kEtherMpls = 0x8847,
                               kEtherMplsMulticast = 0x8848;
inline constexpr std::uint16_t kEtherPppoeDiscovery = 0x8863, kEtherPppoeSession = 0x8864, kEtherPpp = 0x880b;
inline constexpr std::uint16_t kEtherNsh = 0x894f, kEtherVnTag = 0x8926, kEtherFabricPath = 0x8903;
inline constexpr std::uint16_t kEtherErspan = 0x88be, kEtherErspan3 = 0x22eb;

// Protocol numbers beside those in packet.h.
inline constexpr std::uint8_t kProtoHopByHop = 0, kProtoIpIp = 4, kProtoIpv6 = 41, kProtoRouting = 43,
                              kProtoFragment = 44;
inline constexpr std::uint8_t kProtoGre = 47, kProtoEsp = 50, kProtoAh = 51, kProtoNone = 59,
                              kProtoDestination = 60;
inline constexpr std::uint8_t kProtoMobility = 135, kProtoHip = 139, kProtoShim6 = 140;

// Link types (tcpdump.org/linktypes.html), as libpcap returns them for files and Linux devices.
inline constexpr int kDltNull = 0, kDltPpp = 9, kDltRaw = 12, kDltPppSerial = 50, kDltRawFile = 101,
                     kDltCiscoHdlc = 104;
inline constexpr int kDltLoop = 108, kDltLinuxSll = 113, kDltIpv4 = 228, kDltIpv6 = 229, kDltLinuxSll2 = 276;

// A packet found inside another one.
struct InnerPacket {
  ByteView data;
  TunnelKind kind = TunnelKind::none;
  std::uint16_t ether_type = 0;    // how data begins: kEtherTransparent is an Ethernet frame
  std::size_t counted_header = 0;  // bytes of the tunnel header that count as the inner packet's
};

struct DecodeContext {
  DecodeContext(Packet& of, const DecoderOptions& by, DecoderCounters& count, bool judge, bool lenient)
      : packet(of), options(by), counters(count), validate(judge), may_be_unfinished(lenient) {}

  Packet& packet;
  const DecoderOptions& options;
  DecoderCounters& counters;
  bool validate;            // judge checksums
  bool may_be_unfinished;   // a card may be about to compute those of TCP and UDP
  bool unfinished = false;  // it is
  InnerPacket inner;        // opened after the packet was handed over
  unsigned layers = 0;

  // Of TCP or UDP, where sums are validated: `field` is the one in `bytes`, `pseudo` the pseudo header's sum.
  void judge_checksum(ByteView bytes, std::uint16_t field, std::uint32_t pseudo) {
    if (checksum_ok(ones_complement_sum(bytes, pseudo))) return;
    // What the kernel leaves to the card holds the sum of the pseudo header (CHECKSUM_PARTIAL, skbuff.h).
    if (may_be_unfinished && field == pseudo) {
      unfinished = true;
    } else {
      packet.bad_checksum = true;
    }
  }
  void event(DecodeEvent id) {
    packet.add_event(id);
    ++counters.events[id];
  }
  // The header cannot be used: nothing after it is read.
  void invalid(DecodeEvent id) {
    event(id);
    ++counters.invalid;
  }
  // Guards against headers that nest without end inside one packet.
  bool enter() {
    constexpr unsigned kMostLayers = 16;
    if (++layers <= kMostLayers) return true;
    invalid(decode_event::tunnel_too_many_layers);
    ++counters.too_many_layers;
    return false;
  }
};

// Link.
void decode_link(DecodeContext& context, ByteView bytes, int link_type);
void decode_ethernet(DecodeContext& context, ByteView bytes);
void decode_ether_type(DecodeContext& context, std::uint16_t ether_type, ByteView bytes);
void decode_vlan(DecodeContext& context, ByteView bytes);
void decode_mac_in_mac(DecodeContext& context, ByteView bytes);
void decode_vntag(DecodeContext& context, ByteView bytes);
void decode_arp(DecodeContext& context, ByteView bytes);
void decode_ppp(DecodeContext& context, ByteView bytes);
void decode_pppoe_session(DecodeContext& context, ByteView bytes);
void decode_pppoe_discovery(DecodeContext& context, ByteView bytes);
void decode_mpls(DecodeContext& context, ByteView bytes);
void decode_nsh(DecodeContext& context, ByteView bytes);

// Network.
void decode_ip(DecodeContext& context, ByteView bytes);  // by the version in the first byte
void decode_ipv4(DecodeContext& context, ByteView bytes);
void decode_ipv6(DecodeContext& context, ByteView bytes);
void decode_ipv4_options(DecodeContext& context, ByteView options);

// Transport: `bytes` is what the IP header says belongs to it.
void decode_transport(DecodeContext& context, std::uint8_t protocol, ByteView bytes);
void decode_tcp(DecodeContext& context, ByteView bytes);
void decode_udp(DecodeContext& context, ByteView bytes);
void decode_sctp(DecodeContext& context, ByteView bytes);
void decode_esp(DecodeContext& context, ByteView bytes);
void decode_icmpv4(DecodeContext& context, ByteView bytes);
void decode_icmpv6(DecodeContext& context, ByteView bytes);
// Fills the embedded members of packet.icmp from the packet an ICMP error quotes.
void read_embedded(Packet& packet, ByteView quoted);

// Tunnels.
void decode_gre(DecodeContext& context, ByteView bytes);
void decode_ip_in_ip(DecodeContext& context, std::uint8_t protocol, ByteView bytes);
// Looks for a tunnel in a UDP datagram, by port.
void decode_udp_tunnel(DecodeContext& context, ByteView payload);

}  // namespace gatehouse::ids
