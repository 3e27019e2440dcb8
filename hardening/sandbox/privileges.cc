#include "hardening/sandbox/privileges.h"

#include <fmt/format.h>
#include <grp.h>
#include <linux/capability.h>
#include <pwd.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>

namespace gatehouse::hardening {
namespace {

using core::fail_errno;

constexpr unsigned kHighestTried = 63;  // the kernel's sets are 64 bits wide

core::Status become(const Identity& to) {
  if (setgroups(0, nullptr) != 0) return fail_errno(errno, "setgroups");
  if (setresgid(to.gid, to.gid, to.gid) != 0) return fail_errno(errno, fmt::format("setresgid {}", to.gid));
  if (setresuid(to.uid, to.uid, to.uid) != 0) return fail_errno(errno, fmt::format("setresuid {}", to.uid));
  uid_t real = 0, effective = 0, saved = 0;
  gid_t real_gid = 0, effective_gid = 0, saved_gid = 0;
  (void)getresuid(&real, &effective, &saved);
  (void)getresgid(&real_gid, &effective_gid, &saved_gid);
  if (real != to.uid || effective != to.uid || saved != to.uid || real_gid != to.gid ||
      effective_gid != to.gid || saved_gid != to.gid) {
    return core::fail(core::Errc::system, "the kernel did not change the user as asked");
  }
  return {};
}

// False when the process may not: then it has no way to gain capabilities but a file's, and
// no_new_privs closes that one.
core::Result<bool> shrink_bounding_set(const std::vector<unsigned>& keep) {
  for (unsigned number = 0; number <= kHighestTried; ++number) {
    if (std::find(keep.begin(), keep.end(), number) != keep.end()) continue;
    if (prctl(PR_CAPBSET_READ, number, 0, 0, 0) != 1) continue;
    if (prctl(PR_CAPBSET_DROP, number, 0, 0, 0) == 0) continue;
    if (errno == EPERM) return false;
    return fail_errno(errno, fmt::format("dropping capability {}", number));
  }
  return true;
}

core::Status set_capabilities(const std::vector<unsigned>& keep) {
  __user_cap_header_struct header{_LINUX_CAPABILITY_VERSION_3, 0};
  std::array<__user_cap_data_struct, 2> sets{};
  for (const unsigned number : keep) {
    sets.at(number / 32).permitted |= 1U << number % 32;
    sets.at(number / 32).effective |= 1U << number % 32;
  }
  if (syscall(SYS_capset, &header, sets.data()) != 0) return fail_errno(errno, "capset");
  // Fails only on kernels without ambient capabilities, which then are empty.
  (void)prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_CLEAR_ALL, 0, 0, 0);
  return {};
}

}  // namespace

core::Result<std::optional<Identity>> resolve_identity(const std::string& user,
                                                       std::optional<std::uint32_t> uid,
                                                       std::optional<std::uint32_t> gid) {
  if (user.empty()) {
    if (!uid && !gid) return std::optional<Identity>();
    if (!uid || !gid)
      return core::fail(core::Errc::invalid_input, "a sandbox needs both uid and gid, or neither");
    return std::optional<Identity>(Identity{*uid, *gid});
  }
  if (uid || gid)
    return core::fail(core::Errc::invalid_input, "a sandbox takes a user name or numbers, not both");
  errno = 0;
  // Single-threaded here, so the static result is ours.
  const passwd* entry = getpwnam(user.c_str());
  if (entry == nullptr) {
    if (errno != 0) return fail_errno(errno, "looking up the user " + user);
    return core::fail(core::Errc::not_found, "there is no user `" + user + "` on this system");
  }
  return std::optional<Identity>(Identity{entry->pw_uid, entry->pw_gid});
}

core::Result<std::string> drop_privileges(const std::optional<Identity>& identity,
                                          const std::vector<unsigned>& keep) {
  for (const unsigned number : keep) {
    if (number > kHighestTried)
      return core::fail(core::Errc::invalid_input, fmt::format("capability {}", number));
  }
  GH_TRY(const bool shrunk, shrink_bounding_set(keep));
  if (identity) {
    if (!keep.empty() && prctl(PR_SET_KEEPCAPS, 1, 0, 0, 0) != 0)
      return fail_errno(errno, "prctl PR_SET_KEEPCAPS");
    GH_CHECK(become(*identity));
  }
  GH_CHECK(set_capabilities(keep));
  if (!keep.empty() && prctl(PR_SET_KEEPCAPS, 0, 0, 0, 0) != 0)
    return fail_errno(errno, "prctl PR_SET_KEEPCAPS");
  std::string said = identity ? fmt::format("user {}:{}, ", identity->uid, identity->gid) : "";
  said += keep.empty() ? "no capabilities" : fmt::format("{} capabilities", keep.size());
  if (!shrunk) said += " (bounding set unchanged: started without CAP_SETPCAP)";
  return said;
}

}  // namespace gatehouse::hardening
