// The payload and parts of the packet's headers.
#include "ids/keywords/buffers.h"

namespace gatehouse::ids {
namespace {

bool ip_header(const Packet& p, std::uint8_t version, BufferView& out) {
  if (p.ip_version != version || p.ip_header.empty()) return false;
  out = {p.ip_header, true};
  return true;
}

bool transport_header(const Packet& p, std::uint8_t protocol, BufferView& out) {
  if (!p.has_transport || p.protocol != protocol || p.transport_header.empty()) return false;
  out = {p.transport_header, true};
  return true;
}

bool address(const Packet& p, const IpAddress& which, BufferView& out) {
  if (p.ip_version == 0) return false;
  out = {which.view(), true};
  return true;
}

constexpr BufferDescriptor row(std::string_view name, PacketGetter get, std::string_view summary) {
  BufferDescriptor d;
  d.name = name;
  d.get_packet = get;
  d.summary = summary;
  return d;
}

// The payload's bytes come from the packet or the stream by the kind of rule: the engine knows.
const BufferDescriptor kBuffers[] = {
    row("pkt_data", nullptr, "the payload of the packet or the data of the stream"),
    row(
        "ipv4.hdr", [](const Packet& p, BufferView& out) { return ip_header(p, 4, out); }, "the IPv4 header"),
    row(
        "ipv6.hdr", [](const Packet& p, BufferView& out) { return ip_header(p, 6, out); }, "the IPv6 header"),
    row(
        "ip.src", [](const Packet& p, BufferView& out) { return address(p, p.source, out); },
        "the source address, 4 or 16 bytes"),
    row(
        "ip.dst", [](const Packet& p, BufferView& out) { return address(p, p.destination, out); },
        "the destination address, 4 or 16 bytes"),
    row(
        "tcp.hdr", [](const Packet& p, BufferView& out) { return transport_header(p, kProtoTcp, out); },
        "the TCP header"),
    row(
        "udp.hdr", [](const Packet& p, BufferView& out) { return transport_header(p, kProtoUdp, out); },
        "the UDP header"),
    row(
        "icmpv4.hdr", [](const Packet& p, BufferView& out) { return transport_header(p, kProtoIcmp, out); },
        "the ICMP header"),
    row(
        "icmpv6.hdr", [](const Packet& p, BufferView& out) { return transport_header(p, kProtoIcmp6, out); },
        "the ICMPv6 header"),
};

}  // namespace

std::span<const BufferDescriptor> buffer_family_packet_buffers() {
  return kBuffers;
}

}  // namespace gatehouse::ids
