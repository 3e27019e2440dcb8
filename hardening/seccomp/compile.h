// Profile to BPF. The only includer of libseccomp is compile.cc.
#pragma once

#include "core/result.h"
#include "hardening/profile/profile.h"
#include "hardening/seccomp/program.h"

namespace gatehouse::hardening {

struct CompileOptions {
  // The filter is for a program that the launcher starts (see launch.h).
  bool launching = false;
  // Everything the profile would refuse is allowed and logged by the kernel: for a soak before
  // enforcing. Foreign architectures are still killed.
  bool log_only = false;
};

// The system calls of this build's architecture as far as libseccomp knows them.
const SyscallTable& native_syscalls();

core::Result<Program> compile(const Profile& profile, const CompileOptions& options);
// What the compiled program must answer; the reference of the tests and of `harden check`.
std::uint32_t expected_return(const Profile& profile, const CompileOptions& options, const CallData& call);

// A call for which program and profile disagree, if there is one: every system call number up to
// past the newest, each with all argument values at which a condition of the profile can change its
// mind, then foreign architectures and x32. Also refuses a program the kernel would refuse.
struct Disagreement {
  CallData call;
  std::uint32_t program_says = 0;
  std::uint32_t profile_says = 0;
};
struct Proof {
  std::size_t calls_tried = 0;
  std::vector<Disagreement> disagreements;  // at most the first ten
};
core::Result<Proof> prove(const Profile& profile, const CompileOptions& options, const Program& program);

// One line for each call the profile lets through: "read", "socket when (a0 & ...) == 0x1", ...;
// then what is refused in its own way. Sorted by name; the form of `harden show` and of the
// *.expected files beside the shipped profiles.
std::string allowed_text(const Profile& profile);

// Profiles compiled in: name to text.
const std::vector<std::pair<std::string, std::string>>& builtin_profile_texts();
// Parses and compiles one of them.
core::Result<Profile> builtin_profile(std::string_view name);
// A profile given on a command line: a file when it has a slash or ends in .yaml, else a built-in name.
core::Result<std::optional<Profile>> load_profile(const std::string& name_or_path,
                                                  core::Diagnostics& diagnostics);

}  // namespace gatehouse::hardening
