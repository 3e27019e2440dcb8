#include "ids/triage/own_addresses.h"

#include <ifaddrs.h>
#include <netinet/in.h>

#include <algorithm>
#include <charconv>
#include <cstring>
#include <string>

#include "core/os.h"

namespace gatehouse::ids::triage {
namespace {

using core::IpAddress;
using core::IpPrefix;

void add_host(std::vector<IpPrefix>& out, const IpAddress& address) {
  const bool none =
      std::all_of(address.bytes.begin(), address.bytes.end(), [](std::uint8_t b) { return b == 0; });
  if (address.version == 0 || none) return;
  out.push_back({address, static_cast<std::uint8_t>(address.size() * 8)});
}

// The words of each line.
template <class F>
void each_line(std::string_view text, F&& f) {
  for (std::size_t start = 0; start < text.size();) {
    const std::size_t end = std::min(text.find('\n', start), text.size());
    std::string_view line = text.substr(start, end - start);
    start = end + 1;
    std::vector<std::string_view> words;
    while (!line.empty()) {
      const std::size_t from = line.find_first_not_of(" \t");
      if (from == line.npos) break;
      line.remove_prefix(from);
      const std::size_t to = std::min(line.find_first_of(" \t"), line.size());
      words.push_back(line.substr(0, to));
      line.remove_prefix(to);
    }
    f(words);
  }
}

// Pairs of hexadecimal digits; nothing when they are not exactly `bytes`.
std::vector<std::uint8_t> from_hex(std::string_view text, std::size_t bytes) {
  std::vector<std::uint8_t> out;
  if (text.size() != 2 * bytes) return out;
  for (std::size_t i = 0; i < text.size(); i += 2) {
    std::uint8_t byte = 0;
    const auto result = std::from_chars(text.data() + i, text.data() + i + 2, byte, 16);
    if (result.ec != std::errc{} || result.ptr != text.data() + i + 2) return {};
    out.push_back(byte);
  }
  return out;
}

}  // namespace

// Interface, destination, gateway ...: the number as the machine's memory has it.
std::vector<IpPrefix> gateways_v4(std::string_view routes) {
  std::vector<IpPrefix> out;
  each_line(routes, [&](const std::vector<std::string_view>& words) {
    if (words.size() < 3) return;
    std::vector<std::uint8_t> bytes = from_hex(words[2], 4);
    if (bytes.empty()) return;
    std::uint32_t number = 0;
    for (const std::uint8_t byte : bytes) number = number << 8U | byte;
    // In memory it is in network order.
    std::memcpy(bytes.data(), &number, 4);
    add_host(out, IpAddress::from_bytes(bytes));
  });
  return out;
}

// Destination, length, source, length, next hop ...: in network order.
std::vector<IpPrefix> gateways_v6(std::string_view routes) {
  std::vector<IpPrefix> out;
  each_line(routes, [&](const std::vector<std::string_view>& words) {
    if (words.size() < 5) return;
    if (const std::vector<std::uint8_t> bytes = from_hex(words[4], 16); !bytes.empty())
      add_host(out, IpAddress::from_bytes(bytes));
  });
  return out;
}

std::vector<IpPrefix> own_addresses() {
  std::vector<IpPrefix> out;
  ifaddrs* list = nullptr;
  if (::getifaddrs(&list) == 0) {
    for (const ifaddrs* at = list; at != nullptr; at = at->ifa_next) {
      if (at->ifa_addr == nullptr) continue;
      if (at->ifa_addr->sa_family == AF_INET) {
        sockaddr_in address{};
        std::memcpy(&address, at->ifa_addr, sizeof address);
        add_host(out, IpAddress::v4(ntohl(address.sin_addr.s_addr)));
      } else if (at->ifa_addr->sa_family == AF_INET6) {
        sockaddr_in6 address{};
        std::memcpy(&address, at->ifa_addr, sizeof address);
        add_host(out, IpAddress::from_bytes({address.sin6_addr.s6_addr, 16}));
      }
    }
    ::freeifaddrs(list);
  }
  const auto add = [&](const std::vector<IpPrefix>& more) {
    out.insert(out.end(), more.begin(), more.end());
  };
  if (const auto routes = core::read_file("/proc/net/route")) add(gateways_v4(*routes));
  if (const auto routes = core::read_file("/proc/net/ipv6_route")) add(gateways_v6(*routes));
  std::sort(out.begin(), out.end());
  out.erase(std::unique(out.begin(), out.end()), out.end());
  return out;
}

}  // namespace gatehouse::ids::triage
