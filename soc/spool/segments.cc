#include "soc/spool/segments.h"

#include <dirent.h>
#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <charconv>
#include <memory>

#include "core/os.h"

namespace gatehouse::soc {

namespace {

constexpr std::string_view kSuffix = ".seg";

struct CloseDirectory {
  void operator()(DIR* directory) const { ::closedir(directory); }
};
using Directory = std::unique_ptr<DIR, CloseDirectory>;

// The index in "<16 hex digits>.seg"; false for any other name.
bool parse_name(std::string_view name, std::uint64_t& index) {
  if (name.size() != 16 + kSuffix.size() || name.substr(16) != kSuffix) return false;
  const auto [end, error] = std::from_chars(name.data(), name.data() + 16, index, 16);
  return error == std::errc{} && end == name.data() + 16;
}

}  // namespace

bool valid_stream_name(std::string_view name) {
  if (name.empty() || name.size() > 32 || name.front() == '-') return false;
  return std::all_of(name.begin(), name.end(),
                     [](char c) { return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '-'; });
}

std::string stream_directory(const std::string& spool, std::string_view stream) {
  return spool + "/" + std::string(stream);
}

std::string segment_path(const std::string& directory, std::uint64_t index) {
  return fmt::format("{}/{:016x}{}", directory, index, kSuffix);
}

core::Result<std::vector<SegmentFile>> list_segments(const std::string& directory) {
  const Directory open(::opendir(directory.c_str()));
  if (!open) return core::fail_errno(errno, "cannot list " + directory);
  std::vector<SegmentFile> out;
  while (const dirent* entry = ::readdir(open.get())) {
    SegmentFile file;
    if (!parse_name(entry->d_name, file.index)) continue;
    struct stat info {};
    // The forwarder may unlink between readdir and stat.
    if (::fstatat(::dirfd(open.get()), entry->d_name, &info, AT_SYMLINK_NOFOLLOW) != 0) continue;
    if (!S_ISREG(info.st_mode)) continue;
    file.bytes = static_cast<std::uint64_t>(info.st_size);
    out.push_back(file);
  }
  std::sort(out.begin(), out.end(),
            [](const SegmentFile& a, const SegmentFile& b) { return a.index < b.index; });
  return out;
}

core::Result<std::vector<std::string>> list_streams(const std::string& spool) {
  const Directory open(::opendir(spool.c_str()));
  if (!open) {
    if (errno == ENOENT) return std::vector<std::string>{};
    return core::fail_errno(errno, "cannot list " + spool);
  }
  std::vector<std::string> out;
  while (const dirent* entry = ::readdir(open.get())) {
    struct stat info {};
    if (!valid_stream_name(entry->d_name)) continue;
    if (::fstatat(::dirfd(open.get()), entry->d_name, &info, AT_SYMLINK_NOFOLLOW) != 0) continue;
    if (S_ISDIR(info.st_mode)) out.emplace_back(entry->d_name);
  }
  std::sort(out.begin(), out.end());
  return out;
}

core::Result<std::size_t> remove_segments_below(const std::string& directory, std::uint64_t index) {
  GH_TRY(const auto files, list_segments(directory));
  std::size_t removed = 0;
  for (std::size_t i = 0; i + 1 < files.size() && files[i].index < index; ++i) {
    if (::unlink(segment_path(directory, files[i].index).c_str()) == 0) {
      ++removed;
    } else if (errno != ENOENT) {
      return core::fail_errno(errno, "cannot remove " + segment_path(directory, files[i].index));
    }
  }
  return removed;
}

}  // namespace gatehouse::soc
