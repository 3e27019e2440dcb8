#include "fwctl/control/admin_path.h"

#include <fmt/format.h>
#include <unistd.h>

#include <charconv>
#include <cstdlib>

#include "core/os.h"
#include "fwctl/prove/fields.h"

namespace gatehouse::fwctl {
namespace {

using prove::ByteKey;
using prove::Packet;
using prove::Path;

constexpr std::uint8_t kTcp = 6, kSyn = 2;

// A first packet of a connection from where it belongs.
Packet opening(const core::IpAddress& from, const core::IpAddress& to, std::uint16_t port) {
  Packet out;
  out.family = from.version;
  out.set(ByteKey::Kind::source, from);
  out.set(ByteKey::Kind::destination, to);
  out.set({ByteKey::Kind::protocol}, kTcp);
  out.set({ByteKey::Kind::ct_state}, prove::kStateNew);
  out.set({ByteKey::Kind::hop_limit}, 64);
  out.set({ByteKey::Kind::transport, 0, prove::kTcpFlags}, kSyn);
  out.set({ByteKey::Kind::fib, prove::route_back_question(), 0}, 1);
  out.set_port(prove::kSourcePort, 40'000);
  out.set_port(prove::kDestinationPort, port);
  return out;
}

void look(const LiveRuleset& ruleset, std::string what, Packet packet, std::vector<Cut>& out) {
  bool whole = false;
  if ((prove::possible_verdicts(ruleset, packet, whole) & prove::kAccept) != 0) return;
  prove::Trace trace = prove::interpret(ruleset, packet);
  out.push_back({std::move(what), std::move(packet), std::move(trace)});
}

void check_service(const site::Site& site, const LiveRuleset& ruleset, const site::Service& service,
                   std::vector<Cut>& out) {
  const site::Zone* here = site.find_zone(site.administration->host.zone);
  const site::Zone* there = site.find_zone(service.host.zone);
  if (here == nullptr || (there == nullptr && !service.host.is_gatehouse())) return;
  // Addresses of the gatehouse itself are not in the policy, which does not ask for them either.
  for (const core::IpPrefix& from : site.networks_of(site.administration->host)) {
    std::vector<core::IpPrefix> targets = site.networks_of(service.host);
    if (service.host.is_gatehouse()) targets = {from};
    for (const core::IpPrefix& to : targets) {
      if (to.address.version != from.address.version) continue;
      for (const site::PortRange& port : service.ports) {
        if (port.transport != site::Transport::tcp) continue;
        Packet p = opening(from.address, to.address, port.first);
        p.set(ByteKey::Kind::iifname, here->interface);
        p.path = service.host.is_gatehouse() ? Path::to_gatehouse : Path::through;
        if (there != nullptr) p.set(ByteKey::Kind::oifname, there->interface);
        look(ruleset,
             fmt::format("{} to {}, service {}", site.administration->host.to_string(),
                         service.host.to_string(), service.name),
             std::move(p), out);
      }
    }
  }
}

}  // namespace

const site::Zone* zone_of(const site::Site& site, const core::IpAddress& address) {
  const site::Zone* untrusted = nullptr;
  for (const site::Zone& z : site.zones) {
    if (z.untrusted) untrusted = &z;
    for (const core::IpPrefix& n : z.networks) {
      if (n.contains(address)) return &z;
    }
  }
  return untrusted;
}

std::optional<Session> Session::parse(std::string_view text) {
  std::vector<std::string> words;
  for (std::size_t at = 0; at < text.size();) {
    const std::size_t end = std::min(text.find(' ', at), text.size());
    if (end > at) words.emplace_back(text.substr(at, end - at));
    at = end + 1;
  }
  if (words.size() != 4) return std::nullopt;
  const auto address = [](std::string word) {
    word.resize(std::min(word.find('%'), word.size()));  // a link-local address names its interface
    return core::IpAddress::parse(word);
  };
  const auto port = [](const std::string& word) -> std::optional<std::uint16_t> {
    std::uint16_t out = 0;
    const auto [end, error] = std::from_chars(word.data(), word.data() + word.size(), out);
    if (error != std::errc() || end != word.data() + word.size() || out == 0) return std::nullopt;
    return out;
  };
  const auto client = address(words[0]);
  const auto server = address(words[2]);
  const auto client_port = port(words[1]);
  const auto server_port = port(words[3]);
  if (!client || !server || !client_port || !server_port || client->version != server->version)
    return std::nullopt;
  return Session{*client, *server, *client_port, *server_port};
}

std::string ssh_connection_in_use() {
  constexpr int kMostAncestors = 32;
  constexpr std::string_view kName = "SSH_CONNECTION=";
  if (const char* own = std::getenv("SSH_CONNECTION"); own != nullptr) return own;
  long pid = getppid();
  for (int i = 0; i < kMostAncestors && pid > 1; ++i) {
    const auto environment = core::read_file(fmt::format("/proc/{}/environ", pid), 4U << 20U);
    for (std::size_t at = 0; environment && at < environment->size();) {
      const std::size_t end = std::min(environment->find('\0', at), environment->size());
      const std::string_view entry(environment->data() + at, end - at);
      if (entry.starts_with(kName)) return std::string(entry.substr(kName.size()));
      at = end + 1;
    }
    // "pid (name) state ppid": the name may hold anything, also parentheses.
    const auto stat = core::read_file(fmt::format("/proc/{}/stat", pid), 4096);
    if (!stat || stat->rfind(')') == std::string::npos || stat->size() < stat->rfind(')') + 5) break;
    pid = std::strtol(stat->c_str() + stat->rfind(')') + 4, nullptr, 10);
  }
  return {};
}

std::string Cut::to_string() const {
  return fmt::format("{}\n    packet  {}\n    {}", what, packet.to_string(),
                     trace.steps.empty() ? "dropped" : trace.steps.back().to_string());
}

std::vector<Cut> cut_paths(const site::Site& site, const LiveRuleset& ruleset,
                           const std::optional<Session>& session) {
  std::vector<Cut> out;
  if (site.administration) {
    for (const site::Service& s : site.services) {
      if (s.ssh) check_service(site, ruleset, s, out);
    }
  }
  if (!session) return out;
  const site::Zone* zone = zone_of(site, session->client);
  Packet p = opening(session->client, session->server, session->server_port);
  p.path = Path::to_gatehouse;
  if (zone != nullptr) p.set(ByteKey::Kind::iifname, zone->interface);
  if (session->client.to_string() == session->server.to_string()) p.set(ByteKey::Kind::iifname, "lo");
  look(ruleset, fmt::format("the SSH session in use, from {}", session->client.to_string()), std::move(p),
       out);
  return out;
}

}  // namespace gatehouse::fwctl
