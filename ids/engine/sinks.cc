// The destinations of event lines.
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>

#include "core/os.h"
#include "ids/engine/output.h"
#include "soc/api.h"

namespace gatehouse::ids::engine {
namespace {

core::Result<core::UniqueFd> open_log(const std::string& path) {
  core::UniqueFd fd(::open(path.c_str(), O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0640));
  if (!fd.valid()) return core::fail_errno(errno, "open " + path);
  return fd;
}

// Lets a growing log leave the page cache behind the writer. The kernel would keep gigabytes of it, at the
// cost of what others on the machine read; and on a virtual machine that gives free memory back to its host,
// each page it takes from there is dear (2.6 s of processor time a GB where this takes 0.3). The last stretch
// stays for those who follow the log. Nothing waits for the disk: what is not written yet is passed over, and
// tried once more a stretch later.
class WriteBehind {
 public:
  // A file that is appended to. Not a regular one: does nothing.
  void follow(int fd) {
    struct stat status {};
    fd_ = ::fstat(fd, &status) == 0 && S_ISREG(status.st_mode) ? fd : -1;
    told_ = status.st_size;
    since_ = 0;
  }
  void wrote(std::size_t bytes) {
    since_ += bytes;
    if (fd_ < 0 || since_ < kStep) return;
    since_ = 0;
    struct stat status {};
    if (::fstat(fd_, &status) != 0) return;
    const off_t end = status.st_size;
    told_ = std::min(told_, end);  // log rotation may cut the file off
    (void)::sync_file_range(fd_, told_, end - told_, SYNC_FILE_RANGE_WRITE);
    told_ = end;
    const off_t keep = end - kKept, from = std::max<off_t>(keep - 2 * kKept, 0);
    if (keep > from) (void)::posix_fadvise(fd_, from, keep - from, POSIX_FADV_DONTNEED);
  }

 private:
  static constexpr std::size_t kStep = 8U << 20U;
  static constexpr off_t kKept = 64 << 20;
  int fd_ = -1;
  off_t told_ = 0;         // up to here the kernel was told to write
  std::size_t since_ = 0;  // bytes written after that
};

class FileSink : public EventSink {
 public:
  FileSink(std::string path, core::UniqueFd fd) : path_(std::move(path)), fd_(std::move(fd)) {
    behind_.follow(fd_.get());
  }

  // Lines that lie one behind the other are one write().
  void write(EventKind, std::string_view line) override {
    if (waiting_.data() + waiting_.size() == line.data()) {
      waiting_ = {waiting_.data(), waiting_.size() + line.size()};
    } else {
      flush();
      waiting_ = line;
    }
    ++lines_;
  }

  void flush() override {
    if (lines_ == 0) return;
    const core::Status status = core::write_all(fd_.get(), waiting_, path_);
    if (status) {
      behind_.wrote(waiting_.size());
    } else {
      lost_ += lines_;
      if (failure_.empty()) failure_ = status.error().text;
    }
    waiting_ = {};
    lines_ = 0;
  }

  void reopen() override {
    if (path_ == "-") return;
    auto fd = open_log(path_);
    if (fd) {
      fd_ = std::move(*fd);
      behind_.follow(fd_.get());
    } else if (failure_.empty()) {
      failure_ = fd.error().text;  // the old file stays in use
    }
  }

  const std::string& failure() const override { return failure_; }
  std::uint64_t lost() const override { return lost_; }

 private:
  std::string path_;
  core::UniqueFd fd_;
  WriteBehind behind_;
  std::string_view waiting_;  // where the writer was handed it
  std::uint64_t lines_ = 0;   // in waiting_
  std::uint64_t lost_ = 0;
  std::string failure_;
};

soc::EventClass event_class(EventKind kind) {
  switch (kind) {
    case EventKind::alert:
      return soc::EventClass::alert;
    case EventKind::anomaly:
      return soc::EventClass::anomaly;
    case EventKind::transaction:
      return soc::EventClass::transaction;
    case EventKind::flow:
      return soc::EventClass::flow;
    case EventKind::stats:
      return soc::EventClass::stats;
  }
  return soc::EventClass::transaction;
}

class SpoolSink : public EventSink {
 public:
  explicit SpoolSink(std::unique_ptr<soc::SpoolWriter> writer) : writer_(std::move(writer)) {}

  void write(EventKind kind, std::string_view line) override {
    line.remove_suffix(1);  // the spool wants the object without its LF
    if (!writer_->append(line, event_class(kind))) ++lost_;
  }
  void flush() override {}  // the writer syncs by time and size on its own
  const std::string& failure() const override { return failure_; }
  std::uint64_t lost() const override { return lost_; }

 private:
  std::unique_ptr<soc::SpoolWriter> writer_;
  std::uint64_t lost_ = 0;
  std::string failure_;
};

}  // namespace

core::Result<std::unique_ptr<EventSink>> open_file_sink(const std::string& directory) {
  if (directory == "-") {
    core::UniqueFd fd(::dup(STDOUT_FILENO));
    if (!fd.valid()) return core::fail_errno(errno, "duplicate standard output");
    return std::make_unique<FileSink>("-", std::move(fd));
  }
  GH_CHECK(core::make_directories(directory));
  const std::string path = directory + "/eve.json";
  GH_TRY(core::UniqueFd fd, open_log(path));
  return std::make_unique<FileSink>(path, std::move(fd));
}

core::Result<std::unique_ptr<EventSink>> open_spool_sink(const std::string& spool, std::uint64_t cap_bytes) {
  soc::WriterOptions options;
  options.cap_bytes = cap_bytes;
  GH_TRY(std::unique_ptr<soc::SpoolWriter> writer, soc::SpoolWriter::open(spool, "ids", options));
  return std::make_unique<SpoolSink>(std::move(writer));
}

}  // namespace gatehouse::ids::engine
