// What Kernel keeps; for the files of this folder that make up its members.
#pragma once

#include <libnftnl/gen.h>
#include <sys/socket.h>

#include <array>
#include <cerrno>
#include <functional>

#include "fwctl/netlink/handles.h"
#include "fwctl/netlink/kernel.h"

namespace gatehouse::fwctl {

// Hands messages on; false: the message makes no sense.
using MessageVisitor = std::function<bool(const nlmsghdr*)>;

struct Kernel::State {
  SocketHandle socket;
  std::uint32_t port = 0;
  std::uint32_t sequence = 1;
  std::vector<std::uint8_t> buffer = std::vector<std::uint8_t>(64 * 1024);

  void prepare();
  int fd() const { return mnl_socket_get_fd(socket.get()); }
  nlmsghdr* request(std::uint16_t type, std::uint16_t family, std::uint16_t flags) {
    return nftnl_nlmsg_build_hdr(reinterpret_cast<char*>(buffer.data()), type, family, flags, sequence);
  }
  // Sends what `request` built and hands each answer to `visitor`. EINTR: a dump was overtaken by a
  // commit; ENOENT: what was asked for is gone.
  tl::expected<void, int> exchange(const nlmsghdr* h, MessageVisitor visitor);
  tl::expected<std::uint32_t, int> generation();
};

}  // namespace gatehouse::fwctl
