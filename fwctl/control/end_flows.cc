#include "fwctl/control/end_flows.h"

#include <fmt/format.h>
#include <ifaddrs.h>
#include <linux/netfilter/nf_tables.h>
#include <netinet/in.h>
#include <sys/socket.h>

#include <map>
#include <set>

#include "fwctl/control/admin_path.h"
#include "fwctl/netlink/flows.h"
#include "fwctl/prove/interpret.h"

namespace gatehouse::fwctl {
namespace {

using prove::ByteKey;
using prove::Packet;
using prove::Path;

constexpr std::uint8_t kIcmp = 1, kTcp = 6, kUdp = 17, kIcmpv6 = 58, kSyn = 2;

std::set<core::IpAddress> own_addresses() {
  std::set<core::IpAddress> out;
  ifaddrs* all = nullptr;
  if (getifaddrs(&all) != 0) return out;
  for (const ifaddrs* a = all; a != nullptr; a = a->ifa_next) {
    if (a->ifa_addr == nullptr) continue;
    const auto* bytes = reinterpret_cast<const std::uint8_t*>(a->ifa_addr);
    if (a->ifa_addr->sa_family == AF_INET)
      out.insert(core::IpAddress::from_bytes({bytes + offsetof(sockaddr_in, sin_addr), 4}));
    if (a->ifa_addr->sa_family == AF_INET6)
      out.insert(core::IpAddress::from_bytes({bytes + offsetof(sockaddr_in6, sin6_addr), 16}));
  }
  freeifaddrs(all);
  return out;
}

bool asks_for_user(const LiveRuleset& ruleset) {
  for (const LiveTable& t : ruleset.tables) {
    for (const KernelChain& c : t.table.chains) {
      for (const KernelRule& r : c.rules) {
        for (const Expression& e : r.expressions) {
          const auto* load = std::get_if<LoadMeta>(&e);
          if (load != nullptr && (load->key == NFT_META_SKUID || load->key == NFT_META_SKGID)) return true;
          if (std::holds_alternative<LoadSocket>(e)) return true;
        }
      }
    }
  }
  return false;
}

class Judge {
 public:
  Judge(const site::Site& site, const LiveRuleset& ruleset, const std::set<core::IpAddress>& own)
      : site_(site), ruleset_(ruleset), own_(own), asks_for_user_(asks_for_user(ruleset)) {}

  // Could its first packet pass now? Everything that is not certain counts as yes.
  bool allowed(const TrackedFlow& flow, bool& certain) {
    certain = true;
    const Packet packet = opening(flow);
    // Many connections of a client differ in its port alone.
    Packet key = packet;
    key.set_port(prove::kSourcePort, 0);
    const auto [at, fresh] = known_.try_emplace(key.to_string());
    if (fresh) {
      const prove::Outcomes possible = prove::possible_verdicts(ruleset_, packet, at->second.certain);
      // Whose process it is, tracking does not say.
      const bool somebodys = packet.path == Path::from_gatehouse && asks_for_user_;
      at->second.certain = at->second.certain && ((possible & prove::kAccept) != 0 || !somebodys);
      at->second.allowed = (possible & prove::kAccept) != 0 || !at->second.certain;
    }
    certain = at->second.certain;
    return at->second.allowed;
  }

 private:
  struct Answer {
    bool allowed = true;
    bool certain = true;
  };

  Packet opening(const TrackedFlow& flow) const {
    Packet out;
    out.family = flow.source.version;
    out.set(ByteKey::Kind::source, flow.source);
    out.set(ByteKey::Kind::destination, flow.destination);
    out.set({ByteKey::Kind::protocol}, flow.protocol);
    out.set({ByteKey::Kind::ct_state}, prove::kStateNew);
    out.set({ByteKey::Kind::hop_limit}, 64);
    out.set({ByteKey::Kind::fib, prove::route_back_question(), 0}, 1);
    if (flow.protocol == kIcmp || flow.protocol == kIcmpv6) {
      out.set({ByteKey::Kind::transport, 0, 0}, flow.icmp_type);
    } else {
      out.set_port(prove::kSourcePort, flow.source_port);
      out.set_port(prove::kDestinationPort, flow.destination_port);
    }
    if (flow.protocol == kTcp) out.set({ByteKey::Kind::transport, 0, prove::kTcpFlags}, kSyn);
    const bool from_us = own_.count(flow.source) != 0;
    const bool to_us = own_.count(flow.answers) != 0;
    out.path = from_us ? Path::from_gatehouse : to_us ? Path::to_gatehouse : Path::through;
    const auto interface = [&](ByteKey::Kind kind, const core::IpAddress& address) {
      const site::Zone* zone = zone_of(site_, address);
      if (zone != nullptr) out.set(kind, zone->interface);
    };
    if (!from_us) interface(ByteKey::Kind::iifname, flow.source);
    if (!to_us) interface(ByteKey::Kind::oifname, flow.answers);
    return out;
  }

  const site::Site& site_;
  const LiveRuleset& ruleset_;
  const std::set<core::IpAddress>& own_;
  const bool asks_for_user_;
  std::map<std::string, Answer> known_;
};

std::string text_of(const TrackedFlow& flow) {
  const auto end = [&](const core::IpAddress& address, std::uint16_t port) {
    const std::string text = address.to_string();
    if (port == 0) return text;
    return address.is_v4() ? fmt::format("{}:{}", text, port) : fmt::format("[{}]:{}", text, port);
  };
  const std::string protocol = flow.protocol == kTcp      ? "tcp"
                               : flow.protocol == kUdp    ? "udp"
                               : flow.protocol == kIcmp   ? "icmp"
                               : flow.protocol == kIcmpv6 ? "icmpv6"
                                                          : fmt::format("protocol {}", flow.protocol);
  return fmt::format("{} {} > {}", protocol, end(flow.source, flow.source_port),
                     end(flow.destination, flow.destination_port));
}

}  // namespace

core::Result<EndedFlows> end_forbidden_flows(Kernel& kernel, const site::Site& site) {
  EndedFlows out;
  GH_TRY(FlowTable table, FlowTable::open());
  GH_TRY(std::vector<TrackedFlow> flows, table.all());
  const std::set<core::IpAddress> own = own_addresses();
  std::erase_if(flows, [&](const TrackedFlow& f) {
    return f.source.version == 0 || f.source.version != f.destination.version ||
           (own.count(f.source) != 0 && own.count(f.answers) != 0);
  });
  if (flows.empty()) return out;  // and the ruleset need not be read
  GH_TRY(const LiveRuleset ruleset, kernel.read_all());
  Judge judge(site, ruleset, own);
  for (const TrackedFlow& f : flows) {
    ++out.looked_at;
    bool certain = !f.expected;
    const bool allowed = f.expected || judge.allowed(f, certain);
    if (!certain) ++out.undecided;
    if (allowed) continue;
    GH_TRY(const bool ended, table.forget(f));
    if (ended) out.ended.push_back(text_of(f));
  }
  return out;
}

}  // namespace gatehouse::fwctl
