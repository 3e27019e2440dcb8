#include "fwctl/replay/ruleset_file.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <net/if.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>

#include "core/os.h"
#include "fwctl/replay/replay.h"

namespace gatehouse::fwctl {
namespace {

using core::Errc;
using core::fail;

constexpr std::size_t kMostSaid = 4096;

struct Said {
  int status = 0;  // of waitpid()
  std::string text;
};

// nft itself, as there is no other reader of its language.
core::Result<Said> run_nft(const std::string& path) {
  int ends[2];
  if (pipe2(ends, O_CLOEXEC) != 0) return core::fail_errno(errno, "make a pipe");
  const core::UniqueFd from(ends[0]);
  core::UniqueFd to(ends[1]);
  const pid_t child = fork();
  if (child < 0) return core::fail_errno(errno, "start nft");
  if (child == 0) {
    const int nothing = open("/dev/null", O_RDWR | O_CLOEXEC);
    dup2(nothing, STDIN_FILENO);
    dup2(nothing, STDOUT_FILENO);
    dup2(to.get(), STDERR_FILENO);
    execlp("nft", "nft", "-f", path.c_str(), nullptr);
    (void)!write(STDERR_FILENO, "there is no nft to read it with", 31);
    _exit(127);
  }
  to.reset();
  Said out;
  char buffer[1024];
  for (;;) {
    const ssize_t got = read(from.get(), buffer, sizeof buffer);
    if (got < 0 && errno == EINTR) continue;
    if (got <= 0) break;
    if (out.text.size() < kMostSaid) out.text.append(buffer, static_cast<std::size_t>(got));
  }
  while (waitpid(child, &out.status, 0) < 0 && errno == EINTR) {
  }
  while (!out.text.empty() && out.text.back() == '\n') out.text.pop_back();
  return out;
}

}  // namespace

core::Result<RulesetFile> load_ruleset_file(const std::string& path,
                                            const std::vector<std::string>& interfaces) {
  GH_TRY(const std::string text, core::read_file(path));
  const std::size_t first = text.find_first_not_of(" \t\r\n");
  // nft 1.0.6 refuses what it lists itself as JSON: maps come before the chains that they lead to.
  if (first != std::string::npos && text[first] == '{')
    return fail(Errc::unsupported,
                path + " is JSON; what is read here is text, as `nft list ruleset` writes it");
  GH_CHECK(Replay::enter_namespace());
  RulesetFile out;
  for (const std::string& name : interfaces) out.interfaces.emplace_back(name, 0);
  GH_TRY(const Replay there, Replay::make(out.interfaces));  // they end with it
  out.interfaces.emplace_back("lo", 0);
  for (auto& [name, index] : out.interfaces) index = if_nametoindex(name.c_str());
  GH_TRY(const Said said, run_nft(path));
  if (WIFSIGNALED(said.status))
    return fail(Errc::system, fmt::format("nft ended by signal {} on {}", WTERMSIG(said.status), path));
  if (WEXITSTATUS(said.status) == 127) return fail(Errc::system, said.text);
  if (WEXITSTATUS(said.status) != 0) {
    core::Error error{Errc::invalid_input, fmt::format("nft refuses {}:\n{}", path, said.text), {}};
    if (said.text.find("Interface does not exist") != std::string::npos)
      error.text +=
          "\n(rules compare its index: let a zone of the policy have it, or write iifname and oifname)";
    return tl::make_unexpected(std::move(error));
  }
  GH_TRY(Kernel kernel, Kernel::open());
  GH_TRY(out.ruleset, kernel.read_all());
  return out;
}

}  // namespace gatehouse::fwctl
