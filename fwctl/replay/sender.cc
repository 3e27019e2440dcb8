#include "fwctl/replay/sender.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <netinet/in.h>
#include <sys/fsuid.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>

#include "core/control_group.h"
#include "core/os.h"
#include "fwctl/netlink/kernel.h"

namespace gatehouse::fwctl {
namespace {

using core::Errc;
using core::fail;
using prove::Packet;
using Kind = prove::ByteKey::Kind;

// 0, or errno. Nothing here needs memory: it also runs in a child of a process with threads.
int send(const Packet& p, std::uint32_t user, const sockaddr* to, socklen_t length,
         const std::vector<std::vector<std::uint8_t>>& pieces) {
  // A socket belongs to the user that this thread is for the file system when it makes it.
  (void)setfsuid(user);
  const core::UniqueFd from(socket(p.family == 4 ? AF_INET : AF_INET6, SOCK_RAW | SOCK_CLOEXEC, IPPROTO_RAW));
  const int error = errno;
  (void)setfsuid(geteuid());
  if (!from.valid()) return error;
  const int priority = kTracePriority;
  if (setsockopt(from.get(), SOL_SOCKET, SO_PRIORITY, &priority, sizeof priority) != 0) return errno;
  // A rule that drops in the output hook makes sendto() fail with EPERM: that is an answer, not an error.
  for (const auto& bytes : pieces) {
    if (sendto(from.get(), bytes.data(), bytes.size(), 0, to, length) < 0 && errno != EPERM) return errno;
  }
  return 0;
}

// The group to be in so that the packet is of the groups that it names and of no other at these levels;
// empty: the outermost.
core::Result<std::string> group_of(const Packet& p, const std::set<std::uint32_t>& levels) {
  const auto groups = p.groups();
  std::string path;
  std::vector<std::uint64_t> ids;
  if (!groups.empty()) {
    const auto& [level, id] = *groups.rbegin();
    path = core::control_group_path(id).value_or("");
    ids = core::control_group_ids(path);
    if (ids.size() != level)
      return fail(Errc::unsupported, fmt::format("there is no control group {} at level {} here", id, level));
  }
  for (const std::uint32_t level : levels) {
    const auto named = groups.find(level);
    const std::uint64_t is = level <= ids.size() ? ids[level - 1] : 0;
    if (is != (named == groups.end() ? 0 : named->second))
      return fail(Errc::unsupported, "no program is in these control groups at once");
  }
  return path;
}

}  // namespace

core::Status send_as_program(const Packet& p, const std::vector<std::vector<std::uint8_t>>& pieces,
                             const std::set<std::uint32_t>& levels) {
  const core::IpAddress to = p.address(Kind::destination);
  sockaddr_storage storage{};
  socklen_t length = sizeof(sockaddr_in);
  if (p.family == 4) {
    auto* in = reinterpret_cast<sockaddr_in*>(&storage);
    in->sin_family = AF_INET;
    std::memcpy(&in->sin_addr, to.bytes.data(), 4);
  } else {
    auto* in6 = reinterpret_cast<sockaddr_in6*>(&storage);
    in6->sin6_family = AF_INET6;
    std::memcpy(&in6->sin6_addr, to.bytes.data(), 16);
    length = sizeof *in6;
  }
  const auto* address = reinterpret_cast<const sockaddr*>(&storage);
  const std::uint32_t user = p.user().value_or(0);
  if (levels.empty()) {
    const int error = send(p, user, address, length, pieces);
    return error == 0 ? core::Status() : core::fail_errno(error, "send the packet");
  }
  GH_TRY(const std::string group, group_of(p, levels));
  const std::string members = core::control_group_root() + '/' + group + "/cgroup.procs";
  // A socket is of the group that its maker is in then; only whole processes move.
  const pid_t child = fork();
  if (child < 0) return core::fail_errno(errno, "make a process");
  constexpr int kNotIn = 255;
  if (child == 0) {
    const int fd = open(members.c_str(), O_WRONLY | O_CLOEXEC);
    if (fd < 0 || write(fd, "0", 1) != 1) _exit(kNotIn);
    _exit(send(p, user, address, length, pieces) & 0x7f);
  }
  int status = 0;
  while (waitpid(child, &status, 0) < 0 && errno == EINTR) {
  }
  if (!WIFEXITED(status)) return fail(Errc::system, "the process that sends the packet was killed");
  if (WEXITSTATUS(status) == kNotIn)
    return fail(Errc::unsupported, "no process can be put into the control group /" + group);
  return WEXITSTATUS(status) == 0 ? core::Status() : core::fail_errno(WEXITSTATUS(status), "send the packet");
}

}  // namespace gatehouse::fwctl
