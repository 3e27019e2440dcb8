#include "soc/spool/segment_file.h"

#include <fcntl.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>

#include "soc/spool/format.h"
#include "soc/spool/segments.h"

namespace gatehouse::soc {

namespace {
constexpr std::uint64_t kMostReserveBytes = 1U << 20U;
}

core::Status SegmentWriter::begin(std::uint64_t first_sequence) {
  const std::string path = segment_path(directory_, next_index_);
  core::UniqueFd fd(
      ::open(path.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_APPEND | O_CLOEXEC | O_NOFOLLOW, 0640));
  if (!fd.valid()) return core::fail_errno(errno, "cannot create " + path);
  std::string header;
  append_segment_header(header, SegmentHeader{first_sequence, core::wall_clock_us()});
  core::Status status = core::write_all(fd.get(), header, path);
  const core::UniqueFd directory(::open(directory_.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  if (status && (!directory.valid() || ::fsync(directory.get()) != 0)) {
    status = core::fail_errno(errno, "cannot sync " + directory_);
  }
  if (!status) {
    ::unlink(path.c_str());
    return status;
  }
  fd_ = std::move(fd);
  bytes_ = header.size();
  ++next_index_;
  return {};
}

core::Status SegmentWriter::write(std::string_view bytes, std::size_t& written) {
  written = 0;
  while (written < bytes.size()) {
    const ssize_t n = ::write(fd_.get(), bytes.data() + written, bytes.size() - written);
    if (n < 0 && errno == EINTR) continue;
    if (n < 0) return core::fail_errno(errno, "cannot write to the spool " + directory_);
    written += static_cast<std::size_t>(n);
    bytes_ += static_cast<std::uint64_t>(n);
  }
  return {};
}

core::Status SegmentWriter::sync() {
  if (::fdatasync(fd_.get()) != 0) return core::fail_errno(errno, "cannot sync the spool " + directory_);
  return {};
}

core::Result<DiskRoom> measure_room(const std::string& directory, std::uint64_t cap_bytes) {
  GH_TRY(const auto files, list_segments(directory));
  DiskRoom out;
  for (const SegmentFile& file : files) out.used_bytes += file.bytes;
  struct statvfs info {};
  if (::statvfs(directory.c_str(), &info) != 0) return core::fail_errno(errno, "cannot measure " + directory);
  const std::uint64_t reachable = out.used_bytes + std::uint64_t{info.f_bavail} * info.f_frsize;
  out.limit_bytes = std::min(cap_bytes, reachable - std::min(kMostReserveBytes, reachable / 16));
  return out;
}

}  // namespace gatehouse::soc
