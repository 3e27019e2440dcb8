#include "ids/decode/testing/packet_builder.h"

#include <algorithm>
#include <cstdio>
#include <cstdlib>

#include "core/ip.h"

namespace gatehouse::ids::testing {
namespace {

void put16(Bytes& out, std::uint32_t value) {
  out.push_back(static_cast<std::uint8_t>(value >> 8));
  out.push_back(static_cast<std::uint8_t>(value));
}
void put32(Bytes& out, std::uint32_t value) {
  put16(out, value >> 16);
  put16(out, value & 0xffff);
}
void set16(Bytes& out, std::size_t at, std::uint32_t value) {
  out[at] = static_cast<std::uint8_t>(value >> 8);
  out[at + 1] = static_cast<std::uint8_t>(value);
}
void append(Bytes& out, core::ByteView more) {
  out.insert(out.end(), more.begin(), more.end());
}

[[noreturn]] void give_up(const std::string& what) {
  std::fprintf(stderr, "packet_builder: %s\n", what.c_str());
  std::abort();
}

core::IpAddress address(const std::string& text) {
  const auto parsed = core::IpAddress::parse(text);
  if (!parsed) give_up("not an address: " + text);
  return *parsed;
}

Bytes padded(Bytes options) {
  while (options.size() % 4 != 0) options.push_back(0);
  return options;
}

std::uint32_t sum(core::ByteView bytes, std::uint32_t start) {
  for (std::size_t i = 0; i < bytes.size(); i += 2) {
    start += static_cast<std::uint32_t>(bytes[i]) << 8;
    if (i + 1 < bytes.size()) start += bytes[i + 1];
  }
  return start;
}

// Where the transport checksum stands; 0 for protocols without one.
std::size_t checksum_offset(std::uint8_t protocol) {
  switch (protocol) {
    case 6:
      return 16;
    case 17:
      return 6;
    case 1:
    case 58:
      return 2;
    default:
      return 0;
  }
}

Bytes with_transport_checksum(Bytes payload, std::uint8_t protocol, const core::IpAddress& source,
                              const core::IpAddress& destination) {
  const std::size_t at = checksum_offset(protocol);
  if (at == 0 || payload.size() < at + 2) return payload;
  set16(payload, at, 0);
  std::uint32_t start = 0;
  if (protocol != 1) {  // all but ICMPv4 cover the pseudo header
    start = sum(source.view(), 0);
    start = sum(destination.view(), start);
    start += static_cast<std::uint32_t>(payload.size()) + protocol;
  }
  std::uint16_t value = checksum(payload, start);
  if (protocol == 17 && value == 0) value = 0xffff;  // RFC 768: zero means "none"
  set16(payload, at, value);
  return payload;
}

}  // namespace

Bytes from_hex(std::string_view hex) {
  Bytes out;
  std::string digits;
  for (const char c : hex) {
    if (c != ' ' && c != '\n') digits += c;
  }
  for (std::size_t i = 0; i + 1 < digits.size(); i += 2) {
    out.push_back(static_cast<std::uint8_t>(std::strtoul(digits.substr(i, 2).c_str(), nullptr, 16)));
  }
  return out;
}

Bytes operator+(Bytes left, const Bytes& right) {
  append(left, right);
  return left;
}

std::uint16_t checksum(core::ByteView bytes, std::uint32_t start) {
  std::uint32_t total = sum(bytes, start);
  while (total >> 16 != 0) total = (total & 0xffff) + (total >> 16);
  return static_cast<std::uint16_t>(~total);
}

Bytes tcp(const TcpFields& fields, const Bytes& payload) {
  const Bytes options = padded(fields.options);
  Bytes out;
  put16(out, fields.source_port);
  put16(out, fields.destination_port);
  put32(out, fields.sequence);
  put32(out, fields.acknowledgment);
  out.push_back(static_cast<std::uint8_t>((5 + options.size() / 4) << 4));
  out.push_back(fields.flags);
  put16(out, fields.window);
  put16(out, 0);
  put16(out, fields.urgent);
  append(out, options);
  append(out, payload);
  return out;
}

Bytes udp(std::uint16_t source_port, std::uint16_t destination_port, const Bytes& payload) {
  Bytes out;
  put16(out, source_port);
  put16(out, destination_port);
  put16(out, static_cast<std::uint32_t>(payload.size() + 8));
  put16(out, 0);
  append(out, payload);
  return out;
}

Bytes icmp(std::uint8_t type, std::uint8_t code, std::uint32_t rest, const Bytes& payload) {
  Bytes out{type, code, 0, 0};
  put32(out, rest);
  append(out, payload);
  return out;
}

Bytes ipv4(const IpFields& fields, const Bytes& payload) {
  const auto source = address(fields.source);
  const auto destination = address(fields.destination);
  const Bytes options = padded(fields.options);
  Bytes out;
  out.push_back(static_cast<std::uint8_t>(0x40 | (5 + options.size() / 4)));
  out.push_back(fields.tos);
  put16(out, static_cast<std::uint32_t>(20 + options.size() + payload.size()));
  put16(out, fields.id);
  put16(out, fields.fragment);
  out.push_back(fields.ttl);
  out.push_back(fields.protocol);
  put16(out, 0);
  append(out, source.view());
  append(out, destination.view());
  append(out, options);
  set16(out, 10, checksum(out));
  const bool whole = (fields.fragment & 0x3fff) == 0;
  append(out, whole && fields.fill_checksums
                  ? with_transport_checksum(payload, fields.protocol, source, destination)
                  : payload);
  return out;
}

Bytes ipv6(const IpFields& fields, const Bytes& payload) {
  const auto source = address(fields.source);
  const auto destination = address(fields.destination);
  Bytes out;
  put32(out, 0x60000000U | static_cast<std::uint32_t>(fields.tos) << 20);
  put16(out, static_cast<std::uint32_t>(payload.size()));
  out.push_back(fields.protocol);
  out.push_back(fields.ttl);
  append(out, source.view());
  append(out, destination.view());
  append(out, fields.fill_checksums ? with_transport_checksum(payload, fields.protocol, source, destination)
                                    : payload);
  return out;
}

Bytes ipv6_fragment_header(std::uint8_t next, std::uint16_t offset_bytes, bool more, std::uint32_t id) {
  Bytes out{next, 0};
  put16(out, static_cast<std::uint32_t>(offset_bytes & 0xfff8) | (more ? 1U : 0U));
  put32(out, id);
  return out;
}

std::vector<Bytes> fragments(const Bytes& datagram, std::size_t piece, std::uint32_t id) {
  std::vector<Bytes> out;
  const bool v6 = datagram[0] >> 4 == 6;
  const std::size_t header = v6 ? 40 : static_cast<std::size_t>(datagram[0] & 15) * 4;
  const std::size_t total = datagram.size() - header;
  for (std::size_t at = 0; at < total; at += piece) {
    const std::size_t length = std::min(piece, total - at);
    const bool more = at + length < total;
    Bytes one(datagram.begin(), datagram.begin() + static_cast<std::ptrdiff_t>(header));
    if (v6) {
      append(one, ipv6_fragment_header(datagram[6], static_cast<std::uint16_t>(at), more, id));
      one[6] = 44;
      set16(one, 4, static_cast<std::uint32_t>(length + 8));
    } else {
      set16(one, 2, static_cast<std::uint32_t>(header + length));
      set16(one, 4, id);
      set16(one, 6, static_cast<std::uint32_t>(at / 8) | (more ? 0x2000U : 0U));
      set16(one, 10, 0);
      set16(one, 10, checksum(core::ByteView(one).first(header)));
    }
    append(one, core::ByteView(datagram).subspan(header + at, length));
    out.push_back(std::move(one));
  }
  return out;
}

Bytes ethernet(const Bytes& payload, std::uint16_t ether_type) {
  Bytes out{0x02, 0, 0, 0, 0, 2, 0x02, 0, 0, 0, 0, 1};
  put16(out, ether_type);
  append(out, payload);
  return out;
}

Bytes ethernet_ip(const Bytes& ip_packet) {
  return ethernet(ip_packet, !ip_packet.empty() && ip_packet[0] >> 4 == 6 ? 0x86dd : 0x0800);
}

Bytes vlan_tag(std::uint16_t id, const Bytes& payload, std::uint16_t inner_type) {
  Bytes out;
  put16(out, id);
  put16(out, inner_type);
  append(out, payload);
  return out;
}

RawPacket raw_packet(const Frame& frame, std::uint64_t number, int link_type) {
  return raw_packet(frame.data, frame.time_us, number, link_type);
}

RawPacket raw_packet(const Bytes& bytes, std::int64_t time_us, std::uint64_t number, int link_type) {
  RawPacket raw;
  raw.data = bytes;
  raw.wire_length = static_cast<std::uint32_t>(bytes.size());
  raw.time_us = time_us;
  raw.number = number;
  raw.link_type = link_type;
  return raw;
}

}  // namespace gatehouse::ids::testing
