#include "core/control_group.h"

#include <sys/stat.h>

#include <algorithm>
#include <filesystem>
#include <sstream>

#include "core/os.h"

namespace gatehouse::core {
namespace {

constexpr std::size_t kMostPath = 1024;
constexpr std::ptrdiff_t kMostLevels = 255;
constexpr std::size_t kMostGroups = 100'000;

// The number of a directory of this file system is the group's (fs/kernfs: kernfs_ino()). 0: no directory.
std::uint64_t id_of(const std::string& directory) {
  struct stat s {};
  return stat(directory.c_str(), &s) == 0 && S_ISDIR(s.st_mode) ? s.st_ino : 0;
}

}  // namespace

// Documentation/filesystems/proc.rst 3.5: the fourth word is what is mounted of the file system, the fifth
// the mount point, the first behind the dash the type.
std::string control_group_root() {
  constexpr std::size_t kMost = 4U << 20U;
  const auto text = read_file("/proc/self/mountinfo", kMost);
  if (!text) return {};
  std::istringstream lines(*text);
  for (std::string line; std::getline(lines, line);) {
    std::istringstream words(line);
    std::string number, parent, device, root, point, word;
    words >> number >> parent >> device >> root >> point;
    while (words >> word && word != "-") {
    }
    words >> word;
    // A backslash stands for a byte that no usual mount point has.
    if (word == "cgroup2" && root == "/" && point.find('\\') == std::string::npos) return point;
  }
  return {};
}

bool is_control_group_path(std::string_view path) {
  const std::string framed = '/' + std::string(path) + '/';
  const bool odd =
      std::any_of(path.begin(), path.end(), [](char c) { return c < 0x20 || c == 0x7f || c == '"'; });
  return !path.empty() && path.size() <= kMostPath && !odd &&
         std::count(path.begin(), path.end(), '/') < kMostLevels && framed.find("//") == std::string::npos &&
         framed.find("/./") == std::string::npos && framed.find("/../") == std::string::npos;
}

std::vector<std::uint64_t> control_group_ids(const std::string& path) {
  std::vector<std::uint64_t> out;
  const std::string root = control_group_root();
  if (root.empty() || !is_control_group_path(path)) return out;
  for (std::size_t end = 0; end < path.size();) {
    end = std::min(path.find('/', end + 1), path.size());
    const std::uint64_t id = id_of(root + '/' + path.substr(0, end));
    if (id == 0) return {};
    out.push_back(id);
  }
  return out;
}

std::optional<std::string> control_group_path(std::uint64_t id) {
  const std::string root = control_group_root();
  if (root.empty()) return std::nullopt;
  std::error_code error;
  std::size_t seen = 0;
  // Groups that go away meanwhile end the search early, which is an answer of its time.
  for (auto at = std::filesystem::recursive_directory_iterator(root, error);
       !error && at != std::filesystem::recursive_directory_iterator(); at.increment(error)) {
    std::error_code unknown;
    if (!at->is_directory(unknown)) continue;
    if (++seen > kMostGroups) break;
    if (id_of(at->path().string()) == id) return at->path().lexically_relative(root).string();
  }
  return std::nullopt;
}

}  // namespace gatehouse::core
