#include "core/landlock.h"

#include <fmt/format.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>

namespace gatehouse::core::landlock {
namespace {

// The system call numbers are the same on every architecture.
constexpr long kCreateRuleset = 444;
constexpr long kAddRule = 445;
constexpr long kRestrictSelf = 446;
constexpr std::uint32_t kAskVersion = 1;
constexpr int kRulePathBeneath = 1;
constexpr int kRuleNetPort = 2;

struct RulesetAttribute {
  std::uint64_t filesystem;
  std::uint64_t network;
  std::uint64_t scopes;
};
struct __attribute__((packed)) PathAttribute {
  std::uint64_t rights;
  std::int32_t parent_fd;
};
struct PortAttribute {
  std::uint64_t rights;
  std::uint64_t port;
};

// The kernel refuses (E2BIG) a structure longer than its own unless the tail is zero, and an older
// one reads a shorter structure: give exactly what the ABI defines.
std::size_t attribute_size(int abi) {
  if (abi < 4) return sizeof(std::uint64_t);
  return abi < 6 ? 2 * sizeof(std::uint64_t) : sizeof(RulesetAttribute);
}

constexpr std::string_view kRightNames[] = {"execute",    "write_file",  "read_file", "read_dir",
                                            "remove_dir", "remove_file", "make_char", "make_dir",
                                            "make_reg",   "make_sock",   "make_fifo", "make_block",
                                            "make_sym",   "refer",       "truncate",  "ioctl_dev"};
constexpr std::string_view kPortRightNames[] = {"bind_tcp", "connect_tcp"};

template <class Names>
std::string names_of(std::uint64_t rights, const Names& names) {
  std::string out;
  for (std::size_t bit = 0; bit < std::size(names); ++bit) {
    if ((rights >> bit & 1U) == 0) continue;
    if (!out.empty()) out += ',';
    out += names[bit];
  }
  return out;
}

}  // namespace

int kernel_abi() {
  const long abi = syscall(kCreateRuleset, nullptr, 0, kAskVersion);
  return abi < 1 ? 0 : static_cast<int>(std::min<long>(abi, kNewestAbi));
}

std::uint64_t filesystem_rights(int abi) {
  if (abi < 1) return 0;
  if (abi == 1) return kRefer - 1;
  if (abi == 2) return kTruncate - 1;
  if (abi < 5) return kIoctlDev - 1;
  return (kIoctlDev << 1U) - 1;
}

std::string right_names(std::uint64_t rights) {
  return names_of(rights, kRightNames);
}
std::string port_right_names(std::uint64_t rights) {
  return names_of(rights, kPortRightNames);
}

Result<Ruleset> Ruleset::create(const Handled& handled, int abi) {
  const bool beyond = (handled.filesystem & ~filesystem_rights(abi)) != 0 ||
                      (abi < 4 && handled.network != 0) || (abi < 6 && handled.scopes != 0);
  if (abi < 1 || beyond) {
    return fail(Errc::unsupported,
                fmt::format("Landlock ABI {} cannot mediate what the ruleset asks for", abi));
  }
  const RulesetAttribute attribute{handled.filesystem, handled.network, handled.scopes};
  const long fd = syscall(kCreateRuleset, &attribute, attribute_size(abi), 0);
  if (fd < 0) return fail_errno(errno, "landlock_create_ruleset");
  return Ruleset(UniqueFd(static_cast<int>(fd)), handled);
}

Status Ruleset::allow_path(int path_fd, std::uint64_t rights, std::string_view name) {
  struct stat info {};
  if (fstat(path_fd, &info) != 0) return fail_errno(errno, fmt::format("fstat {}", name));
  rights &= handled_.filesystem;
  if (!S_ISDIR(info.st_mode)) rights &= kFileRights;
  if (rights == 0) return {};  // the kernel refuses an empty rule (ENOMSG); nothing is granted either way
  const PathAttribute attribute{rights, path_fd};
  if (syscall(kAddRule, fd_.get(), kRulePathBeneath, &attribute, 0) != 0) {
    return fail_errno(errno, fmt::format("landlock_add_rule {}", name));
  }
  return {};
}

Status Ruleset::allow_port(std::uint16_t port, std::uint64_t rights) {
  rights &= handled_.network;
  if (rights == 0) return {};
  const PortAttribute attribute{rights, port};
  if (syscall(kAddRule, fd_.get(), kRuleNetPort, &attribute, 0) != 0) {
    return fail_errno(errno, fmt::format("landlock_add_rule port {}", port));
  }
  return {};
}

Status Ruleset::restrict_self(std::uint32_t flags) {
  if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0) return fail_errno(errno, "prctl PR_SET_NO_NEW_PRIVS");
  if (syscall(kRestrictSelf, fd_.get(), flags) != 0) return fail_errno(errno, "landlock_restrict_self");
  return {};
}

}  // namespace gatehouse::core::landlock
