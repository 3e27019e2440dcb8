#include "fwctl/netlink/network.h"

#include <arpa/inet.h>
#include <linux/netfilter/nf_conntrack_common.h>
#include <linux/netfilter/nf_conntrack_tcp.h>
#include <linux/netfilter/nfnetlink.h>
#include <linux/netfilter/nfnetlink_conntrack.h>
#include <linux/rtnetlink.h>
#include <net/if.h>
#include <sys/socket.h>

#include <array>
#include <cerrno>

#include "fwctl/netlink/handles.h"

namespace gatehouse::fwctl {
namespace {

constexpr std::uint8_t kTcp = 6, kUdp = 17, kIcmp = 1, kIcmpv6 = 58;

}  // namespace

struct Network::State {
  SocketHandle routes, connections;
  std::uint32_t sequence = 1;
  std::array<char, 8192> buffer{};

  nlmsghdr* begin(std::uint16_t type, std::uint16_t flags) {
    nlmsghdr* h = mnl_nlmsg_put_header(buffer.data());
    h->nlmsg_type = type;
    h->nlmsg_flags = static_cast<std::uint16_t>(NLM_F_REQUEST | NLM_F_ACK | flags);
    h->nlmsg_seq = ++sequence;
    return h;
  }
  core::Status exchange(mnl_socket* socket, const nlmsghdr* h, const std::string& what) {
    if (mnl_socket_sendto(socket, h, h->nlmsg_len) < 0) return core::fail_errno(errno, what);
    std::array<char, 8192> answer{};
    const ssize_t got = mnl_socket_recvfrom(socket, answer.data(), answer.size());
    if (got < 0) return core::fail_errno(errno, what);
    if (mnl_cb_run(answer.data(), static_cast<std::size_t>(got), h->nlmsg_seq, mnl_socket_get_portid(socket),
                   nullptr, nullptr) < 0)
      return core::fail_errno(errno, what);
    return {};
  }
  core::Status route(std::uint16_t type, std::uint16_t flags, const core::IpAddress& to,
                     const std::string& interface, bool local) {
    nlmsghdr* h = begin(type, flags);
    auto* r = static_cast<rtmsg*>(mnl_nlmsg_put_extra_header(h, sizeof(rtmsg)));
    r->rtm_family = to.is_v4() ? AF_INET : AF_INET6;
    r->rtm_dst_len = static_cast<unsigned char>(to.size() * 8);
    r->rtm_table = local ? RT_TABLE_LOCAL : RT_TABLE_MAIN;
    r->rtm_protocol = RTPROT_STATIC;
    r->rtm_scope = local ? RT_SCOPE_HOST : RT_SCOPE_LINK;
    r->rtm_type = local ? RTN_LOCAL : RTN_UNICAST;
    mnl_attr_put(h, RTA_DST, to.size(), to.bytes.data());
    mnl_attr_put_u32(h, RTA_OIF, if_nametoindex(local ? "lo" : interface.c_str()));
    return exchange(routes.get(), h, "route " + to.to_string());
  }
  static void put_tuple(nlmsghdr* h, std::uint16_t type, const Connection& c, bool reply) {
    const core::IpAddress& from = reply ? c.destination : c.source;
    const core::IpAddress& to = reply ? c.source : c.destination;
    nlattr* tuple = mnl_attr_nest_start(h, type);
    nlattr* ip = mnl_attr_nest_start(h, CTA_TUPLE_IP);
    mnl_attr_put(h, from.is_v4() ? CTA_IP_V4_SRC : CTA_IP_V6_SRC, from.size(), from.bytes.data());
    mnl_attr_put(h, to.is_v4() ? CTA_IP_V4_DST : CTA_IP_V6_DST, to.size(), to.bytes.data());
    mnl_attr_nest_end(h, ip);
    nlattr* protocol = mnl_attr_nest_start(h, CTA_TUPLE_PROTO);
    mnl_attr_put_u8(h, CTA_PROTO_NUM, c.protocol);
    if (c.protocol == kTcp || c.protocol == kUdp) {
      mnl_attr_put_u16(h, CTA_PROTO_SRC_PORT, htons(reply ? c.destination_port : c.source_port));
      mnl_attr_put_u16(h, CTA_PROTO_DST_PORT, htons(reply ? c.source_port : c.destination_port));
    } else if (c.protocol == kIcmp) {
      mnl_attr_put_u8(h, CTA_PROTO_ICMP_TYPE, reply ? 0 : c.icmp_type);
      mnl_attr_put_u8(h, CTA_PROTO_ICMP_CODE, 0);
      mnl_attr_put_u16(h, CTA_PROTO_ICMP_ID, htons(c.source_port));
    } else if (c.protocol == kIcmpv6) {
      mnl_attr_put_u8(h, CTA_PROTO_ICMPV6_TYPE, reply ? 129 : c.icmp_type);
      mnl_attr_put_u8(h, CTA_PROTO_ICMPV6_CODE, 0);
      mnl_attr_put_u16(h, CTA_PROTO_ICMPV6_ID, htons(c.source_port));
    }
    mnl_attr_nest_end(h, protocol);
    mnl_attr_nest_end(h, tuple);
  }
  nlmsghdr* connection(std::uint16_t type, std::uint16_t flags, std::uint8_t family) {
    nlmsghdr* h = begin(static_cast<std::uint16_t>(NFNL_SUBSYS_CTNETLINK << 8U | type), flags);
    auto* g = static_cast<nfgenmsg*>(mnl_nlmsg_put_extra_header(h, sizeof(nfgenmsg)));
    g->nfgen_family = family;
    g->version = NFNETLINK_V0;
    g->res_id = 0;
    return h;
  }
};

Network::Network(std::unique_ptr<State> state) : state_(std::move(state)) {}
Network::Network(Network&&) noexcept = default;
Network& Network::operator=(Network&&) noexcept = default;
Network::~Network() = default;

core::Result<Network> Network::open() {
  auto state = std::make_unique<State>();
  for (const auto& [handle, family] :
       {std::pair{&state->routes, NETLINK_ROUTE}, std::pair{&state->connections, NETLINK_NETFILTER}}) {
    handle->reset(mnl_socket_open(family));
    if (!*handle || mnl_socket_bind(handle->get(), 0, MNL_SOCKET_AUTOPID) < 0)
      return core::fail_errno(errno, "open a netlink socket");
  }
  return Network(std::move(state));
}

core::Status Network::link_up(const std::string& interface) {
  nlmsghdr* h = state_->begin(RTM_NEWLINK, 0);
  auto* i = static_cast<ifinfomsg*>(mnl_nlmsg_put_extra_header(h, sizeof(ifinfomsg)));
  i->ifi_family = AF_UNSPEC;
  i->ifi_index = static_cast<int>(if_nametoindex(interface.c_str()));
  i->ifi_change = IFF_UP;
  i->ifi_flags = IFF_UP;
  return state_->exchange(state_->routes.get(), h, "bring up " + interface);
}

core::Status Network::add_address(const core::IpAddress& address, const std::string& interface) {
  nlmsghdr* h = state_->begin(RTM_NEWADDR, NLM_F_CREATE);
  auto* a = static_cast<ifaddrmsg*>(mnl_nlmsg_put_extra_header(h, sizeof(ifaddrmsg)));
  a->ifa_family = address.is_v4() ? AF_INET : AF_INET6;
  a->ifa_prefixlen = static_cast<std::uint8_t>(address.size() * 8);
  a->ifa_scope = RT_SCOPE_UNIVERSE;
  a->ifa_index = if_nametoindex(interface.c_str());
  mnl_attr_put(h, IFA_LOCAL, address.size(), address.bytes.data());
  return state_->exchange(state_->routes.get(), h, "address " + address.to_string());
}

core::Status Network::add_route(const core::IpAddress& to, const std::string& interface, bool local) {
  return state_->route(RTM_NEWROUTE, NLM_F_CREATE | NLM_F_REPLACE, to, interface, local);
}
core::Status Network::delete_route(const core::IpAddress& to, const std::string& interface, bool local) {
  return state_->route(RTM_DELROUTE, 0, to, interface, local);
}

core::Status Network::add_connection(const Connection& c) {
  nlmsghdr* h =
      state_->connection(IPCTNL_MSG_CT_NEW, NLM_F_CREATE | NLM_F_EXCL, c.source.is_v4() ? AF_INET : AF_INET6);
  State::put_tuple(h, CTA_TUPLE_ORIG, c, false);
  State::put_tuple(h, CTA_TUPLE_REPLY, c, true);
  mnl_attr_put_u32(h, CTA_STATUS, htonl(IPS_SEEN_REPLY | IPS_ASSURED | IPS_CONFIRMED));
  mnl_attr_put_u32(h, CTA_TIMEOUT, htonl(60));
  if (c.protocol == kTcp) {
    nlattr* info = mnl_attr_nest_start(h, CTA_PROTOINFO);
    nlattr* tcp = mnl_attr_nest_start(h, CTA_PROTOINFO_TCP);
    mnl_attr_put_u8(h, CTA_PROTOINFO_TCP_STATE, TCP_CONNTRACK_ESTABLISHED);
    // No window is known, so none is enforced.
    const nf_ct_tcp_flags liberal{IP_CT_TCP_FLAG_BE_LIBERAL, IP_CT_TCP_FLAG_BE_LIBERAL};
    mnl_attr_put(h, CTA_PROTOINFO_TCP_FLAGS_ORIGINAL, sizeof liberal, &liberal);
    mnl_attr_put(h, CTA_PROTOINFO_TCP_FLAGS_REPLY, sizeof liberal, &liberal);
    mnl_attr_nest_end(h, tcp);
    mnl_attr_nest_end(h, info);
  }
  return state_->exchange(state_->connections.get(), h, "add a connection");
}

core::Status Network::forget_connections() {
  const nlmsghdr* h = state_->connection(IPCTNL_MSG_CT_DELETE, 0, AF_UNSPEC);
  return state_->exchange(state_->connections.get(), h, "forget connections");
}

}  // namespace gatehouse::fwctl
