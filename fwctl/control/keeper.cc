#include "fwctl/control/keeper.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <syslog.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <csignal>

#include "fwctl/control/change.h"
#include "fwctl/control/writer.h"

namespace gatehouse::fwctl {
namespace {

constexpr unsigned kPoll_us = 100'000;
constexpr unsigned kRetry_us = 200'000;

// Nothing of whoever started us: no terminal, no directory, no descriptors but `keep`.
void leave_everything(int keep) {
  for (const int s : {SIGHUP, SIGINT, SIGTERM, SIGPIPE, SIGTTIN, SIGTTOU, SIGTSTP}) std::signal(s, SIG_IGN);
  std::signal(SIGCHLD, SIG_DFL);
  sigset_t none;
  sigemptyset(&none);
  sigprocmask(SIG_SETMASK, &none, nullptr);
  if (chdir("/") != 0) _exit(1);
  const int null = ::open("/dev/null", O_RDWR);
  for (int fd = 0; fd < 3; ++fd) dup2(null, fd);
  if (keep > 3) close_range(3, static_cast<unsigned>(keep) - 1, 0);
  close_range(static_cast<unsigned>(std::max(keep, 2)) + 1, ~0U, 0);
  // The last to be killed when memory runs out.
  if (const int fd = ::open("/proc/self/oom_score_adj", O_WRONLY | O_CLOEXEC); fd >= 0) {
    (void)!write(fd, "-1000", 5);
    close(fd);
  }
}

// An entry that cannot be read is waited for, a minute: only when the journal is gone nothing can be done.
bool is_pending(const Journal& journal, std::uint64_t id) {
  for (int i = 0; i < 600; ++i) {
    if (const auto entry = journal.entry(id)) return entry->state == EntryState::pending;
    usleep(kPoll_us);
  }
  return false;
}

// Ends when the entry is no longer pending.
void wait_and_take_back(const Journal& journal, std::uint64_t id, const std::string& run_directory) {
  const std::string boot = boot_id();
  while (is_pending(journal, id)) {
    const auto entry = journal.entry(id);
    if (!entry || !entry->overdue(boottime_us(), boot)) {
      usleep(kPoll_us);
      continue;
    }
    std::optional<Writer> writer;
    const OpenKernel open = [&]() -> core::Result<Kernel*> {
      GH_TRY(writer, open_writer(run_directory));
      return &writer->kernel;
    };
    const auto done = take_back_overdue(open, journal, fmt::format("its keeper, pid {}", getpid()));
    if (done && *done) {
      syslog(LOG_WARNING, "fwctl: change %llu was not confirmed in time and is taken back",
             static_cast<unsigned long long>(id));
    } else if (!done) {
      syslog(LOG_ERR, "fwctl: change %llu cannot be taken back: %s", static_cast<unsigned long long>(id),
             done.error().to_string().c_str());
      usleep(kRetry_us);
    }
  }
}

[[noreturn]] void watch(const Journal& journal, std::uint64_t id, const std::string& run_directory) {
  while (is_pending(journal, id)) {
    const pid_t child = fork();
    if (child == 0) {
      wait_and_take_back(journal, id, run_directory);
      _exit(0);
    }
    if (child < 0) {  // then do it ourselves
      wait_and_take_back(journal, id, run_directory);
      break;
    }
    int status = 0;
    while (waitpid(child, &status, 0) < 0 && errno == EINTR) {
    }
  }
  _exit(0);
}

}  // namespace

core::Result<std::uint64_t> start_keeper(const Journal& journal, std::uint64_t id,
                                         const std::string& run_directory) {
  int ready[2];
  if (pipe2(ready, O_CLOEXEC) != 0)
    return core::fail_errno(errno, "start the process that takes the change back");
  core::UniqueFd from(ready[0]);
  core::UniqueFd to(ready[1]);
  const pid_t first = fork();
  if (first < 0) return core::fail_errno(errno, "start the process that takes the change back");
  if (first == 0) {
    // A new session, and not its leader: no terminal can ever become ours.
    if (setsid() < 0) _exit(1);
    const pid_t second = fork();
    if (second != 0) _exit(second < 0 ? 1 : 0);
    leave_everything(to.get());
    prctl(PR_SET_NAME, "fwctl-keeper");
    const pid_t self = getpid();
    if (write(to.get(), &self, sizeof self) != sizeof self) _exit(1);
    close(to.release());
    watch(journal, id, run_directory);
  }
  to.reset();
  int status = 0;
  while (waitpid(first, &status, 0) < 0 && errno == EINTR) {
  }
  pid_t pid = 0;
  const ssize_t got = read(from.get(), &pid, sizeof pid);
  if (status != 0 || got != sizeof pid)
    return core::fail(core::Errc::system, "the process that takes the change back did not start");
  return static_cast<std::uint64_t>(pid);
}

}  // namespace gatehouse::fwctl
