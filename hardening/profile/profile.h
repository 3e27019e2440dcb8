// A system call profile: what its YAML text says, checked and resolved to numbers. Immutable.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "core/diag.h"
#include "hardening/profile/expression.h"

namespace gatehouse::hardening {

// The system calls of one architecture, by name. The table comes from the seccomp module, so that
// a profile is checked against exactly what the compiler can emit.
struct SyscallTable {
  std::map<std::string, int, std::less<>> numbers;
  int newest = 0;  // highest number in the table
};

struct Action {
  enum class Kind : std::uint8_t { allow, refuse, kill, log, ask_once };

  Kind kind = Kind::kill;
  int error_number = 0;  // refuse

  std::string to_string() const;  // "allow", "errno EPERM", "kill", ...
  friend bool operator==(const Action&, const Action&) = default;
};

// Whether the program may replace itself. A filter is in force before the execve that starts the
// program, so "never" is only for a process that restricts itself.
enum class ExecMode : std::uint8_t {
  never,  // execve and execveat get the default action
  once,   // the first one is let through by the launcher, every later one fails with ENOSYS
  always,
};
std::string_view to_string(ExecMode mode);

// Calls numbered past the profile's newest get ENOSYS: the C library then takes the older call.
inline constexpr int kMaxSyscall = 0x3fffffff;  // above it: the x32 bit of x86-64, always killed

struct SyscallRule {
  std::string name;
  Expression when;  // else the default action
  Action action;
  core::SourcePos where;
};

struct Profile {
  std::string name;
  std::string summary;
  Action fallback;
  ExecMode exec = ExecMode::once;
  int newest = 0;
  std::map<int, SyscallRule> rules;
  std::vector<int> exec_numbers;  // execve, execveat
  core::SourcePos where;

  // What the profile says of a call made by the native architecture. `launching`: the filter is
  // for a program that is about to be started, so ExecMode::once means ask_once.
  Action decide(int number, const Arguments& arguments, bool launching) const;
};

// Parses and checks the text; nothing when there is any error.
std::optional<Profile> parse_profile(const core::SourceText& source, const SyscallTable& table,
                                     core::Diagnostics& diagnostics);

// Error number of "EPERM"; nothing for a name the C library does not know.
std::optional<int> parse_errno_name(std::string_view name);
// Value of a named argument constant (AF_INET, CLONE_NEWUSER, PR_SET_NAME, ...) or a number,
// decimal or 0x; nothing when it is neither.
std::optional<std::uint64_t> parse_argument_value(std::string_view word);
// For hints.
const std::vector<std::string>& argument_constant_names();

}  // namespace gatehouse::hardening
