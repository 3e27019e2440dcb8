#include "hardening/seccomp/install.h"

#include <fmt/format.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <thread>

namespace gatehouse::hardening {
namespace {

core::Error error_of(tl::unexpected<core::Error> e) {
  return std::move(e.value());
}

// Gives the descriptor of the listener, or -1 without one.
core::Result<int> set_filter(const Program& program, unsigned flags) {
  if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0)
    return core::fail_errno(errno, "prctl PR_SET_NO_NEW_PRIVS");
  std::vector<sock_filter> filter(program.size());
  std::memcpy(filter.data(), program.data(), program.size() * sizeof(sock_filter));
  sock_fprog argument{static_cast<unsigned short>(filter.size()), filter.data()};
  const long result = syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, flags, &argument);
  if (result < 0) return core::fail_errno(errno, "seccomp");
  return flags == 0 ? -1 : static_cast<int>(result);
}

bool asks(const Program& program) {
  return std::any_of(program.begin(), program.end(), [](const Instruction& i) {
    return BPF_CLASS(i.code) == BPF_RET && (i.k & SECCOMP_RET_ACTION_FULL) == SECCOMP_RET_USER_NOTIF;
  });
}

// Runs in the thread made before the filter, so it is not filtered itself. Lets exactly one call
// through; a second one cannot come, the caller being inside the first.
void let_one_through(int listener) {
  seccomp_notif asked{};
  if (ioctl(listener, SECCOMP_IOCTL_NOTIF_RECV, &asked) != 0) return;
  seccomp_notif_resp answer{};
  answer.id = asked.id;
  answer.flags = SECCOMP_USER_NOTIF_FLAG_CONTINUE;
  (void)ioctl(listener, SECCOMP_IOCTL_NOTIF_SEND, &answer);
}

// The file execvp would run: found before the filter is in force, which may not allow the search.
core::Result<std::string> find_program(const std::string& name) {
  if (name.find('/') != std::string::npos) {
    if (access(name.c_str(), X_OK) != 0) return core::fail_errno(errno, name);
    return name;
  }
  const char* path = std::getenv("PATH");
  std::string_view rest = path == nullptr ? "/usr/sbin:/usr/bin:/sbin:/bin" : path;
  while (!rest.empty()) {
    const std::string_view directory = rest.substr(0, rest.find(':'));
    rest.remove_prefix(std::min(rest.size(), directory.size() + 1));
    std::string candidate = std::string(directory.empty() ? "." : directory) + "/" + name;
    if (access(candidate.c_str(), X_OK) == 0) return candidate;
  }
  return core::fail(core::Errc::not_found, "no program `" + name + "` in PATH");
}

}  // namespace

core::Status install(const Program& program) {
  if (asks(program))
    return core::fail(core::Errc::invalid_input, "a launcher's filter cannot be installed on oneself");
  GH_TRY([[maybe_unused]] const int none, set_filter(program, 0));
  return {};
}

core::Error exec_filtered(const Program& program, const std::vector<std::string>& argv) {
  if (argv.empty()) return error_of(core::fail(core::Errc::invalid_input, "no program to run"));
  const core::Result<std::string> file = find_program(argv[0]);
  if (!file) return file.error();
  std::vector<char*> words;
  for (const std::string& word : argv) words.push_back(const_cast<char*>(word.c_str()));
  words.push_back(nullptr);

  if (asks(program)) {
    static std::atomic<int> listener{-1};
    // The thread waits by polling: a futex wake would be a call the filter may refuse.
    std::thread([] {
      while (listener.load() < 0) usleep(200);
      let_one_through(listener.load());
    }).detach();
    const core::Result<int> fd = set_filter(program, SECCOMP_FILTER_FLAG_NEW_LISTENER);
    if (!fd) return fd.error();
    listener.store(*fd);
  } else if (const core::Result<int> done = set_filter(program, 0); !done) {
    return done.error();
  }
  execv(file->c_str(), words.data());
  return error_of(core::fail_errno(errno, "execve " + *file));
}

}  // namespace gatehouse::hardening
