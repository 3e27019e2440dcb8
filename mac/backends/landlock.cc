#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>

#include "core/landlock.h"
#include "core/log.h"
#include "mac/backends/backend.h"
#include "mac/backends/landlock_plan.h"

namespace gatehouse::mac {
namespace {

using core::Errc;
using core::fail;

core::Result<int> choose_abi(const BackendOptions& options) {
  if (options.abi != 0) return options.abi;
  const int abi = core::landlock::kernel_abi();
  if (abi == 0)
    return fail(Errc::system, "this kernel has no Landlock; name the ABI to compile for with --abi");
  return abi;
}

core::Result<Compiled> compile(const Ir& ir, const IrDomain& domain, const BackendOptions& options) {
  GH_TRY(const int abi, choose_abi(options));
  LandlockPlan plan = plan_landlock(ir, domain, abi);
  return Compiled{plan.to_text(), std::move(plan.residuals)};
}

core::Result<int> run(const Ir& ir, const IrDomain& domain, const BackendOptions& options,
                      const std::vector<std::string>& accepted_gaps, bool strict,
                      const std::vector<std::string>& command) {
  if (options.abi != 0) return fail(Errc::invalid_input, "`mac run` uses the running kernel's ABI");
  GH_TRY(const int abi, choose_abi(options));
  const LandlockPlan plan = plan_landlock(ir, domain, abi);
  for (const Residual& r : plan.residuals) {
    if (std::find(accepted_gaps.begin(), accepted_gaps.end(), r.code) != accepted_gaps.end()) continue;
    return fail(Errc::unsupported,
                fmt::format("Landlock would be {} than the policy: {}; accept it with `accept-gaps: [{}]`",
                            to_string(r.kind), r.message, r.code),
                r.where);
  }
  GH_TRY(const LandlockApplied applied, apply_landlock(plan));
  for (const std::string& sentence : applied.left_out) {
    if (strict) return fail(Errc::system, sentence);
    core::log_debug("{}", sentence);
  }
  const std::string summary =
      fmt::format("domain `{}`: Landlock ABI {}, {} rules", domain.name, abi, applied.rules);
  if (applied.left_out.empty()) {
    core::log_debug("{}", summary);
  } else {
    core::log_info("{}; {} of the policy's paths are left out (--verbose names them)", summary,
                   applied.left_out.size());
  }
  std::vector<char*> words;
  for (const std::string& word : command) words.push_back(const_cast<char*>(word.c_str()));
  words.push_back(nullptr);
  execvp(words[0], words.data());
  const int error = errno;
  if (error == EACCES)
    return fail(Errc::permission, fmt::format("domain `{}` may not execute {}", domain.name, command[0]));
  return core::fail_errno(error, "execve " + command[0]);
}

}  // namespace

extern const Backend k_backend_landlock;
const Backend k_backend_landlock = {
    "landlock",
    "directory trees, files, TCP ports, signals; no transitions, no append-only, no UDP",
    "Linux 5.13 and later; TCP from 6.7, ioctl from 6.10, signals from 6.12",
    &compile,
    &run,
};

}  // namespace gatehouse::mac
