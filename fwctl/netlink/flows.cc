#include "fwctl/netlink/flows.h"

#include <linux/netfilter/nf_conntrack_common.h>
#include <linux/netfilter/nfnetlink.h>
#include <linux/netfilter/nfnetlink_conntrack.h>
#include <sys/socket.h>

#include <array>
#include <cerrno>
#include <cstring>

#include "fwctl/netlink/attributes.h"
#include "fwctl/netlink/handles.h"

namespace gatehouse::fwctl {
namespace {

constexpr std::size_t kRequestBytes = 1024, kAnswerBytes = 64 * 1024;

std::uint16_t port_of(const nlattr* a) {
  return mnl_attr_get_payload_len(a) == sizeof(std::uint16_t) ? be16toh(mnl_attr_get_u16(a))
                                                              : std::uint16_t{0};
}

struct Tuple {
  core::IpAddress source, destination;
  std::uint8_t protocol = 0, icmp_type = 0;
  std::uint16_t source_port = 0, destination_port = 0;
};

Tuple tuple_of(const nlattr* tuple) {
  Tuple out;
  each_nested(tuple, [&](const nlattr* part) {
    const bool addresses = mnl_attr_get_type(part) == CTA_TUPLE_IP;
    each_nested(part, [&](const nlattr* a) {
      const std::uint16_t type = mnl_attr_get_type(a);
      if (addresses) {
        if (type == CTA_IP_V4_SRC || type == CTA_IP_V6_SRC)
          out.source = core::IpAddress::from_bytes(bytes_of(a));
        if (type == CTA_IP_V4_DST || type == CTA_IP_V6_DST)
          out.destination = core::IpAddress::from_bytes(bytes_of(a));
        return;
      }
      const core::ByteView bytes = bytes_of(a);
      if (type == CTA_PROTO_NUM && !bytes.empty()) out.protocol = bytes[0];
      if (type == CTA_PROTO_SRC_PORT) out.source_port = port_of(a);
      if (type == CTA_PROTO_DST_PORT) out.destination_port = port_of(a);
      if ((type == CTA_PROTO_ICMP_TYPE || type == CTA_PROTO_ICMPV6_TYPE) && !bytes.empty())
        out.icmp_type = bytes[0];
    });
  });
  return out;
}

TrackedFlow flow_of(const nlmsghdr* h) {
  TrackedFlow out;
  each_attribute(h, [&](const nlattr* a) {
    const std::uint16_t type = mnl_attr_get_type(a);
    if (type == CTA_TUPLE_ORIG) {
      const Tuple t = tuple_of(a);
      out.source = t.source;
      out.destination = t.destination;
      out.protocol = t.protocol;
      out.source_port = t.source_port;
      out.destination_port = t.destination_port;
      out.icmp_type = t.icmp_type;
    }
    if (type == CTA_TUPLE_REPLY) out.answers = tuple_of(a).source;
    if (type == CTA_STATUS) out.expected = (number_of(a) & IPS_EXPECTED) != 0;
    // The number is part of the name: another connection may have the same addresses by then.
    if (type == CTA_TUPLE_ORIG || type == CTA_ZONE || type == CTA_ID) {
      const auto* bytes = reinterpret_cast<const std::uint8_t*>(a);
      out.name.insert(out.name.end(), bytes, bytes + a->nla_len);
      out.name.resize(MNL_ALIGN(out.name.size()));
    }
  });
  return out;
}

}  // namespace

struct FlowTable::State {
  SocketHandle socket;
  std::uint32_t sequence = 1;
  std::array<char, kRequestBytes> request{};
  std::vector<char> answer = std::vector<char>(kAnswerBytes);

  nlmsghdr* begin(std::uint16_t type, std::uint16_t flags, std::uint8_t family) {
    nlmsghdr* h = mnl_nlmsg_put_header(request.data());
    h->nlmsg_type = static_cast<std::uint16_t>(NFNL_SUBSYS_CTNETLINK << 8U | type);
    h->nlmsg_flags = static_cast<std::uint16_t>(NLM_F_REQUEST | flags);
    h->nlmsg_seq = ++sequence;
    auto* g = static_cast<nfgenmsg*>(mnl_nlmsg_put_extra_header(h, sizeof(nfgenmsg)));
    g->nfgen_family = family;
    g->version = NFNETLINK_V0;
    g->res_id = 0;
    return h;
  }
  // Sends the request and hands out every answer; errno of the kernel's refusal, else 0.
  template <class Visit>
  int exchange(const nlmsghdr* h, Visit visit) {
    if (mnl_socket_sendto(socket.get(), h, h->nlmsg_len) < 0) return errno;
    for (;;) {
      const ssize_t got = mnl_socket_recvfrom(socket.get(), answer.data(), answer.size());
      if (got < 0) return errno;
      int left = static_cast<int>(got);
      const auto* m = reinterpret_cast<const nlmsghdr*>(answer.data());
      for (; mnl_nlmsg_ok(m, left); m = mnl_nlmsg_next(m, &left)) {
        if (m->nlmsg_seq != h->nlmsg_seq) continue;
        if (m->nlmsg_type == NLMSG_DONE) return 0;
        if (m->nlmsg_type == NLMSG_ERROR)
          return -static_cast<const nlmsgerr*>(mnl_nlmsg_get_payload(m))->error;
        visit(m);
      }
    }
  }
};

FlowTable::FlowTable(std::unique_ptr<State> state) : state_(std::move(state)) {}
FlowTable::FlowTable(FlowTable&&) noexcept = default;
FlowTable& FlowTable::operator=(FlowTable&&) noexcept = default;
FlowTable::~FlowTable() = default;

core::Result<FlowTable> FlowTable::open() {
  auto state = std::make_unique<State>();
  state->socket.reset(mnl_socket_open2(NETLINK_NETFILTER, SOCK_CLOEXEC));
  if (!state->socket || mnl_socket_bind(state->socket.get(), 0, MNL_SOCKET_AUTOPID) < 0)
    return core::fail_errno(errno, "open a netlink socket");
  const timeval patience{10, 0};
  setsockopt(mnl_socket_get_fd(state->socket.get()), SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience);
  return FlowTable(std::move(state));
}

core::Result<std::vector<TrackedFlow>> FlowTable::all() {
  std::vector<TrackedFlow> out;
  const int error = state_->exchange(state_->begin(IPCTNL_MSG_CT_GET, NLM_F_DUMP, AF_UNSPEC),
                                     [&](const nlmsghdr* m) { out.push_back(flow_of(m)); });
  if (error != 0) return core::fail_errno(error, "read the tracked connections");
  return out;
}

core::Result<bool> FlowTable::forget(const TrackedFlow& flow) {
  nlmsghdr* h = state_->begin(IPCTNL_MSG_CT_DELETE, NLM_F_ACK, flow.source.is_v4() ? AF_INET : AF_INET6);
  if (h->nlmsg_len + flow.name.size() > kRequestBytes)
    return core::fail(core::Errc::limit, "a connection's name is too long");
  std::memcpy(mnl_nlmsg_get_payload_tail(h), flow.name.data(), flow.name.size());
  h->nlmsg_len += static_cast<std::uint32_t>(flow.name.size());
  const int error = state_->exchange(h, [](const nlmsghdr*) {});
  if (error == ENOENT) return false;
  if (error != 0) return core::fail_errno(error, "end a tracked connection");
  return true;
}

}  // namespace gatehouse::fwctl
