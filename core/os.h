// Files, descriptors and clocks, behind the smallest interface the tools need.
#pragma once

#include <sys/types.h>

#include <cstdint>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "core/result.h"

namespace gatehouse::core {

// Owns a file descriptor; closes it.
class UniqueFd {
 public:
  UniqueFd() = default;
  explicit UniqueFd(int fd) : fd_(fd) {}
  UniqueFd(UniqueFd&& other) noexcept : fd_(other.release()) {}
  UniqueFd& operator=(UniqueFd&& other) noexcept {
    if (this != &other) reset(other.release());
    return *this;
  }
  ~UniqueFd() { reset(); }

  int get() const { return fd_; }
  bool valid() const { return fd_ >= 0; }
  int release() { return std::exchange(fd_, -1); }
  void reset(int fd = -1);

 private:
  int fd_ = -1;
};

// The whole file; an error when it is larger than `limit_bytes`. "-" is standard input.
Result<std::string> read_file(const std::string& path, std::size_t limit_bytes = 64U << 20U);
// Writes a new file beside `path`, syncs it, renames it over `path` and syncs the directory:
// after a crash the old or the new content is there, never a part.
Status write_file_atomic(const std::string& path, std::string_view content, mode_t mode = 0644);
// Creates the directory and its parents; no error when it is there.
Status make_directories(const std::string& path, mode_t mode = 0755);
// Writes all of it, restarting after EINTR and short writes.
Status write_all(int fd, std::string_view content, std::string_view what);

// Microseconds since the epoch, UTC.
std::int64_t wall_clock_us();
// Microseconds of a clock that never jumps.
std::int64_t monotonic_us();
// User + system CPU seconds of this process so far.
double cpu_seconds();
// Peak resident set in bytes.
std::uint64_t peak_rss_bytes();
// Resident set in bytes now; 0 when /proc cannot be read.
std::uint64_t resident_bytes();
// Gives the system what the allocator keeps of freed memory: after work that needs far more than what follows.
void release_free_memory();

// "2026-11-21T20:30:00.123456+0000": the EVE form, always UTC.
void append_eve_timestamp(std::string& out, std::int64_t epoch_us);
inline constexpr std::size_t kEveTimestampBytes = 31;
// The same to a place that has room for it; its end.
char* put_eve_timestamp(char* to, std::int64_t epoch_us);
// "2026-11-21T20:30:00.123456Z": RFC 3339, as RFC 5424 wants it.
std::string rfc3339(std::int64_t epoch_us);

}  // namespace gatehouse::core
