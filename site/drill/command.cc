#include "site/drill/command.h"

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <cerrno>

#include "core/os.h"

namespace gatehouse::drill {
namespace {

using core::UniqueFd;

struct Pipe {
  UniqueFd read, write;
};

core::Result<Pipe> make_pipe() {
  std::array<int, 2> ends{};
  if (pipe2(ends.data(), O_CLOEXEC) != 0) return core::fail_errno(errno, "pipe");
  return Pipe{UniqueFd(ends[0]), UniqueFd(ends[1])};
}

// Between fork and exec only async-signal-safe calls.
[[noreturn]] void become(char* const* argv, int input, int output, int report) {
  setpgid(0, 0);
  prctl(PR_SET_PDEATHSIG, SIGKILL);
  dup2(input, STDIN_FILENO);
  dup2(output, STDOUT_FILENO);
  dup2(output, STDERR_FILENO);
  // The writer of a closed pipe must end, whatever we ignore.
  signal(SIGPIPE, SIG_DFL);
  execvp(argv[0], argv);
  int err = errno;
  [[maybe_unused]] auto n = write(report, &err, sizeof err);
  _exit(127);
}

void append_limited(std::string& out, std::string_view piece, std::size_t limit) {
  if (out.size() < limit) out.append(piece.substr(0, limit - out.size()));
}

// Moves input in and output out until the program closes its output or the time is over.
// Returns false at the time limit.
bool converse(UniqueFd input, const UniqueFd& output, const CommandOptions& options, CommandResult& result) {
  std::string_view left = options.input;
  if (left.empty()) input.reset();
  const std::int64_t deadline = core::monotonic_us() + options.limit.count() * 1000;
  std::array<char, 65536> buffer;
  for (;;) {
    const std::int64_t wait_us = deadline - core::monotonic_us();
    if (wait_us <= 0) return false;
    std::array<pollfd, 2> fds{{{output.get(), POLLIN, 0}, {input.get(), POLLOUT, 0}}};
    int ready = poll(fds.data(), fds.size(), static_cast<int>(wait_us / 1000) + 1);
    if (ready < 0 && errno != EINTR) return false;
    if (ready <= 0) continue;
    if (fds[1].revents != 0) {
      ssize_t n = write(input.get(), left.data(), left.size());
      if (n < 0 && errno != EAGAIN && errno != EINTR) {
        input.reset();
      } else if (n > 0) {
        left.remove_prefix(static_cast<std::size_t>(n));
        if (left.empty()) input.reset();
      }
    }
    if (fds[0].revents != 0) {
      ssize_t n = read(output.get(), buffer.data(), buffer.size());
      if (n == 0) return true;
      if (n > 0)
        append_limited(result.output, {buffer.data(), static_cast<std::size_t>(n)}, options.output_limit);
    }
  }
}

// Waits for the end, at most until the deadline; then kills the group.
void reap(pid_t pid, bool in_time, CommandResult& result) {
  int status = 0;
  for (int tries = 0; in_time && tries < 200; ++tries) {
    if (waitpid(pid, &status, WNOHANG) == pid) {
      result.exit_status = WIFEXITED(status) ? WEXITSTATUS(status) : -1;
      result.signal = WIFSIGNALED(status) ? WTERMSIG(status) : 0;
      kill(-pid, SIGKILL);  // whatever it left behind
      return;
    }
    usleep(10'000);
  }
  result.timed_out = true;
  kill(-pid, SIGKILL);
  while (waitpid(pid, &status, 0) < 0 && errno == EINTR) {
  }
}

}  // namespace

core::Result<CommandResult> run_command(const std::vector<std::string>& argv, const CommandOptions& options) {
  if (argv.empty()) return core::fail(core::Errc::invalid_input, "no command to run");
  std::vector<char*> words;
  for (const auto& word : argv) words.push_back(const_cast<char*>(word.c_str()));
  words.push_back(nullptr);
  GH_TRY(Pipe input, make_pipe());
  GH_TRY(Pipe output, make_pipe());
  GH_TRY(Pipe report, make_pipe());
  fcntl(input.write.get(), F_SETFL, O_NONBLOCK);
  signal(SIGPIPE, SIG_IGN);

  CommandResult result;
  result.start_us = core::wall_clock_us();
  pid_t pid = fork();
  if (pid < 0) return core::fail_errno(errno, "fork");
  if (pid == 0) become(words.data(), input.read.get(), output.write.get(), report.write.get());
  setpgid(pid, pid);
  input.read.reset();
  output.write.reset();
  report.write.reset();
  int exec_error = 0;
  if (read(report.read.get(), &exec_error, sizeof exec_error) == sizeof exec_error) {
    waitpid(pid, nullptr, 0);
    return core::fail_errno(exec_error, "run " + argv[0]);
  }
  const bool in_time = converse(std::move(input.write), output.read, options, result);
  reap(pid, in_time, result);
  result.end_us = core::wall_clock_us();
  return result;
}

}  // namespace gatehouse::drill
