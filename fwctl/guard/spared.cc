// Whom banning would cut off from this machine itself.
#include <arpa/inet.h>
#include <ifaddrs.h>
#include <netinet/in.h>

#include <sstream>

#include "core/os.h"
#include "fwctl/guard/bans.h"

namespace gatehouse::fwctl {
namespace {

constexpr std::size_t kMostRouteBytes = 16U << 20U;

std::optional<core::IpAddress> address_of(const sockaddr* a) {
  if (a == nullptr) return std::nullopt;
  if (a->sa_family == AF_INET) {
    const auto* in = reinterpret_cast<const sockaddr_in*>(a);
    return core::IpAddress::v4(ntohl(in->sin_addr.s_addr));
  }
  if (a->sa_family != AF_INET6) return std::nullopt;
  const auto* in6 = reinterpret_cast<const sockaddr_in6*>(a);
  return core::IpAddress::from_bytes(core::ByteView(in6->sin6_addr.s6_addr, 16));
}

void add(std::vector<Spared>& out, const core::IpAddress& address, const char* why) {
  out.push_back({{address, static_cast<std::uint8_t>(address.size() * 8)}, why});
}

// /proc/net/route: the third word is the gateway, as the kernel's number in hexadecimal.
void gateways4(std::vector<Spared>& out) {
  const auto text = core::read_file("/proc/net/route", kMostRouteBytes);
  if (!text) return;
  std::istringstream lines(*text);
  std::string line;
  std::getline(lines, line);
  while (std::getline(lines, line)) {
    std::istringstream words(line);
    std::string interface, destination, gateway;
    words >> interface >> destination >> gateway;
    const auto value = static_cast<std::uint32_t>(std::strtoul(gateway.c_str(), nullptr, 16));
    if (value != 0) add(out, core::IpAddress::v4(ntohl(value)), "is a gateway of this machine");
  }
}

// /proc/net/ipv6_route: the fifth word is the next hop, 32 hexadecimal digits.
void gateways6(std::vector<Spared>& out) {
  const auto text = core::read_file("/proc/net/ipv6_route", kMostRouteBytes);
  if (!text) return;
  std::istringstream lines(*text);
  std::string line;
  while (std::getline(lines, line)) {
    std::istringstream words(line);
    std::string word;
    for (int i = 0; i < 5; ++i) words >> word;
    if (word.size() != 32 || word.find_first_not_of('0') == std::string::npos) continue;
    std::array<std::uint8_t, 16> bytes{};
    for (std::size_t i = 0; i < 16; ++i)
      bytes[i] = static_cast<std::uint8_t>(std::strtoul(word.substr(i * 2, 2).c_str(), nullptr, 16));
    add(out, core::IpAddress::from_bytes(bytes), "is a gateway of this machine");
  }
}

}  // namespace

std::vector<Spared> spared_here() {
  std::vector<Spared> out;
  ifaddrs* all = nullptr;
  if (getifaddrs(&all) == 0) {
    for (const ifaddrs* i = all; i != nullptr; i = i->ifa_next) {
      if (const auto a = address_of(i->ifa_addr)) add(out, *a, "is an address of this machine");
    }
    freeifaddrs(all);
  }
  gateways4(out);
  gateways6(out);
  return out;
}

}  // namespace gatehouse::fwctl
