#include "fwctl/guard/clients.h"

#include <fmt/format.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>

namespace gatehouse::fwctl {
namespace {

bool in_group(int fd, const ucred& peer, gid_t group) {
  if (peer.gid == group) return true;
  std::vector<gid_t> groups(256);
  socklen_t size = static_cast<socklen_t>(groups.size() * sizeof(gid_t));
  if (getsockopt(fd, SOL_SOCKET, SO_PEERGROUPS, groups.data(), &size) != 0) return false;
  groups.resize(size / sizeof(gid_t));
  return std::find(groups.begin(), groups.end(), group) != groups.end();
}

std::string name_of(pid_t pid) {
  const auto comm = core::read_file(fmt::format("/proc/{}/comm", pid), 64);
  return comm ? comm->substr(0, comm->find('\n')) : "a process";
}

}  // namespace

core::Result<core::UniqueFd> listen_at(const std::string& path, std::optional<gid_t> group) {
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  if (path.size() >= sizeof address.sun_path)
    return core::fail(core::Errc::invalid_input, "the path " + path + " is too long for a socket");
  std::memcpy(address.sun_path, path.c_str(), path.size());
  core::UniqueFd fd(socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
  if (!fd.valid()) return core::fail_errno(errno, "open a socket");
  unlink(path.c_str());
  // Nobody connects before the mode is right.
  const mode_t before = umask(0177);
  const int bound = bind(fd.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address);
  const int error = errno;
  umask(before);
  if (bound != 0) return core::fail_errno(error, "bind " + path);
  if (group && chown(path.c_str(), static_cast<uid_t>(-1), *group) != 0)
    return core::fail_errno(errno, "give " + path + " to its group");
  if (chmod(path.c_str(), group ? 0660 : 0600) != 0)
    return core::fail_errno(errno, "set the mode of " + path);
  if (listen(fd.get(), 64) != 0) return core::fail_errno(errno, "listen at " + path);
  return fd;
}

std::optional<Client> accept_from(int listener, std::optional<gid_t> group, std::int64_t now_us) {
  Client out;
  out.fd.reset(accept4(listener, nullptr, nullptr, SOCK_CLOEXEC | SOCK_NONBLOCK));
  if (!out.fd.valid()) return std::nullopt;
  ucred peer{};
  socklen_t size = sizeof peer;
  if (getsockopt(out.fd.get(), SOL_SOCKET, SO_PEERCRED, &peer, &size) != 0) return std::nullopt;
  if (peer.uid != 0 && !(group && in_group(out.fd.get(), peer, *group))) return std::nullopt;
  out.uid = peer.uid;
  out.who = fmt::format("{} (pid {}, uid {})", name_of(peer.pid), peer.pid, peer.uid);
  out.since_us = now_us;
  return out;
}

std::optional<std::string> next_line(Client& client, std::size_t most, bool& gone) {
  gone = false;
  for (;;) {
    if (const std::size_t end = client.input.find('\n'); end != std::string::npos) {
      std::string line = client.input.substr(0, end);
      client.input.erase(0, end + 1);
      return line;
    }
    if (client.input.size() > most) break;
    char buffer[4096];
    const ssize_t got = recv(client.fd.get(), buffer, sizeof buffer, MSG_DONTWAIT);
    if (got < 0 && errno == EINTR) continue;
    if (got < 0 && (errno == EAGAIN || errno == EWOULDBLOCK)) return std::nullopt;
    if (got <= 0) break;
    client.input.append(buffer, static_cast<std::size_t>(got));
  }
  gone = true;
  return std::nullopt;
}

bool answer(Client& client, const std::string& text) {
  client.output += text;
  return flush(client);
}

bool flush(Client& client) {
  std::string& rest = client.output;
  while (!rest.empty()) {
    const ssize_t sent = send(client.fd.get(), rest.data(), rest.size(), MSG_DONTWAIT | MSG_NOSIGNAL);
    if (sent < 0 && errno == EINTR) continue;
    if (sent < 0) return errno == EAGAIN || errno == EWOULDBLOCK;
    rest.erase(0, static_cast<std::size_t>(sent));
  }
  return true;
}

bool answer_with(const Client& client, const std::string& text, int descriptor) {
  std::string copy = text;
  alignas(cmsghdr) char control[CMSG_SPACE(sizeof(int))] = {};
  iovec part{copy.data(), copy.size()};
  msghdr message{};
  message.msg_iov = &part;
  message.msg_iovlen = 1;
  message.msg_control = control;
  message.msg_controllen = sizeof control;
  cmsghdr* c = CMSG_FIRSTHDR(&message);
  c->cmsg_level = SOL_SOCKET;
  c->cmsg_type = SCM_RIGHTS;
  c->cmsg_len = CMSG_LEN(sizeof(int));
  std::memcpy(CMSG_DATA(c), &descriptor, sizeof descriptor);
  return sendmsg(client.fd.get(), &message, MSG_DONTWAIT | MSG_NOSIGNAL) == static_cast<ssize_t>(copy.size());
}

}  // namespace gatehouse::fwctl
