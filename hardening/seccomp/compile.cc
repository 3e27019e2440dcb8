#include "hardening/seccomp/compile.h"

#include <fmt/format.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <seccomp.h>
#include <sys/mman.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdlib>
#include <memory>

#include "core/os.h"
#include "hardening/seccomp/conditions.h"

namespace gatehouse::hardening {
namespace {

using core::Errc;
using core::fail;
using core::fail_errno;

constexpr std::size_t kMaxAlternatives = 256;  // the profile parser has checked it
constexpr int kHighestTried = 1023;            // no architecture is near it

struct ContextDeleter {
  void operator()(void* context) const { seccomp_release(context); }
};
using Context = std::unique_ptr<void, ContextDeleter>;

// What the profile's action becomes under the options. Letting one exec through refuses the others,
// so a soak logs them all.
Action effective(const Action& action, const CompileOptions& options) {
  if (!options.log_only || action.kind == Action::Kind::allow) return action;
  return Action{Action::Kind::log, 0};
}

class Compiler {
 public:
  Compiler(const Profile& profile, const CompileOptions& options)
      : profile_(profile), options_(options), fallback_(effective(profile.fallback, options)) {}

  core::Result<Program> compile() {
    context_.reset(seccomp_init(return_value(fallback_)));
    if (!context_) return fail(Errc::system, "libseccomp could not start a filter");
    GH_CHECK(set(SCMP_FLTATR_ACT_BADARCH, SCMP_ACT_KILL_PROCESS));
    // Binary search over the call numbers.
    GH_CHECK(set(SCMP_FLTATR_CTL_OPTIMIZE, 2));
    Program program = prologue();
    for (const auto& [number, rule] : profile_.rules) {
      if (rule.when.is_always()) {
        GH_CHECK(add(number, rule.action));
      } else {
        GH_CHECK(emit_conditional(program, number, rule));
      }
    }
    for (const int number : profile_.exec_numbers) {
      GH_CHECK(add(number, profile_.decide(number, {}, options_.launching)));
    }
    GH_TRY(const Program exported, exported_program());
    program.insert(program.end(), exported.begin(), exported.end());
    if (program.size() > kMaxInstructions)
      return fail(Errc::limit, "the filter is longer than the kernel takes");
    return program;
  }

 private:
  core::Status set(scmp_filter_attr attribute, std::uint32_t value) {
    const int status = seccomp_attr_set(context_.get(), attribute, value);
    if (status != 0) return fail_errno(-status, "seccomp_attr_set");
    return {};
  }

  // libseccomp decides on the plain numbers.
  core::Status add(int number, const Action& wanted) {
    const Action action = effective(wanted, options_);
    if (action == fallback_) return {};  // it refuses a rule that says what the default says
    const int status = seccomp_rule_add_exact_array(context_.get(), return_value(action), number, 0, nullptr);
    if (status != 0) return fail_errno(-status, fmt::format("seccomp_rule_add for call {}", number));
    return {};
  }

  core::Status emit_conditional(Program& program, int number, const SyscallRule& rule) {
    GH_TRY(const std::vector<Conjunction> alternatives, rule.when.alternatives(kMaxAlternatives));
    emit_conditional_call(program, number, alternatives, return_value(effective(rule.action, options_)),
                          return_value(fallback_));
    return {};
  }

  core::Result<Program> exported_program() {
    const core::UniqueFd memory(memfd_create("seccomp", MFD_CLOEXEC));
    if (!memory.valid()) return fail_errno(errno, "memfd_create");
    const int status = seccomp_export_bpf(context_.get(), memory.get());
    if (status != 0) return fail_errno(-status, "seccomp_export_bpf");
    const off_t bytes = lseek(memory.get(), 0, SEEK_END);
    if (bytes <= 0 || bytes % static_cast<off_t>(sizeof(Instruction)) != 0) {
      return fail(Errc::system, fmt::format("libseccomp exported {} bytes", bytes));
    }
    Program program(static_cast<std::size_t>(bytes) / sizeof(Instruction));
    if (pread(memory.get(), program.data(), static_cast<std::size_t>(bytes), 0) != bytes) {
      return fail_errno(errno, "reading the exported filter");
    }
    return program;
  }

  // libseccomp has no ranges, and treats the number -1 as ordinary. So these come first: foreign
  // architecture, x32 and negative numbers are killed, numbers past the profile's newest get ENOSYS.
  Program prologue() const {
    constexpr std::uint16_t kLoad = BPF_LD | BPF_W | BPF_ABS;
    constexpr std::uint16_t kGreater = BPF_JMP | BPF_JGT | BPF_K;
    constexpr std::uint16_t kReturn = BPF_RET | BPF_K;
    constexpr std::uint32_t kNumberOffset = 0;
    constexpr std::uint32_t kArchOffset = 4;
    const Action unknown{Action::Kind::refuse, ENOSYS};
    return {
        {kLoad, 0, 0, kArchOffset},
        {BPF_JMP | BPF_JEQ | BPF_K, 1, 0, native_arch()},
        {kReturn, 0, 0, SECCOMP_RET_KILL_PROCESS},
        {kLoad, 0, 0, kNumberOffset},
        {kGreater, 0, 1, static_cast<std::uint32_t>(kMaxSyscall)},
        {kReturn, 0, 0, SECCOMP_RET_KILL_PROCESS},
        {kGreater, 0, 1, static_cast<std::uint32_t>(profile_.newest)},
        {kReturn, 0, 0, return_value(unknown)},
    };
  }

  const Profile& profile_;
  const CompileOptions& options_;
  Action fallback_;
  Context context_;
};

}  // namespace

const SyscallTable& native_syscalls() {
  static const SyscallTable table = [] {
    SyscallTable out;
    for (int number = 0; number <= kHighestTried; ++number) {
      char* name = seccomp_syscall_resolve_num_arch(SCMP_ARCH_NATIVE, number);
      if (name == nullptr) continue;
      out.numbers.emplace(name, number);
      out.newest = std::max(out.newest, number);
      std::free(name);  // NOLINT: libseccomp hands over malloc'ed memory
    }
    return out;
  }();
  return table;
}

core::Result<Program> compile(const Profile& profile, const CompileOptions& options) {
  return Compiler(profile, options).compile();
}

std::uint32_t expected_return(const Profile& profile, const CompileOptions& options, const CallData& call) {
  const Action kill{Action::Kind::kill, 0};
  if (call.arch != native_arch() || call.number < 0 || call.number > kMaxSyscall) return return_value(kill);
  const Action action = profile.decide(call.number, call.arguments, options.launching);
  const bool unknown = call.number > profile.newest;
  return return_value(unknown ? action : effective(action, options));
}

std::string allowed_text(const Profile& profile) {
  std::map<std::string, std::string> lines;
  for (const auto& [number, rule] : profile.rules) {
    std::string text = rule.name;
    if (rule.action.kind != Action::Kind::allow) text += ": " + rule.action.to_string();
    if (!rule.when.is_always()) text += " when " + rule.when.to_string();
    lines[rule.name] = std::move(text);
  }
  std::string out = fmt::format("profile {}: default {}, exec {}\n", profile.name,
                                profile.fallback.to_string(), to_string(profile.exec));
  for (const auto& [name, text] : lines) out += text + '\n';
  return out;
}

}  // namespace gatehouse::hardening
