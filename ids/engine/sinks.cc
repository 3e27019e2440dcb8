// The destinations of event lines.
#include <fcntl.h>
#include <unistd.h>

#include "core/os.h"
#include "ids/engine/output.h"
#include "soc/api.h"

namespace gatehouse::ids::engine {
namespace {

constexpr std::size_t kWriteBytes = 256U << 10U;  // one write() for so many waiting bytes

core::Result<core::UniqueFd> open_log(const std::string& path) {
  core::UniqueFd fd(::open(path.c_str(), O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0640));
  if (!fd.valid()) return core::fail_errno(errno, "open " + path);
  return fd;
}

class FileSink : public EventSink {
 public:
  FileSink(std::string path, core::UniqueFd fd) : path_(std::move(path)), fd_(std::move(fd)) {
    buffer_.reserve(kWriteBytes + (64U << 10U));
  }
  ~FileSink() override { flush(); }

  void write(EventKind, std::string_view line) override {
    buffer_ += line;
    ++waiting_;
    if (buffer_.size() >= kWriteBytes) flush();
  }

  void flush() override {
    if (buffer_.empty()) return;
    const core::Status status = core::write_all(fd_.get(), buffer_, path_);
    if (!status) {
      lost_ += waiting_;
      if (failure_.empty()) failure_ = status.error().text;
    }
    buffer_.clear();
    waiting_ = 0;
  }

  void reopen() override {
    if (path_ == "-") return;
    flush();
    auto fd = open_log(path_);
    if (fd) {
      fd_ = std::move(*fd);
    } else if (failure_.empty()) {
      failure_ = fd.error().text;  // the old file stays in use
    }
  }

  const std::string& failure() const override { return failure_; }
  std::uint64_t lost() const override { return lost_; }

 private:
  std::string path_;
  core::UniqueFd fd_;
  std::string buffer_;
  std::uint64_t waiting_ = 0;  // lines in buffer_
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
