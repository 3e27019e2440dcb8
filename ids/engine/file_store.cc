#include "ids/engine/file_store.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

#include <array>
#include <condition_variable>
#include <deque>
#include <filesystem>
#include <map>
#include <mutex>
#include <thread>
#include <vector>

#include "core/log.h"
#include "core/os.h"

namespace gatehouse::ids::engine {
namespace {

constexpr std::size_t kMostWaitingBytes = 64U << 20U;
constexpr mode_t kFileMode = 0640;
constexpr mode_t kDirectoryMode = 0750;

struct Job {
  enum class Kind : std::uint8_t { data, finish, abandon };
  Kind kind = Kind::data;
  std::uint64_t id = 0;
  std::vector<std::uint8_t> bytes;
  std::string sha256, info;
};

bool is_sha256(const std::string& text) {
  return text.size() == 64 && text.find_first_not_of("0123456789abcdef") == std::string::npos;
}

}  // namespace

class DiskFileStore::Impl {
 public:
  Impl(const FileStoreSettings& settings, std::string directory, WhenFull when_full, core::UniqueFd fd)
      : settings_(settings), directory_(std::move(directory)), when_full_(when_full), fd_(std::move(fd)) {}

  // Called by workers.
  std::uint64_t admit() {
    const std::lock_guard lock(mutex_);
    if (open_ >= settings_.most_open || stopping_) {
      ++counters_.refused;
      return 0;
    }
    ++open_;
    return ++last_id_;
  }
  bool push(Job job) {
    std::unique_lock lock(mutex_);
    const std::size_t size = job.bytes.size();
    const auto room = [&] { return waiting_ == 0 || waiting_ + size <= kMostWaitingBytes; };
    if (job.kind == Job::Kind::data && !room()) {
      if (when_full_ == WhenFull::drop) return false;
      written_.wait(lock, [&] { return room() || stopping_; });
    }
    waiting_ += size;
    jobs_.push_back(std::move(job));
    lock.unlock();
    added_.notify_one();
    return true;
  }

  void run() {
    for (;;) {
      std::unique_lock lock(mutex_);
      added_.wait(lock, [&] { return !jobs_.empty() || stopping_; });
      if (jobs_.empty()) break;
      const Job job = std::move(jobs_.front());
      jobs_.pop_front();
      lock.unlock();
      work(job);
      lock.lock();
      waiting_ -= job.bytes.size();
      lock.unlock();
      written_.notify_all();
    }
    for (auto& [id, part] : parts_) ::unlinkat(fd_.get(), part.name.c_str(), 0);
    parts_.clear();
  }

  void start() {
    thread_ = std::thread([this] { run(); });
  }
  void stop() {
    {
      const std::lock_guard lock(mutex_);
      stopping_ = true;
    }
    added_.notify_all();
    written_.notify_all();
    if (thread_.joinable()) thread_.join();
  }
  FileStoreCounters counters() const {
    const std::lock_guard lock(mutex_);
    return counters_;
  }

 private:
  // A file being written: `tmp/<process>.<id>` until its digest is known.
  struct Part {
    std::string name;
    core::UniqueFd fd;
    bool failed = false;
  };

  void count(std::uint64_t FileStoreCounters::*counter) {
    const std::lock_guard lock(mutex_);
    ++(counters_.*counter);
  }

  Part& part(std::uint64_t id) {
    const auto [place, fresh] = parts_.try_emplace(id);
    Part& p = place->second;
    if (!fresh) return p;
    p.name = fmt::format("tmp/{}.{}", ::getpid(), id);
    p.fd.reset(
        ::openat(fd_.get(), p.name.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, kFileMode));
    p.failed = !p.fd.valid();
    if (p.failed) complain("create", p.name);
    return p;
  }

  // Once: a full disk would fill the log, too.
  void complain(const char* what, const std::string& name) {
    if (complained_) return;
    complained_ = true;
    core::log_error(
        "file store: {}",
        core::fail_errno(errno, fmt::format("{} {}/{}", what, directory_, name)).value().to_string());
  }

  void work(const Job& job) {
    if (job.kind == Job::Kind::data) {
      Part& p = part(job.id);
      if (p.failed) return;
      const core::Status done = core::write_all(p.fd.get(), core::as_text(job.bytes), p.name);
      if (!done) {
        p.failed = true;
        complain("write", p.name);
      }
      return;
    }
    if (job.kind == Job::Kind::finish) {
      finish(job);
    } else if (const auto found = parts_.find(job.id); found != parts_.end()) {
      ::unlinkat(fd_.get(), found->second.name.c_str(), 0);
    }
    parts_.erase(job.id);
    const std::lock_guard lock(mutex_);
    --open_;
  }

  void finish(const Job& job) {
    Part& p = part(job.id);  // a file without bytes was not begun yet
    const std::string folder = job.sha256.substr(0, 2);
    const std::string name = folder + "/" + job.sha256;
    if (p.failed || !is_sha256(job.sha256)) {
      ::unlinkat(fd_.get(), p.name.c_str(), 0);
      count(&FileStoreCounters::failed);
      return;
    }
    // Equal digests are equal files: the one that is there stays, its time tells of the last sighting.
    if (::faccessat(fd_.get(), name.c_str(), F_OK, AT_SYMLINK_NOFOLLOW) == 0) {
      ::unlinkat(fd_.get(), p.name.c_str(), 0);
      ::utimensat(fd_.get(), name.c_str(), nullptr, AT_SYMLINK_NOFOLLOW);
      count(&FileStoreCounters::known);
    } else {
      if (::fsync(p.fd.get()) != 0 || ::renameat(fd_.get(), p.name.c_str(), fd_.get(), name.c_str()) != 0) {
        complain("name", name);
        ::unlinkat(fd_.get(), p.name.c_str(), 0);
        count(&FileStoreCounters::failed);
        return;
      }
      count(&FileStoreCounters::stored);
    }
    if (!settings_.write_info || job.info.empty()) return;
    const std::string info = fmt::format("{}.{}.{}.json", name, core::wall_clock_us() / 1'000'000, job.id);
    const core::UniqueFd out(
        ::openat(fd_.get(), info.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_NOFOLLOW | O_CLOEXEC, kFileMode));
    if (!out.valid() || !core::write_all(out.get(), job.info + "\n", info)) complain("write", info);
  }

  const FileStoreSettings settings_;
  const std::string directory_;
  const WhenFull when_full_;
  const core::UniqueFd fd_;  // of the directory
  std::thread thread_;
  mutable std::mutex mutex_;
  std::condition_variable added_, written_;
  std::deque<Job> jobs_;
  std::size_t waiting_ = 0;  // bytes in jobs_
  std::uint64_t last_id_ = 0;
  unsigned open_ = 0;
  bool stopping_ = false;
  FileStoreCounters counters_;
  // Of the writing thread alone.
  std::map<std::uint64_t, Part> parts_;
  bool complained_ = false;
};

class DiskFileStore::Sink : public FileSink {
 public:
  Sink(std::shared_ptr<Impl> impl, std::uint64_t id) : impl_(std::move(impl)), id_(id) {}
  ~Sink() override {
    if (!finished_) impl_->push({Job::Kind::abandon, id_, {}, {}, {}});
  }
  void write(ByteView bytes) override {
    if (failed_ || bytes.empty()) return;
    failed_ = !impl_->push({Job::Kind::data, id_, {bytes.begin(), bytes.end()}, {}, {}});
  }
  void finish(std::string sha256, std::string info) override {
    if (failed_ || finished_) return;
    finished_ = true;
    impl_->push({Job::Kind::finish, id_, {}, std::move(sha256), std::move(info)});
  }
  std::uint64_t id() const override { return id_; }
  bool failed() const override { return failed_; }

 private:
  std::shared_ptr<Impl> impl_;
  std::uint64_t id_;
  bool failed_ = false, finished_ = false;
};

core::Result<std::unique_ptr<DiskFileStore>> DiskFileStore::make(const FileStoreSettings& settings,
                                                                 std::string directory, WhenFull when_full) {
  GH_CHECK(core::make_directories(directory, kDirectoryMode));
  GH_CHECK(core::make_directories(directory + "/tmp", kDirectoryMode));
  core::UniqueFd fd(::open(directory.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  if (!fd.valid()) return core::fail_errno(errno, "open " + directory);
  // Made now, so that the writing thread needs no right to make directories.
  for (unsigned i = 0; i < 256; ++i)
    GH_CHECK(core::make_directories(fmt::format("{}/{:02x}", directory, i), kDirectoryMode));
  return std::unique_ptr<DiskFileStore>(
      new DiskFileStore(std::make_shared<Impl>(settings, std::move(directory), when_full, std::move(fd))));
}

DiskFileStore::~DiskFileStore() {
  impl_->stop();
}

void DiskFileStore::start() {
  impl_->start();
}

void DiskFileStore::stop() {
  impl_->stop();
}

std::unique_ptr<FileSink> DiskFileStore::open() {
  const std::uint64_t id = impl_->admit();
  if (id == 0) return nullptr;
  return std::make_unique<Sink>(impl_, id);
}

FileStoreCounters DiskFileStore::counters() const {
  return impl_->counters();
}

std::string file_store_directory(const FileStoreSettings& settings, const std::string& log_directory) {
  const std::filesystem::path directory(settings.directory);
  if (directory.is_absolute()) return directory.string();
  if (log_directory.empty() || log_directory == "-") return {};
  return (std::filesystem::path(log_directory) / directory).string();
}

core::Result<std::unique_ptr<DiskFileStore>> make_file_store(const FileStoreSettings& settings,
                                                             const std::string& log_directory,
                                                             WhenFull when_full) {
  std::string directory = file_store_directory(settings, log_directory);
  if (directory.empty())
    return core::fail(core::Errc::invalid_input,
                      "file-store.dir is relative to --log-dir, and that is no directory here");
  return DiskFileStore::make(settings, std::move(directory), when_full);
}

}  // namespace gatehouse::ids::engine
