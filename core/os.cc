#include "core/os.h"

#include <fcntl.h>
#include <malloc.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>
#include <filesystem>

// gperftools/malloc_extension_c.h
extern "C" [[gnu::weak]] void MallocExtension_ReleaseFreeMemory(void);

namespace gatehouse::core {

void UniqueFd::reset(int fd) {
  if (fd_ >= 0) ::close(fd_);
  fd_ = fd;
}

Result<std::string> read_file(const std::string& path, std::size_t limit_bytes) {
  UniqueFd owned;
  int fd = STDIN_FILENO;
  if (path != "-") {
    owned.reset(::open(path.c_str(), O_RDONLY | O_CLOEXEC));
    if (!owned.valid()) {
      // A file the user named and we cannot open is a usage error, whatever the cause.
      const int err = errno;
      return fail(Errc::not_found, "cannot open " + path + ": " + std::string(::strerror(err)));
    }
    fd = owned.get();
  }
  std::string out;
  // Growing by doubling would hold a large file twice.
  if (struct stat st = {}; ::fstat(fd, &st) == 0 && S_ISREG(st.st_mode) && st.st_size > 0)
    out.reserve(std::min(static_cast<std::size_t>(st.st_size), limit_bytes));
  std::array<char, 65536> chunk;
  for (;;) {
    const ssize_t n = ::read(fd, chunk.data(), chunk.size());
    if (n < 0 && errno == EINTR) continue;
    if (n < 0)
      return fail(Errc::invalid_input, "cannot read " + path + ": " + std::string(::strerror(errno)));
    if (n == 0) return out;
    if (out.size() + static_cast<std::size_t>(n) > limit_bytes) {
      return fail(Errc::limit, path + " is larger than " + std::to_string(limit_bytes) + " bytes");
    }
    out.append(chunk.data(), static_cast<std::size_t>(n));
  }
}

Status write_all(int fd, std::string_view content, std::string_view what) {
  while (!content.empty()) {
    const ssize_t n = ::write(fd, content.data(), content.size());
    if (n < 0 && errno == EINTR) continue;
    if (n < 0) return fail_errno(errno, "cannot write " + std::string(what));
    content.remove_prefix(static_cast<std::size_t>(n));
  }
  return {};
}

Status write_file_atomic(const std::string& path, std::string_view content, mode_t mode) {
  const std::string temporary = path + ".tmp." + std::to_string(::getpid());
  UniqueFd file(::open(temporary.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, mode));
  if (!file.valid()) return fail_errno(errno, "cannot create " + temporary);
  Status status = write_all(file.get(), content, temporary);
  if (status && (::fchmod(file.get(), mode) != 0 || ::fsync(file.get()) != 0))
    status = fail_errno(errno, "cannot sync " + temporary);
  if (status && ::rename(temporary.c_str(), path.c_str()) != 0)
    status = fail_errno(errno, "cannot rename to " + path);
  if (!status) {
    ::unlink(temporary.c_str());
    return status;
  }
  const auto directory = std::filesystem::path(path).parent_path();
  const UniqueFd parent(
      ::open(directory.empty() ? "." : directory.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  if (parent.valid()) ::fsync(parent.get());
  return {};
}

Status make_directories(const std::string& path, mode_t mode) {
  for (std::size_t i = 1; i <= path.size(); ++i) {
    if (i != path.size() && path[i] != '/') continue;
    const std::string part = path.substr(0, i);
    if (::mkdir(part.c_str(), mode) == 0 || errno == EEXIST) continue;
    return fail_errno(errno, "cannot create directory " + part);
  }
  struct stat info {};
  if (::stat(path.c_str(), &info) != 0) return fail_errno(errno, path);
  if (!S_ISDIR(info.st_mode)) return fail_errno(ENOTDIR, path);
  return {};
}

namespace {

std::int64_t clock_us(clockid_t id) {
  timespec t{};
  ::clock_gettime(id, &t);
  return std::int64_t{t.tv_sec} * 1'000'000 + t.tv_nsec / 1000;
}

struct BrokenDown {
  tm date;
  int microseconds;
};

BrokenDown break_down(std::int64_t epoch_us) {
  std::int64_t seconds = epoch_us / 1'000'000;
  std::int64_t rest = epoch_us % 1'000'000;
  if (rest < 0) {
    rest += 1'000'000;
    --seconds;
  }
  BrokenDown out{};
  const time_t t = seconds;
  if (::gmtime_r(&t, &out.date) == nullptr) out.date = {};
  out.microseconds = static_cast<int>(rest);
  return out;
}

// "YYYY-MM-DDThh:mm:ss".
std::array<char, 19> date_text(const tm& date) {
  std::array<char, 19> text;
  const auto digits = [&text](std::size_t at, int value, std::size_t width) {
    for (std::size_t i = at + width; i-- > at; value /= 10) text[i] = static_cast<char>('0' + value % 10);
  };
  // Four digits are all the EVE form has; a hostile capture can hold any year.
  digits(0, std::min(std::max(date.tm_year + 1900, 0), 9999), 4);
  digits(5, date.tm_mon + 1, 2);
  digits(8, date.tm_mday, 2);
  digits(11, date.tm_hour, 2);
  digits(14, date.tm_min, 2);
  digits(17, date.tm_sec, 2);
  text[4] = text[7] = '-';
  text[10] = 'T';
  text[13] = text[16] = ':';
  return text;
}

constexpr std::size_t kDateTimeBytes = 26;

// Puts "YYYY-MM-DDThh:mm:ss.uuuuuu". Events come many to a second, and an event often has the same time more
// than once: a thread keeps the text of its last one.
char* put_date_time(char* to, std::int64_t epoch_us) {
  struct Last {
    std::int64_t epoch_us = 0, second = 0;
    char text[kDateTimeBytes + 1] = "1970-01-01T00:00:00.000000";
  };
  constexpr std::size_t kSecondBytes = 19;
  thread_local constinit Last last;
  if (epoch_us != last.epoch_us) {
    std::int64_t second = epoch_us / 1'000'000;
    if (epoch_us % 1'000'000 < 0) --second;
    if (second != last.second) {
      const auto text = date_text(break_down(epoch_us).date);
      static_assert(text.size() == kSecondBytes);
      std::copy(text.begin(), text.end(), last.text);
    }
    auto rest = static_cast<std::uint32_t>(epoch_us - second * 1'000'000);
    for (std::size_t i = kDateTimeBytes; --i > kSecondBytes; rest /= 10)
      last.text[i] = static_cast<char>('0' + rest % 10);
    last.epoch_us = epoch_us;
    last.second = second;
  }
  return std::copy_n(last.text, kDateTimeBytes, to);
}

}  // namespace

std::int64_t wall_clock_us() {
  return clock_us(CLOCK_REALTIME);
}
std::int64_t monotonic_us() {
  return clock_us(CLOCK_MONOTONIC);
}

double cpu_seconds() {
  return static_cast<double>(clock_us(CLOCK_PROCESS_CPUTIME_ID)) / 1e6;
}

std::uint64_t peak_rss_bytes() {
  rusage usage{};
  ::getrusage(RUSAGE_SELF, &usage);
  return static_cast<std::uint64_t>(usage.ru_maxrss) * 1024;
}

std::uint64_t resident_bytes() {
  const auto text = read_file("/proc/self/statm", 4096);  // proc_pid_statm(5): size, resident, in pages
  const std::size_t at = text ? text->find(' ') : std::string::npos;
  if (at == std::string::npos) return 0;
  return std::strtoull(text->c_str() + at, nullptr, 10) * static_cast<std::uint64_t>(::sysconf(_SC_PAGESIZE));
}

void release_free_memory() {
  // Not every program has tcmalloc (decision 0007), and no sanitizer build.
  if (&MallocExtension_ReleaseFreeMemory != nullptr) {
    MallocExtension_ReleaseFreeMemory();
  } else {
    ::malloc_trim(0);
  }
}

void append_eve_timestamp(std::string& out, std::int64_t epoch_us) {
  std::array<char, kEveTimestampBytes> text;
  put_eve_timestamp(text.data(), epoch_us);
  out.append(text.data(), text.size());
}

char* put_eve_timestamp(char* to, std::int64_t epoch_us) {
  constexpr std::string_view kZone = "+0000";
  static_assert(kDateTimeBytes + kZone.size() == kEveTimestampBytes);
  return std::copy(kZone.begin(), kZone.end(), put_date_time(to, epoch_us));
}

std::string rfc3339(std::int64_t epoch_us) {
  std::array<char, kDateTimeBytes + 1> text;
  *put_date_time(text.data(), epoch_us) = 'Z';
  return {text.data(), text.size()};
}

}  // namespace gatehouse::core
