// Installs filters in children and looks at what the kernel then answers.
#include "hardening/seccomp/install.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <csignal>

#include "hardening/seccomp/compile.h"

namespace gatehouse::hardening {
namespace {

#ifndef GATEHOUSE_SANITIZED  // a sanitizer's own threads and calls are not in the profile
constexpr const char* kShellProfile =
    "profile: shell\ndefault: EPERM\nexec: EXEC\n"
    "allow: [brk, mmap, mprotect, munmap, madvise, access, openat, open, close, read, pread64, write, fstat, "
    "newfstatat, stat, lstat,\n"
    "  arch_prctl, set_tid_address, set_robust_list, rseq, prlimit64, getrandom, rt_sigaction, "
    "rt_sigprocmask,\n"
    "  rt_sigreturn, getpid, getppid, getuid, geteuid, getgid, getegid, fcntl, dup2, getcwd, ioctl, uname, "
    "futex,\n"
    "  sysinfo, sigaltstack, exit, exit_group, gettid, lseek, statfs, prctl]\n";

// Runs the shell text under the profile with the given exec mode; gives its exit status.
int run_shell(const std::string& exec_mode, const std::string& text) {
  std::string profile_text = kShellProfile;
  profile_text.replace(profile_text.find("EXEC"), 4, exec_mode);
  core::Diagnostics diagnostics;
  const auto profile = parse_profile(core::SourceText("p", profile_text), native_syscalls(), diagnostics);
  EXPECT_TRUE(profile) << diagnostics.render_all();
  const auto program = compile(profile.value_or(Profile{}), {true, false});
  EXPECT_TRUE(program);
  const pid_t child = fork();
  if (child == 0) {
    const int none = open("/dev/null", O_RDWR);
    (void)dup2(none, STDERR_FILENO);
    (void)exec_filtered(*program, {"/bin/sh", "-c", text});
    _exit(251);
  }
  int status = 0;
  EXPECT_EQ(waitpid(child, &status, 0), child);
  return WIFEXITED(status) ? WEXITSTATUS(status) : 256 + WTERMSIG(status);
}

TEST(ExecFiltered, OnceStartsTheProgramAndNoOther) {
  EXPECT_EQ(run_shell("once", "exit 7"), 7);
  // dash says 126 when an exec fails with anything but ENOENT.
  EXPECT_EQ(run_shell("once", "exec /bin/true"), 126);
  EXPECT_EQ(run_shell("always", "exec /bin/true"), 0) << "control: the profile otherwise allows it";
}
#endif

TEST(ExecFiltered, NamesAMissingProgram) {
  const core::Error error = exec_filtered({}, {"gh-no-such-program"});
  EXPECT_EQ(error.code, core::Errc::not_found);
}

TEST(Install, RefusesALaunchersFilter) {
  core::Diagnostics diagnostics;
  const auto profile =
      parse_profile(core::SourceText("p", "profile: p\ndefault: EPERM\nexec: once\nallow: [read]\n"),
                    native_syscalls(), diagnostics);
  ASSERT_TRUE(profile);
  const auto program = compile(*profile, {true, false});
  ASSERT_TRUE(program);
  EXPECT_FALSE(install(*program));
}

TEST(Install, KernelAnswersAsTheProfileSays) {
  core::Diagnostics diagnostics;
  const auto profile =
      parse_profile(core::SourceText("p",
                                     "profile: p\ndefault: EXDEV\nnewest-syscall: statx\nexec: never\n"
                                     "allow: [write, exit_group, exit, rt_sigprocmask, mmap, munmap, "
                                     "mprotect, madvise, futex, sigaltstack]\n"
                                     "when: [{syscalls: [lseek], arguments: [{argument: 2, one-of: [1]}]}]\n"
                                     "refuse: [{syscalls: [getpgrp], action: kill}]\n"),
                    native_syscalls(), diagnostics);
  ASSERT_TRUE(profile) << diagnostics.render_all();
  const auto program = compile(*profile, {});
  ASSERT_TRUE(program);
  const auto in_child = [&](int which) {
    const pid_t child = fork();
    if (child == 0) {
      if (!install(*program)) _exit(251);
      errno = 0;
      if (which == 1) (void)lseek(0, 0, SEEK_CUR);
      if (which == 2) (void)lseek(0, 0, SEEK_END);
      if (which == 3) (void)syscall(434, 0, 0);  // pidfd_open is newer than statx
      if (which == 4) (void)getpgrp();
      if (which == 0) (void)syscall(110);  // getppid
      _exit(errno);
    }
    int status = 0;
    EXPECT_EQ(waitpid(child, &status, 0), child);
    return WIFEXITED(status) ? WEXITSTATUS(status) : 256 + WTERMSIG(status);
  };
  EXPECT_EQ(in_child(0), EXDEV);
  EXPECT_NE(in_child(1), EXDEV);
  EXPECT_EQ(in_child(2), EXDEV);
  EXPECT_EQ(in_child(3), ENOSYS);
  EXPECT_EQ(in_child(4), 256 + SIGSYS);
}

}  // namespace
}  // namespace gatehouse::hardening
