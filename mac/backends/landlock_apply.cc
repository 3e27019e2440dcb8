#include <dirent.h>
#include <fcntl.h>
#include <fmt/format.h>
#include <linux/openat2.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <memory>

#include "core/landlock.h"
#include "core/os.h"
#include "mac/backends/landlock_plan.h"

namespace gatehouse::mac {
namespace {

namespace landlock = core::landlock;
using core::Errc;
using core::fail;
using core::fail_errno;
using core::UniqueFd;

// Expansion is bounded: a directory with more entries than this is refused, not half done.
constexpr std::size_t kMaxExpanded = 20'000;

struct DirectoryCloser {
  void operator()(DIR* directory) const { closedir(directory); }
};

UniqueFd open_without_links(const char* path) {
  open_how how{};
  how.flags = O_PATH | O_CLOEXEC;  // with O_NOFOLLOW a link itself would be opened instead of refused
  how.resolve = RESOLVE_NO_SYMLINKS;
  return UniqueFd(static_cast<int>(syscall(SYS_openat2, AT_FDCWD, path, &how, sizeof(how))));
}

class Applier {
 public:
  Applier(landlock::Ruleset& ruleset, LandlockApplied& applied) : ruleset_(ruleset), applied_(applied) {}

  core::Status apply(const LandlockRule& rule) {
    const UniqueFd fd = open_without_links(rule.path.c_str());
    if (!fd.valid()) return leave_out(rule.path, errno);
    struct stat info {};
    if (fstat(fd.get(), &info) != 0) return fail_errno(errno, "fstat " + rule.path);
    const bool directory = S_ISDIR(info.st_mode);
    switch (rule.shape) {
      case LandlockRule::Shape::file:
        if (directory) {
          applied_.left_out.push_back(rule.path +
                                      " is a directory, but the policy names it as one file (write " +
                                      rule.path + "/**)");
          return {};
        }
        return allow(fd.get(), rule.rights, rule.path);
      case LandlockRule::Shape::entries:
        if (!directory) return {};
        return expand(fd.get(), rule, rule.path);
      case LandlockRule::Shape::tree:
        break;
    }
    if (rule.holes.empty() || !directory) return allow(fd.get(), rule.rights, rule.path);
    return expand(fd.get(), rule, rule.path);
  }

 private:
  core::Status leave_out(const std::string& path, int error) {
    if (error == ENOENT || error == ENOTDIR) {
      applied_.left_out.push_back(path + " is not there, so nothing is granted on it");
      return {};
    }
    if (error == ELOOP) {
      const std::unique_ptr<char, decltype(&std::free)> real(realpath(path.c_str(), nullptr), &std::free);
      applied_.left_out.push_back(fmt::format(
          "{} is reached through a symbolic link; what {} may be used for is decided by its own name", path,
          real ? real.get() : "its target"));
      return {};
    }
    return fail_errno(error, "opening " + path);
  }

  core::Status allow(int fd, std::uint64_t rights, const std::string& name) {
    GH_CHECK(ruleset_.allow_path(fd, rights, name));
    ++applied_.rules;
    return {};
  }

  // Gives every present entry of the directory its own rule, except the holes and, on the way to
  // one, the directories themselves.
  core::Status expand(int path_fd, const LandlockRule& rule, const std::string& name) {
    UniqueFd readable(openat(path_fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC));
    if (!readable.valid()) return fail_errno(errno, "listing " + name);
    const std::unique_ptr<DIR, DirectoryCloser> directory(fdopendir(readable.get()));
    if (!directory) return fail_errno(errno, "listing " + name);
    (void)readable.release();
    errno = 0;
    while (const dirent* entry = readdir(directory.get())) {
      if (std::strcmp(entry->d_name, ".") == 0 || std::strcmp(entry->d_name, "..") == 0) continue;
      if (++expanded_ > kMaxExpanded) {
        return fail(Errc::limit, fmt::format("{}: more than {} entries around the exceptions of the policy",
                                             name, kMaxExpanded));
      }
      GH_CHECK(expand_entry(path_fd, rule, entry->d_name, (name == "/" ? "" : name) + "/" + entry->d_name));
      errno = 0;
    }
    if (errno != 0) return fail_errno(errno, "listing " + name);
    return {};
  }

  core::Status expand_entry(int parent, const LandlockRule& rule, const char* entry,
                            const std::string& path) {
    const bool is_hole = std::find(rule.holes.begin(), rule.holes.end(), path) != rule.holes.end();
    if (is_hole) return {};
    const UniqueFd fd(openat(parent, entry, O_PATH | O_CLOEXEC | O_NOFOLLOW));
    if (!fd.valid()) return errno == ENOENT ? core::Status{} : fail_errno(errno, "opening " + path);
    struct stat info {};
    if (fstat(fd.get(), &info) != 0) return fail_errno(errno, "fstat " + path);
    if (S_ISLNK(info.st_mode)) return {};
    if (!S_ISDIR(info.st_mode)) return allow(fd.get(), rule.rights, path);
    if (rule.shape == LandlockRule::Shape::entries) return {};
    const bool on_the_way = std::any_of(rule.holes.begin(), rule.holes.end(),
                                        [&](const std::string& h) { return is_below(h, path); });
    return on_the_way ? expand(fd.get(), rule, path) : allow(fd.get(), rule.rights, path);
  }

  landlock::Ruleset& ruleset_;
  LandlockApplied& applied_;
  std::size_t expanded_ = 0;
};

}  // namespace

core::Result<LandlockApplied> apply_landlock(const LandlockPlan& plan) {
  GH_TRY(landlock::Ruleset ruleset,
         landlock::Ruleset::create({plan.filesystem, plan.network, plan.scopes}, plan.abi));
  LandlockApplied applied;
  Applier applier(ruleset, applied);
  for (const LandlockRule& rule : plan.rules) GH_CHECK(applier.apply(rule));
  for (const LandlockPort& port : plan.ports) GH_CHECK(ruleset.allow_port(port.port, port.rights));
  GH_CHECK(ruleset.restrict_self(plan.abi >= 7 ? landlock::kLogNewExec : 0));
  return applied;
}

}  // namespace gatehouse::mac
