#include "hardening/sshd/authority.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <random>
#include <vector>

#include "core/diag.h"
#include "core/os.h"

namespace gatehouse::hardening {
namespace {

using core::Errc;
using core::fail;
using core::fail_errno;

constexpr const char* kKeygen = "/usr/bin/ssh-keygen";

core::Status run_keygen(std::vector<std::string> arguments) {
  arguments.insert(arguments.begin(), kKeygen);
  std::vector<char*> words;
  for (std::string& word : arguments) words.push_back(word.data());
  words.push_back(nullptr);
  const pid_t child = fork();
  if (child < 0) return fail_errno(errno, "fork");
  if (child == 0) {
    // Nothing to ask and nobody to answer: a question becomes a failure instead of a hang.
    const int none = open("/dev/null", O_RDWR | O_CLOEXEC);
    if (none < 0 || dup2(none, STDIN_FILENO) < 0 || dup2(none, STDOUT_FILENO) < 0) _exit(126);
    const char* const environment[] = {"PATH=/usr/bin:/bin", "LC_ALL=C", nullptr};
    execve(kKeygen, words.data(), const_cast<char* const*>(environment));
    _exit(127);
  }
  int status = 0;
  while (waitpid(child, &status, 0) < 0) {
    if (errno != EINTR) return fail_errno(errno, "waitpid");
  }
  if (WIFEXITED(status) && WEXITSTATUS(status) == 0) return {};
  if (WIFEXITED(status) && WEXITSTATUS(status) == 127)
    return fail(Errc::system, std::string(kKeygen) + " is not installed");
  return fail(Errc::system, "ssh-keygen failed; its message is above");
}

bool is_plain_word(std::string_view word) {
  return !word.empty() && word.size() <= 64 && word[0] != '-' &&
         std::all_of(word.begin(), word.end(), [](char c) {
           return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '-' ||
                  c == '_' || c == '.';
         });
}

core::Status check_membership(const site::Site& site, const SignRequest& request) {
  const site::Role* role = site.find_role(request.role);
  if (role == nullptr) {
    std::vector<std::string> names;
    for (const site::Role& r : site.roles) names.push_back(r.name);
    const std::string hint = core::did_you_mean(request.role, names);
    return fail(Errc::not_found,
                "the site has no role `" + request.role + "`" + (hint.empty() ? "" : ": " + hint));
  }
  const site::Group* group = site.find_group(role->group);
  if (group != nullptr &&
      std::find(group->people.begin(), group->people.end(), request.person) != group->people.end())
    return {};
  return fail(Errc::permission,
              fmt::format("`{}` may not have the role `{}`: not in the group `{}`", request.person,
                          role->name, role->group),
              role->where);
}

// ssh-keygen wants a serial number; a random one is unique enough to revoke by and tells nothing.
std::uint64_t random_serial() {
  std::random_device device;
  return (std::uint64_t{device()} << 31U | device()) & 0x7fffffffffffffffU;
}

}  // namespace

core::Status init_authority(const std::string& directory) {
  GH_CHECK(core::make_directories(directory, 0700));
  if (chmod(directory.c_str(), 0700) != 0) return fail_errno(errno, "chmod " + directory);
  const std::string key = directory + "/user-ca";
  if (access(key.c_str(), F_OK) == 0)
    return fail(Errc::conflict, key + " exists; an authority is never overwritten");
  return run_keygen({"-q", "-t", "ed25519", "-N", "", "-C", "gatehouse user authority", "-f", key});
}

core::Result<std::string> sign_certificate(const site::Site& site, const SignRequest& request) {
  if (!is_plain_word(request.role) || !is_plain_word(request.person)) {
    return fail(Errc::invalid_input,
                "role and person must be plain words of letters, digits, `-`, `_` and `.`");
  }
  GH_CHECK(check_membership(site, request));
  constexpr std::uint64_t kSecond = 1'000'000;
  if (request.valid_us < 60 * kSecond || request.valid_us > kLongestValidityUs) {
    return fail(Errc::invalid_input, "a certificate is valid for at least 1m and at most 24h");
  }
  constexpr std::string_view kSuffix = ".pub";
  const std::string& key = request.public_key;
  if (key.size() <= kSuffix.size() || key.substr(key.size() - kSuffix.size()) != kSuffix) {
    return fail(Errc::invalid_input, "`" + key + "` is not named *.pub: is it a public key?");
  }
  GH_TRY(const std::string text, core::read_file(key, 64U << 10U));
  if (text.rfind("ssh-ed25519 ", 0) != 0 && text.rfind("sk-ssh-ed25519@openssh.com ", 0) != 0) {
    return fail(Errc::unsupported, key + ": only Ed25519 keys are signed (ssh-keygen -t ed25519)");
  }
  const std::string from_here = key[0] == '/' ? key : "./" + key;
  // The start lies a minute back for clocks that disagree.
  GH_CHECK(run_keygen({"-q", "-s", request.authority + "/user-ca", "-I", request.person + ":" + request.role,
                       "-n", request.role, "-V", fmt::format("-1m:+{}s", request.valid_us / kSecond), "-z",
                       std::to_string(random_serial()), "-O", "clear", "-O", "permit-pty", from_here}));
  return from_here.substr(0, from_here.size() - kSuffix.size()) + "-cert.pub";
}

}  // namespace gatehouse::hardening
