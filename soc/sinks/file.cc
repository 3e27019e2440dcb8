// Lines appended to a local file, synced in groups; follows log rotation.
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>

#include "core/json.h"
#include "core/os.h"
#include "soc/sinks/eve_line.h"
#include "soc/sinks/sink.h"

namespace gatehouse::soc {

namespace {

constexpr std::int64_t kSyncIntervalUs = 200'000;
constexpr std::uint64_t kSyncBytes = 1U << 20U;

class FileSink final : public Sink {
 public:
  explicit FileSink(SinkSettings settings) : settings_(std::move(settings)), path_(settings_.receiver.path) {}

  core::Status connect() override {
    handed_ = synced_ = unsynced_bytes_ = 0;
    return open();
  }

  core::Status send(std::string_view, std::span<const ReadEvent> events) override {
    GH_CHECK(follow_rotation());
    text_.clear();
    for (const ReadEvent& e : events) {
      text_ += with_id(e.event.line, scan_eve(e.event.line).value_or(EveFields{}), e.event.id);
      text_ += '\n';
    }
    GH_CHECK(core::write_all(file_.get(), text_, path_));
    handed_ += events.size();
    unsynced_bytes_ += text_.size();
    return {};
  }

  core::Result<std::uint64_t> confirmed() override {
    const std::int64_t now = core::monotonic_us();
    if (handed_ != synced_ && (now - synced_at_us_ >= kSyncIntervalUs || unsynced_bytes_ >= kSyncBytes))
      GH_CHECK(sync());
    return synced_;
  }

  core::Status heartbeat(std::span<const StreamMark> marks) override {
    GH_CHECK(follow_rotation());
    std::string out;
    for (const StreamMark& mark : marks) {
      std::string timestamp;
      core::append_eve_timestamp(timestamp, core::wall_clock_us());
      core::JsonWriter json(out);
      json.begin_object().field("timestamp", timestamp).field("event_type", "stats");
      json.key("stats").begin_object().field("uptime", core::monotonic_us() / 1'000'000).end_object();
      json.key("gatehouse_heartbeat").begin_object();
      json.field("stream", mark.stream)
          .field("last", mark.last.to_string())
          .field("sequence", mark.last.sequence);
      json.field("lost", mark.lost).field("dropped", mark.dropped).end_object().end_object();
      out += '\n';
    }
    return core::write_all(file_.get(), out, path_);
  }

  core::Status finish(std::int64_t) override { return sync(); }

 private:
  core::Status open() {
    file_.reset(::open(path_.c_str(), O_RDWR | O_CREAT | O_APPEND | O_CLOEXEC | O_NOCTTY, 0640));
    if (!file_.valid()) return core::fail_errno(errno, "cannot open " + path_);
    struct stat info {};
    if (::fstat(file_.get(), &info) != 0) return core::fail_errno(errno, path_);
    if (!S_ISREG(info.st_mode))
      return core::fail(core::Errc::invalid_input, path_ + " is not a regular file");
    char last = '\n';
    // A crash or a full disk may have left half a line; the event comes again, whole, on its own line.
    if (info.st_size > 0 && ::pread(file_.get(), &last, 1, info.st_size - 1) == 1 && last != '\n') {
      return core::write_all(file_.get(), "\n", path_);
    }
    return {};
  }

  // A rotated file is synced before it is let go.
  core::Status follow_rotation() {
    struct stat named {};
    struct stat held {};
    if (::fstat(file_.get(), &held) != 0) return core::fail_errno(errno, path_);
    if (::stat(path_.c_str(), &named) == 0 && named.st_ino == held.st_ino && named.st_dev == held.st_dev)
      return {};
    GH_CHECK(sync());
    return open();
  }

  core::Status sync() {
    if (::fdatasync(file_.get()) != 0) return core::fail_errno(errno, "cannot sync " + path_);
    synced_ = handed_;
    unsynced_bytes_ = 0;
    synced_at_us_ = core::monotonic_us();
    return {};
  }

  const SinkSettings settings_;
  const std::string path_;
  core::UniqueFd file_;
  std::string text_;
  std::uint64_t handed_ = 0;
  std::uint64_t synced_ = 0;
  std::uint64_t unsynced_bytes_ = 0;
  std::int64_t synced_at_us_ = 0;
};

core::Result<std::unique_ptr<Sink>> make(const SinkSettings& settings) {
  if (settings.receiver.path.empty()) {
    return core::fail(core::Errc::invalid_input, "receiver " + settings.receiver.name + " has no path",
                      settings.receiver.where);
  }
  return std::unique_ptr<Sink>(std::make_unique<FileSink>(settings));
}

}  // namespace

extern const SinkType k_file_sink;
const SinkType k_file_sink{site::ReceiverKind::file, "file", &make};

}  // namespace gatehouse::soc
