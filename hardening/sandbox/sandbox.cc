#include <fcntl.h>
#include <fmt/format.h>
#include <sched.h>
#include <sys/prctl.h>

#include <cerrno>

#include "core/landlock.h"
#include "core/os.h"
#include "hardening/api.h"
#include "hardening/sandbox/privileges.h"
#include "hardening/seccomp/compile.h"
#include "hardening/seccomp/install.h"

namespace gatehouse::hardening {
namespace {

using core::Errc;
using core::fail;
using core::fail_errno;
namespace landlock = core::landlock;

constexpr std::uint64_t kReadOnly = landlock::kReadFile | landlock::kReadDir;
constexpr std::uint64_t kReadWrite = kReadOnly | landlock::kWriteFile | landlock::kTruncate |
                                     landlock::kMakeReg | landlock::kMakeDir | landlock::kMakeSock |
                                     landlock::kRemoveFile | landlock::kRemoveDir | landlock::kRefer;

// unshare(2): CLONE_VM and CLONE_SIGHAND are refused with EINVAL in a process with several threads
// and do nothing in one with a single thread. Needs no /proc.
bool is_single_threaded() {
  return unshare(CLONE_VM | CLONE_SIGHAND) == 0;
}

core::Status allow_paths(landlock::Ruleset& ruleset, const std::vector<std::string>& paths,
                         std::uint64_t rights) {
  for (const std::string& path : paths) {
    const core::UniqueFd fd(open(path.c_str(), O_PATH | O_CLOEXEC));
    if (!fd.valid()) return fail_errno(errno, "opening " + path + " for the sandbox");
    GH_CHECK(ruleset.allow_path(fd.get(), rights, path));
  }
  return {};
}

bool wants_landlock(const SandboxSpec& spec) {
  return spec.restrict_files || spec.tcp_connect || spec.tcp_bind;
}

// What the kernel's ABI leaves open of what the spec asks for.
void report_landlock_gaps(const SandboxSpec& spec, int abi, SandboxReport& report) {
  const auto lacks = [&](int needed, const char* what) {
    if (abi < needed)
      report.lacking.push_back(
          fmt::format("{} (needs Landlock ABI {}, this kernel has {})", what, needed, abi));
  };
  if (spec.restrict_files) lacks(1, "files are not restricted");
  if (spec.restrict_files && abi >= 1) lacks(3, "truncation of files is not restricted");
  if (spec.tcp_connect || spec.tcp_bind) lacks(4, "TCP ports are not restricted");
  if (spec.restrict_files && abi >= 1) lacks(5, "device ioctls are not restricted");
  lacks(6, "signals and abstract sockets to other processes are not restricted");
}

core::Result<std::optional<landlock::Ruleset>> build_ruleset(const SandboxSpec& spec, int abi) {
  landlock::Handled handled;
  if (spec.restrict_files) handled.filesystem = landlock::filesystem_rights(abi);
  if (abi >= 4 && spec.tcp_bind) handled.network |= landlock::kBindTcp;
  if (abi >= 4 && spec.tcp_connect) handled.network |= landlock::kConnectTcp;
  if (abi >= 6) handled.scopes = landlock::kScopeAbstractUnix | landlock::kScopeSignal;
  if (handled.filesystem == 0 && handled.network == 0 && handled.scopes == 0)
    return std::optional<landlock::Ruleset>();
  GH_TRY(landlock::Ruleset ruleset, landlock::Ruleset::create(handled, abi));
  GH_CHECK(allow_paths(ruleset, spec.read_only, kReadOnly));
  GH_CHECK(allow_paths(ruleset, spec.read_write, kReadWrite));
  for (const std::uint16_t port : spec.tcp_bind.value_or(std::vector<std::uint16_t>{})) {
    GH_CHECK(ruleset.allow_port(port, landlock::kBindTcp));
  }
  for (const std::uint16_t port : spec.tcp_connect.value_or(std::vector<std::uint16_t>{})) {
    GH_CHECK(ruleset.allow_port(port, landlock::kConnectTcp));
  }
  return std::optional<landlock::Ruleset>(std::move(ruleset));
}

std::string describe_landlock(const SandboxSpec& spec, int abi) {
  std::string out = fmt::format("landlock ABI {}", abi);
  if (spec.restrict_files) {
    out += fmt::format(": {} read-only, {} read-write", spec.read_only.size(), spec.read_write.size());
  }
  if (abi >= 4 && spec.tcp_connect) out += fmt::format(", {} connect ports", spec.tcp_connect->size());
  if (abi >= 4 && spec.tcp_bind) out += fmt::format(", {} bind ports", spec.tcp_bind->size());
  return out;
}

core::Result<Program> compile_builtin(const std::string& name) {
  GH_TRY(const Profile profile, builtin_profile(name));
  return compile(profile, CompileOptions{});
}

}  // namespace

std::string SandboxReport::to_string() const {
  std::string out = "sandbox: " + fmt::format("{}", fmt::join(applied, "; "));
  if (!lacking.empty()) out += "; LACKING: " + fmt::format("{}", fmt::join(lacking, "; "));
  return out;
}

std::vector<std::string> builtin_profile_names() {
  std::vector<std::string> out;
  for (const auto& [name, text] : builtin_profile_texts()) out.push_back(name);
  return out;
}

core::Result<SandboxReport> sandbox_self(const SandboxSpec& spec) {
  if (!is_single_threaded()) {
    return fail(Errc::invalid_input,
                spec.name + ": the sandbox must be entered before the first thread is started");
  }
  if (!spec.restrict_files && (!spec.read_only.empty() || !spec.read_write.empty())) {
    return fail(Errc::invalid_input, spec.name + ": paths are given but files are not to be restricted");
  }
  // Everything that can fail for a wrong spec comes before the first irrevocable step.
  SandboxReport report;
  GH_TRY(const std::optional<Identity> identity, resolve_identity(spec.user, spec.uid, spec.gid));
  std::optional<Program> program;
  if (!spec.seccomp.empty()) {
    GH_TRY(program, compile_builtin(spec.seccomp));
  }
  const int abi = landlock::kernel_abi();
  std::optional<landlock::Ruleset> ruleset;
  if (wants_landlock(spec)) {
    report_landlock_gaps(spec, abi, report);
    GH_TRY(ruleset, build_ruleset(spec, abi));
  }
  if (spec.require_all && !report.lacking.empty()) {
    return fail(Errc::system, spec.name + ": " + report.lacking.front());
  }

  if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0) return fail_errno(errno, "prctl PR_SET_NO_NEW_PRIVS");
  report.applied.emplace_back("no_new_privs");
  GH_TRY(std::string privileges, drop_privileges(identity, spec.keep_capabilities));
  report.applied.push_back(std::move(privileges));
  if (ruleset) {
    GH_CHECK(ruleset->restrict_self());
    report.applied.push_back(describe_landlock(spec, abi));
  }
  if (program) {
    GH_CHECK(install(*program));
    report.applied.push_back(fmt::format("seccomp {}: {} instructions", spec.seccomp, program->size()));
  }
  return report;
}

}  // namespace gatehouse::hardening
