// How a Gatehouse daemon fences itself in: one call after start-up, when the files, sockets and
// captures it needs for good are open and before it touches input from outside.
//
//   SandboxSpec spec;
//   spec.name = "ids";
//   spec.user = "gatehouse-ids";
//   spec.read_only = {rules_directory};
//   spec.read_write = {spool_directory};
//   spec.tcp_connect.emplace();  // none
//   spec.tcp_bind.emplace();     // none
//   spec.seccomp = "ids";
//   GH_TRY(const SandboxReport report, sandbox_self(spec));
//   log_info("{}", report.to_string());
//
// Order: no_new_privs, user and capabilities, Landlock, seccomp: each step needs what the next
// takes away. There is no way back. On an error part of it may be in force: the caller must exit.
//
// Call it while the process has one thread: Landlock and capabilities are per thread, and the
// threads started afterwards inherit both. With more threads the call is refused.
//
// Not covered: descriptors that are open already keep working; UDP and raw sockets, chmod, chown
// and stat are not mediated by Landlock (the seccomp profile decides on the calls themselves).
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "core/result.h"

namespace gatehouse::hardening {

struct SandboxSpec {
  std::string name;  // of the daemon, for messages

  // Account to become; empty: stay. Needs root. Supplementary groups are emptied.
  std::string user;
  // Instead of `user`, for accounts that have no name here.
  std::optional<std::uint32_t> uid;
  std::optional<std::uint32_t> gid;
  // Capabilities that stay, by number (CAP_*); the rest also leave the bounding set.
  std::vector<unsigned> keep_capabilities;

  // Files and whole directory trees. Empty both and `restrict_files` false: Landlock leaves the
  // file system alone. A path that does not exist is refused: it would be silently unreachable.
  bool restrict_files = true;
  std::vector<std::string> read_only;
  std::vector<std::string> read_write;  // also create, remove and rename inside

  // TCP ports that may be connected to / bound; no value: not restricted.
  std::optional<std::vector<std::uint16_t>> tcp_connect;
  std::optional<std::vector<std::uint16_t>> tcp_bind;

  // Name of a profile compiled in (builtin_profile_names()); empty: none.
  std::string seccomp;

  // Refuse to go on when the kernel lacks a part; otherwise the report names it.
  bool require_all = false;
};

struct SandboxReport {
  std::vector<std::string> applied;  // "no_new_privs", "landlock ABI 7: 2 read-only, 1 read-write", ...
  std::vector<std::string> lacking;  // what was asked for and this kernel cannot do, one sentence each

  std::string to_string() const;  // one line
};

core::Result<SandboxReport> sandbox_self(const SandboxSpec& spec);

// The seccomp profiles of rules/hardening that are compiled in.
std::vector<std::string> builtin_profile_names();

}  // namespace gatehouse::hardening
