// Landlock: the kernel interface (Documentation/userspace-api/landlock.rst), nothing of policy.
// Own constants, because the headers of older distributions lack the newer rights.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "core/os.h"
#include "core/result.h"

namespace gatehouse::core::landlock {

// Rights on files and directories, by their bit in the kernel's interface.
inline constexpr std::uint64_t kExecute = 1U << 0U;
inline constexpr std::uint64_t kWriteFile = 1U << 1U;
inline constexpr std::uint64_t kReadFile = 1U << 2U;
inline constexpr std::uint64_t kReadDir = 1U << 3U;
inline constexpr std::uint64_t kRemoveDir = 1U << 4U;
inline constexpr std::uint64_t kRemoveFile = 1U << 5U;
inline constexpr std::uint64_t kMakeChar = 1U << 6U;
inline constexpr std::uint64_t kMakeDir = 1U << 7U;
inline constexpr std::uint64_t kMakeReg = 1U << 8U;
inline constexpr std::uint64_t kMakeSock = 1U << 9U;
inline constexpr std::uint64_t kMakeFifo = 1U << 10U;
inline constexpr std::uint64_t kMakeBlock = 1U << 11U;
inline constexpr std::uint64_t kMakeSym = 1U << 12U;
inline constexpr std::uint64_t kRefer =
    1U << 13U;  // ABI 2; before it, moving between directories is always denied
inline constexpr std::uint64_t kTruncate = 1U << 14U;  // ABI 3; before it, truncation is not mediated
inline constexpr std::uint64_t kIoctlDev = 1U << 15U;  // ABI 5; before it, ioctls are not mediated
// The rights that mean something on a file that is no directory.
inline constexpr std::uint64_t kFileRights = kExecute | kWriteFile | kReadFile | kTruncate | kIoctlDev;

inline constexpr std::uint64_t kBindTcp = 1U << 0U;  // ABI 4
inline constexpr std::uint64_t kConnectTcp = 1U << 1U;

inline constexpr std::uint64_t kScopeAbstractUnix = 1U << 0U;  // ABI 6
inline constexpr std::uint64_t kScopeSignal = 1U << 1U;

// landlock_restrict_self: log denials also after execve (ABI 7); the kernel's default stops there.
inline constexpr std::uint32_t kLogNewExec = 1U << 1U;

// The newest ABI this file knows: a newer kernel is used as if it were this one.
inline constexpr int kNewestAbi = 7;

// The running kernel's ABI, at most kNewestAbi; 0 when Landlock is absent or not enabled at boot.
int kernel_abi();
// The file-system rights an ABI can mediate.
std::uint64_t filesystem_rights(int abi);
// Names of the set bits, as in the kernel's documentation in lower case: "read_file,write_file".
std::string right_names(std::uint64_t rights);
std::string port_right_names(std::uint64_t rights);

// What a ruleset takes away unless a rule gives it back.
struct Handled {
  std::uint64_t filesystem = 0;
  std::uint64_t network = 0;
  std::uint64_t scopes = 0;
};

// A ruleset under construction. Rules bind to the inode that is found now: a directory replaced
// later is not covered.
class Ruleset {
 public:
  // Bits the kernel's ABI does not know are refused: the caller decides what a lack means.
  static Result<Ruleset> create(const Handled& handled, int abi);

  // Gives the rights on the file behind an O_PATH descriptor, and on everything below it when it
  // is a directory. Rights that mean nothing on a plain file are left out for it.
  Status allow_path(int path_fd, std::uint64_t rights, std::string_view name);
  Status allow_port(std::uint16_t port, std::uint64_t rights);
  // Sets no_new_privs and restricts the calling thread, for ever.
  Status restrict_self(std::uint32_t flags = 0);

 private:
  explicit Ruleset(UniqueFd fd, Handled handled) : fd_(std::move(fd)), handled_(handled) {}

  UniqueFd fd_;
  Handled handled_;
};

}  // namespace gatehouse::core::landlock
