#include "fwctl/netlink/trace.h"

#include <libnftnl/trace.h>
#include <linux/netfilter.h>
#include <linux/netfilter/nfnetlink.h>
#include <poll.h>
#include <sys/socket.h>

#include <cerrno>

#include "fwctl/netlink/handles.h"

namespace gatehouse::fwctl {
namespace {

constexpr std::size_t kReceiveBytes = 64 * 1024;
using TraceHandle = std::unique_ptr<nftnl_trace, FreeBy<nftnl_trace_free>>;

int add_event(const nlmsghdr* h, void* events) {
  if (h->nlmsg_type != (NFNL_SUBSYS_NFTABLES << 8U | NFT_MSG_TRACE)) return MNL_CB_OK;
  TraceHandle t(nftnl_trace_alloc());
  if (!t || nftnl_trace_nlmsg_parse(h, t.get()) < 0) return MNL_CB_OK;
  const auto text = [&](std::uint16_t attribute) {
    const char* found =
        nftnl_trace_is_set(t.get(), attribute) ? nftnl_trace_get_str(t.get(), attribute) : nullptr;
    return std::string(found == nullptr ? "" : found);
  };
  const auto number = [&](std::uint16_t attribute) {
    return nftnl_trace_is_set(t.get(), attribute) ? nftnl_trace_get_u32(t.get(), attribute) : 0U;
  };
  TraceEvent e;
  e.packet = number(NFTNL_TRACE_ID);
  e.family = number(NFTNL_TRACE_FAMILY);
  e.table = text(NFTNL_TRACE_TABLE);
  e.chain = text(NFTNL_TRACE_CHAIN);
  e.target = text(NFTNL_TRACE_JUMP_TARGET);
  const std::uint32_t type = number(NFTNL_TRACE_TYPE);
  e.kind = type == NFT_TRACETYPE_RULE     ? TraceEvent::Kind::rule
           : type == NFT_TRACETYPE_POLICY ? TraceEvent::Kind::policy
                                          : TraceEvent::Kind::returned;
  if (nftnl_trace_is_set(t.get(), NFTNL_TRACE_RULE_HANDLE))
    e.rule = nftnl_trace_get_u64(t.get(), NFTNL_TRACE_RULE_HANDLE);
  e.verdict = static_cast<std::int32_t>(
      number(e.kind == TraceEvent::Kind::policy ? NFTNL_TRACE_POLICY : NFTNL_TRACE_VERDICT));
  static_cast<std::vector<TraceEvent>*>(events)->push_back(std::move(e));
  return MNL_CB_OK;
}

}  // namespace

struct TraceListener::State {
  SocketHandle socket;
  std::vector<std::uint8_t> buffer = std::vector<std::uint8_t>(kReceiveBytes);
};

TraceListener::TraceListener(std::unique_ptr<State> state) : state_(std::move(state)) {}
TraceListener::TraceListener(TraceListener&&) noexcept = default;
TraceListener& TraceListener::operator=(TraceListener&&) noexcept = default;
TraceListener::~TraceListener() = default;

core::Result<TraceListener> TraceListener::open() {
  auto state = std::make_unique<State>();
  state->socket.reset(mnl_socket_open(NETLINK_NETFILTER));
  if (!state->socket) return core::fail_errno(errno, "open a netlink socket");
  if (mnl_socket_bind(state->socket.get(), 0, MNL_SOCKET_AUTOPID) < 0)
    return core::fail_errno(errno, "bind a netlink socket");
  int group = NFNLGRP_NFTRACE;
  if (mnl_socket_setsockopt(state->socket.get(), NETLINK_ADD_MEMBERSHIP, &group, sizeof group) < 0)
    return core::fail_errno(errno, "listen to traces");
  const int receive = 4 << 20;
  setsockopt(mnl_socket_get_fd(state->socket.get()), SOL_SOCKET, SO_RCVBUFFORCE, &receive, sizeof receive);
  return TraceListener(std::move(state));
}

core::Result<std::vector<TraceEvent>> TraceListener::read(int wait_ms) {
  std::vector<TraceEvent> out;
  const int fd = mnl_socket_get_fd(state_->socket.get());
  pollfd p{fd, POLLIN, 0};
  if (poll(&p, 1, wait_ms) <= 0) return out;
  for (;;) {
    const ssize_t got = recv(fd, state_->buffer.data(), state_->buffer.size(), MSG_DONTWAIT);
    if (got < 0 && (errno == EAGAIN || errno == EINTR)) return out;
    if (got < 0) return core::fail_errno(errno, "read traces");
    if (mnl_cb_run(state_->buffer.data(), static_cast<std::size_t>(got), 0, 0, add_event, &out) < 0)
      return core::fail_errno(errno, "read traces");
  }
}

}  // namespace gatehouse::fwctl
