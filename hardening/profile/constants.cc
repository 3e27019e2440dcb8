#include <fcntl.h>
#include <linux/capability.h>
#include <sched.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <termios.h>

#include <cerrno>
#include <charconv>
#include <cstring>

#include "hardening/profile/profile.h"

namespace gatehouse::hardening {
namespace {

struct Constant {
  std::string_view name;
  std::uint64_t value;
};

#define GH_CONSTANT(name)                     \
  Constant {                                  \
#name, static_cast < std::uint64_t>(name) \
  }
// What profiles need to name; anything else is written as a number.
constexpr Constant kConstants[] = {
    GH_CONSTANT(AF_UNIX),
    GH_CONSTANT(AF_INET),
    GH_CONSTANT(AF_INET6),
    GH_CONSTANT(AF_NETLINK),
    GH_CONSTANT(AF_PACKET),
    GH_CONSTANT(AF_ALG),
    GH_CONSTANT(AF_VSOCK),
    GH_CONSTANT(SOCK_STREAM),
    GH_CONSTANT(SOCK_DGRAM),
    GH_CONSTANT(SOCK_RAW),
    GH_CONSTANT(CLONE_NEWCGROUP),
    GH_CONSTANT(CLONE_NEWIPC),
    GH_CONSTANT(CLONE_NEWNET),
    GH_CONSTANT(CLONE_NEWNS),
    GH_CONSTANT(CLONE_NEWPID),
    GH_CONSTANT(CLONE_NEWUSER),
    GH_CONSTANT(CLONE_NEWUTS),
    Constant{"CLONE_NEWTIME", 0x80},
    GH_CONSTANT(CLONE_VM),
    GH_CONSTANT(CLONE_THREAD),
    GH_CONSTANT(PROT_EXEC),
    GH_CONSTANT(PROT_WRITE),
    GH_CONSTANT(PR_SET_NAME),
    GH_CONSTANT(PR_GET_NAME),
    GH_CONSTANT(PR_SET_DUMPABLE),
    GH_CONSTANT(PR_GET_DUMPABLE),
    GH_CONSTANT(PR_SET_KEEPCAPS),
    GH_CONSTANT(PR_SET_PDEATHSIG),
    GH_CONSTANT(PR_SET_NO_NEW_PRIVS),
    GH_CONSTANT(PR_SET_SECCOMP),
    GH_CONSTANT(PR_CAPBSET_READ),
    GH_CONSTANT(PR_SET_VMA),
    GH_CONSTANT(FIONBIO),
    GH_CONSTANT(FIONREAD),
    GH_CONSTANT(FIOASYNC),
    GH_CONSTANT(FIOCLEX),
    GH_CONSTANT(TCGETS),
    GH_CONSTANT(TIOCGWINSZ),
    GH_CONSTANT(TIOCSTI),
};
#undef GH_CONSTANT

constexpr int kMaxErrno = 4095;  // MAX_ERRNO of the kernel

}  // namespace

std::optional<int> parse_errno_name(std::string_view name) {
  for (int number = 1; number <= kMaxErrno; ++number) {
    const char* known = strerrorname_np(number);
    if (known != nullptr && name == known) return number;
  }
  return std::nullopt;
}

std::optional<std::uint64_t> parse_argument_value(std::string_view word) {
  for (const Constant& c : kConstants) {
    if (c.name == word) return c.value;
  }
  const bool hex = word.substr(0, 2) == "0x";
  if (hex) word.remove_prefix(2);
  std::uint64_t value = 0;
  const auto [end, error] = std::from_chars(word.data(), word.data() + word.size(), value, hex ? 16 : 10);
  if (error != std::errc{} || end != word.data() + word.size()) return std::nullopt;
  return value;
}

const std::vector<std::string>& argument_constant_names() {
  static const std::vector<std::string> names = [] {
    std::vector<std::string> out;
    for (const Constant& c : kConstants) out.emplace_back(c.name);
    return out;
  }();
  return names;
}

}  // namespace gatehouse::hardening
