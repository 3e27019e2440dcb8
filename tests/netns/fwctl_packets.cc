#include "tests/netns/fwctl_packets.h"

#include <arpa/inet.h>
#include <ifaddrs.h>
#include <linux/if_ether.h>
#include <linux/if_packet.h>
#include <net/if.h>
#include <netinet/in.h>
#include <sys/ioctl.h>
#include <sys/socket.h>

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <cstring>

namespace gatehouse::test {
namespace {

using core::IpAddress;

constexpr std::uint8_t kTcp = 6, kUdp = 17, kIcmpv6 = 58;

void put16(PacketBytes& out, std::size_t value) {
  out.push_back(static_cast<std::uint8_t>(value >> 8U));
  out.push_back(static_cast<std::uint8_t>(value));
}
void put_address(PacketBytes& out, const IpAddress& a) {
  out.insert(out.end(), a.view().begin(), a.view().end());
}

// RFC 1071.
std::uint16_t checksum(const PacketBytes& bytes) {
  std::uint32_t sum = 0;
  for (std::size_t i = 0; i < bytes.size(); i += 2) {
    sum += static_cast<std::uint32_t>(bytes[i] << 8) + (i + 1 < bytes.size() ? bytes[i + 1] : 0U);
  }
  while (sum >> 16U != 0) sum = (sum & 0xffffU) + (sum >> 16U);
  return static_cast<std::uint16_t>(~sum);
}

void fill_checksum(PacketBytes& payload, std::size_t at, const IpAddress& from, const IpAddress& to,
                   std::uint8_t protocol) {
  PacketBytes pseudo;
  put_address(pseudo, from);
  put_address(pseudo, to);
  put16(pseudo, 0);
  put16(pseudo, payload.size());
  put16(pseudo, 0);
  put16(pseudo, protocol);
  pseudo.insert(pseudo.end(), payload.begin(), payload.end());
  const std::uint16_t sum = checksum(pseudo);
  payload[at] = static_cast<std::uint8_t>(sum >> 8U);
  payload[at + 1] = static_cast<std::uint8_t>(sum);
}

PacketBytes ip_packet(const IpAddress& from, const IpAddress& to, std::uint8_t protocol, std::uint8_t hops,
                      const PacketBytes& payload) {
  PacketBytes out;
  if (from.is_v4()) {
    out = {0x45, 0};
    put16(out, 20 + payload.size());
    out.insert(out.end(), {0, 1, 0x40, 0, hops, protocol, 0, 0});
    put_address(out, from);
    put_address(out, to);
    const std::uint16_t sum = checksum(out);
    out[10] = static_cast<std::uint8_t>(sum >> 8U);
    out[11] = static_cast<std::uint8_t>(sum);
  } else {
    out = {0x60, 0, 0, 0};
    put16(out, payload.size());
    out.insert(out.end(), {protocol, hops});
    put_address(out, from);
    put_address(out, to);
  }
  out.insert(out.end(), payload.begin(), payload.end());
  return out;
}

core::UniqueFd must(int fd, const char* what) {
  if (fd < 0) {
    std::perror(what);
    std::abort();
  }
  return core::UniqueFd(fd);
}

}  // namespace

PacketBytes tcp_packet(const std::string& from, const std::string& to, std::uint16_t sport,
                       std::uint16_t dport, std::uint8_t flags) {
  const IpAddress a = *IpAddress::parse(from);
  const IpAddress b = *IpAddress::parse(to);
  PacketBytes tcp;
  put16(tcp, sport);
  put16(tcp, dport);
  tcp.insert(tcp.end(), {0, 0, 1, 0, 0, 0, 1, 0, 0x50, flags, 0x20, 0, 0, 0, 0, 0});
  fill_checksum(tcp, 16, a, b, kTcp);
  return ip_packet(a, b, kTcp, 64, tcp);
}

PacketBytes udp_packet(const std::string& from, const std::string& to, std::uint16_t sport,
                       std::uint16_t dport) {
  const IpAddress a = *IpAddress::parse(from);
  const IpAddress b = *IpAddress::parse(to);
  PacketBytes udp;
  put16(udp, sport);
  put16(udp, dport);
  put16(udp, 12);
  put16(udp, 0);
  udp.insert(udp.end(), {'p', 'r', 'o', 'b'});
  fill_checksum(udp, 6, a, b, kUdp);
  return ip_packet(a, b, kUdp, 64, udp);
}

PacketBytes neighbour_solicitation(const std::string& from, const std::string& target, const Mac& sender) {
  const IpAddress a = *IpAddress::parse(from);
  const IpAddress t = *IpAddress::parse(target);
  IpAddress group = *IpAddress::parse("ff02::1:ff00:0");
  std::copy(t.bytes.begin() + 13, t.bytes.end(), group.bytes.begin() + 13);
  PacketBytes icmp = {135, 0, 0, 0, 0, 0, 0, 0};
  put_address(icmp, t);
  icmp.insert(icmp.end(), {1, 1});  // source link-layer address
  icmp.insert(icmp.end(), sender.begin(), sender.end());
  fill_checksum(icmp, 2, a, group, kIcmpv6);
  return ip_packet(a, group, kIcmpv6, 255, icmp);
}

PacketBytes listener_query(const std::string& from) {
  const IpAddress a = *IpAddress::parse(from);
  const IpAddress all = *IpAddress::parse("ff02::1");
  PacketBytes icmp = {130, 0, 0, 0, 0, 1, 0, 0};  // answer within 1 ms
  icmp.resize(8 + 16, 0);
  icmp.insert(icmp.end(), {2, 0, 0, 0});
  fill_checksum(icmp, 2, a, all, kIcmpv6);
  PacketBytes payload = {kIcmpv6, 0, 5, 2, 0, 0, 1, 0};  // hop-by-hop: router alert, padding
  payload.insert(payload.end(), icmp.begin(), icmp.end());
  return ip_packet(a, all, 0, 1, payload);
}

Mac mac_of(const Namespace& where, const std::string& interface) {
  Mac out{};
  where.enter([&] {
    const core::UniqueFd fd = must(socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0), "socket");
    ifreq request{};
    interface.copy(request.ifr_name, IFNAMSIZ - 1);
    if (ioctl(fd.get(), SIOCGIFHWADDR, &request) != 0) std::abort();
    std::memcpy(out.data(), request.ifr_hwaddr.sa_data, out.size());
  });
  return out;
}

std::string link_local_of(const Namespace& where, const std::string& interface) {
  std::string out;
  where.enter([&] {
    ifaddrs* all = nullptr;
    if (getifaddrs(&all) != 0) return;
    for (const ifaddrs* a = all; a != nullptr; a = a->ifa_next) {
      if (a->ifa_addr == nullptr || a->ifa_addr->sa_family != AF_INET6 || interface != a->ifa_name) continue;
      const auto* in6 = reinterpret_cast<const sockaddr_in6*>(a->ifa_addr);
      const core::ByteView bytes(in6->sin6_addr.s6_addr, 16);
      if (bytes[0] == 0xfe && bytes[1] == 0x80) out = IpAddress::from_bytes(bytes).to_string();
    }
    freeifaddrs(all);
  });
  return out;
}

FrameSender::FrameSender(const Namespace& where, const std::string& interface) {
  where.enter([&] {
    fd_ = must(socket(AF_PACKET, SOCK_DGRAM | SOCK_CLOEXEC, 0), "packet socket");
    index_ = static_cast<int>(if_nametoindex(interface.c_str()));
  });
}

void FrameSender::send(const Mac& to, const PacketBytes& ip_packet) {
  sockaddr_ll address{};
  address.sll_family = AF_PACKET;
  address.sll_ifindex = index_;
  address.sll_protocol = htons(ip_packet[0] >> 4 == 4 ? ETH_P_IP : ETH_P_IPV6);
  address.sll_halen = 6;
  std::memcpy(address.sll_addr, to.data(), to.size());
  (void)sendto(fd_.get(), ip_packet.data(), ip_packet.size(), 0, reinterpret_cast<sockaddr*>(&address),
               sizeof address);
}

IpSender::IpSender(const Namespace& where) {
  where.enter([&] {
    v4_ = must(socket(AF_INET, SOCK_RAW | SOCK_CLOEXEC, IPPROTO_RAW), "raw socket");
    v6_ = must(socket(AF_INET6, SOCK_RAW | SOCK_CLOEXEC, IPPROTO_RAW), "raw socket");
  });
}

void IpSender::send(const PacketBytes& ip_packet) {
  if (ip_packet[0] >> 4 == 4) {
    sockaddr_in to{};
    to.sin_family = AF_INET;
    std::memcpy(&to.sin_addr, &ip_packet[16], 4);
    (void)sendto(v4_.get(), ip_packet.data(), ip_packet.size(), 0, reinterpret_cast<sockaddr*>(&to),
                 sizeof to);
    return;
  }
  sockaddr_in6 to{};
  to.sin6_family = AF_INET6;
  std::memcpy(&to.sin6_addr, &ip_packet[24], 16);
  (void)sendto(v6_.get(), ip_packet.data(), ip_packet.size(), 0, reinterpret_cast<sockaddr*>(&to), sizeof to);
}

Watcher Watcher::on_wire(const Namespace& where) {
  Watcher out;
  out.frames_ = true;
  where.enter([&] {
    out.fds_.push_back(must(socket(AF_PACKET, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, htons(ETH_P_ALL)),
                            "packet socket"));
  });
  return out;
}

Watcher Watcher::after_input(const Namespace& where) {
  Watcher out;
  where.enter([&] {
    out.fds_.push_back(
        must(socket(AF_INET, SOCK_RAW | SOCK_NONBLOCK | SOCK_CLOEXEC, IPPROTO_TCP), "raw socket"));
    out.fds_.push_back(
        must(socket(AF_INET6, SOCK_RAW | SOCK_NONBLOCK | SOCK_CLOEXEC, IPPROTO_TCP), "raw socket"));
  });
  return out;
}

void Watcher::drain() {
  std::array<std::uint8_t, 2048> buffer{};
  for (std::size_t i = 0; i < fds_.size(); ++i) {
    for (;;) {
      sockaddr_ll from{};
      socklen_t length = sizeof from;
      const ssize_t got = recvfrom(fds_[i].get(), buffer.data(), buffer.size(), 0,
                                   reinterpret_cast<sockaddr*>(&from), &length);
      if (got <= 0) break;
      const core::ByteView bytes(buffer.data(), static_cast<std::size_t>(got));
      if (!frames_ && i == 1) {
        if (bytes.size() >= 2) ports_.insert(core::ByteReader(bytes).u16());  // IPv6 raw: the TCP header
      } else if (!frames_ || from.sll_pkttype != PACKET_OUTGOING) {
        look(bytes);
      }
    }
  }
}

void Watcher::look(core::ByteView packet) {
  if (packet.size() < 20) return;
  std::uint8_t protocol = packet[9];
  std::size_t offset = static_cast<std::size_t>(packet[0] & 0x0f) * 4;
  if (packet[0] >> 4 == 6) {
    protocol = packet[6];
    offset = 40;
    if (protocol == 0 && packet.size() > 48) {  // hop-by-hop options, as multicast reports carry
      protocol = packet[40];
      offset += 8U + packet[41] * 8U;
    }
  }
  core::ByteReader reader(packet);
  reader.seek(offset);
  if (protocol == kTcp || protocol == kUdp) {
    const std::uint16_t port = reader.u16();
    if (reader.ok()) ports_.insert(port);
  } else if (protocol == kIcmpv6) {
    const std::uint8_t type = reader.u8();
    if (reader.ok()) icmpv6_.insert({type, IpAddress::from_bytes(packet.subspan(24, 16)).to_string()});
  }
}

}  // namespace gatehouse::test
