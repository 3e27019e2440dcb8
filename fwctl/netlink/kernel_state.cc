#include "fwctl/netlink/kernel_state.h"

#include <linux/netfilter.h>

namespace gatehouse::fwctl {
namespace {

int visit_message(const nlmsghdr* h, void* visitor) {
  return (*static_cast<MessageVisitor*>(visitor))(h) ? MNL_CB_OK : MNL_CB_ERROR;
}

}  // namespace

void Kernel::State::prepare() {
  port = mnl_socket_get_portid(socket.get());
  const timeval patience{10, 0};  // the kernel answers at once; this only bounds a bug
  setsockopt(fd(), SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience);
  const int receive = 4 << 20;
  if (setsockopt(fd(), SOL_SOCKET, SO_RCVBUFFORCE, &receive, sizeof receive) < 0)
    setsockopt(fd(), SOL_SOCKET, SO_RCVBUF, &receive, sizeof receive);
}

tl::expected<void, int> Kernel::State::exchange(const nlmsghdr* h, MessageVisitor visitor) {
  const std::uint32_t expected = sequence++;
  if (mnl_socket_sendto(socket.get(), h, h->nlmsg_len) < 0) return tl::make_unexpected(errno);
  for (;;) {
    const ssize_t got = mnl_socket_recvfrom(socket.get(), buffer.data(), buffer.size());
    if (got < 0) return tl::make_unexpected(errno);
    errno = 0;
    const int more =
        mnl_cb_run(buffer.data(), static_cast<std::size_t>(got), expected, port, visit_message, &visitor);
    if (more < 0) return tl::make_unexpected(errno == 0 ? EPROTO : errno);
    if (more == MNL_CB_STOP) return {};
  }
}

tl::expected<std::uint32_t, int> Kernel::State::generation() {
  std::uint32_t out = 0;
  const auto done = exchange(request(NFT_MSG_GETGEN, NFPROTO_UNSPEC, NLM_F_ACK), [&](const nlmsghdr* h) {
    nftnl_gen* gen = nftnl_gen_alloc();
    if (gen == nullptr) return false;
    const bool ok = nftnl_gen_nlmsg_parse(h, gen) == 0;
    if (ok) out = nftnl_gen_get_u32(gen, NFTNL_GEN_ID);
    nftnl_gen_free(gen);
    return ok;
  });
  if (!done) return tl::make_unexpected(done.error());
  return out;
}

}  // namespace gatehouse::fwctl
