#include "fwctl/control/writer.h"

#include <fmt/format.h>
#include <sys/socket.h>
#include <sys/un.h>

#include <cerrno>
#include <cstring>

namespace gatehouse::fwctl {
namespace {

constexpr int kPatienceSeconds = 20;  // another one may have borrowed it
constexpr std::string_view kRequest = "lend\n";

// The answer is "lent\n" with the socket beside it, or "no: REASON\n".
core::Result<core::UniqueFd> borrow(int lease) {
  char text[256];
  alignas(cmsghdr) char control[CMSG_SPACE(sizeof(int))];
  iovec part{text, sizeof text};
  msghdr message{};
  message.msg_iov = &part;
  message.msg_iovlen = 1;
  message.msg_control = control;
  message.msg_controllen = sizeof control;
  const ssize_t got = recvmsg(lease, &message, MSG_CMSG_CLOEXEC);
  if (got < 0) return core::fail_errno(errno, "ask the guard for its socket");
  const std::string_view answer(text, static_cast<std::size_t>(got));
  core::UniqueFd out;
  for (cmsghdr* c = CMSG_FIRSTHDR(&message); c != nullptr; c = CMSG_NXTHDR(&message, c)) {
    if (c->cmsg_level != SOL_SOCKET || c->cmsg_type != SCM_RIGHTS || c->cmsg_len != CMSG_LEN(sizeof(int)))
      continue;
    int fd = -1;
    std::memcpy(&fd, CMSG_DATA(c), sizeof fd);
    out.reset(fd);
  }
  if (answer != "lent\n" || !out.valid())
    return core::fail(core::Errc::permission, "the guard does not lend its socket: " + std::string(answer));
  return out;
}

}  // namespace

core::Result<Writer> open_writer(const std::string& run_directory) {
  const std::string path = run_directory + "/" + kControlSocket;
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  if (path.size() >= sizeof address.sun_path)
    return core::fail(core::Errc::invalid_input, "the path " + path + " is too long for a socket");
  std::memcpy(address.sun_path, path.c_str(), path.size());
  core::UniqueFd lease(socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
  if (!lease.valid()) return core::fail_errno(errno, "open a socket");
  const timeval patience{kPatienceSeconds, 0};
  setsockopt(lease.get(), SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience);
  if (connect(lease.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address) != 0) {
    if (errno != ENOENT && errno != ECONNREFUSED) return core::fail_errno(errno, "connect to " + path);
    GH_TRY(Kernel own, Kernel::open());
    return Writer{std::move(own), {}};
  }
  if (send(lease.get(), kRequest.data(), kRequest.size(), MSG_NOSIGNAL) < 0)
    return core::fail_errno(errno, "ask the guard for its socket");
  GH_TRY(core::UniqueFd socket, borrow(lease.get()));
  GH_TRY(Kernel lent, Kernel::adopt(std::move(socket)));
  return Writer{std::move(lent), std::move(lease)};
}

}  // namespace gatehouse::fwctl
