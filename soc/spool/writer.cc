#include "soc/spool/writer.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/file.h>
#include <sys/random.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <condition_variable>
#include <mutex>
#include <numeric>
#include <thread>

#include "core/json.h"
#include "core/log.h"
#include "core/os.h"
#include "soc/spool/format.h"
#include "soc/spool/recover.h"
#include "soc/spool/segment_file.h"
#include "soc/spool/segments.h"

namespace gatehouse::soc {

namespace {

// A class is admitted while the spool is filled to less than this, in thousandths. What lies above
// a class's mark is kept for the classes after it: alerts have the last tenth nearly to themselves.
constexpr std::array<std::uint64_t, kEventClasses> kAdmitPermille = {700, 800, 900, 950, 950, 1000};
constexpr std::int64_t kMeasureIntervalUs = 1'000'000;
constexpr std::uint64_t kLeastSegmentBytes = 64U << 10U;

std::uint64_t sum(const std::array<std::uint64_t, kEventClasses>& counts) {
  return std::accumulate(counts.begin(), counts.end(), std::uint64_t{0});
}

// One EVE alert that tells the SOC what it does not get to see.
std::string summary_line(const std::string& stream, const std::array<std::uint64_t, kEventClasses>& dropped) {
  std::string out;
  core::JsonWriter json(out);
  std::string now;
  core::append_eve_timestamp(now, core::wall_clock_us());
  json.begin_object().field("timestamp", now).field("event_type", "alert");
  json.key("alert").begin_object();
  json.field("action", "allowed").field("gid", 1).field("signature_id", kSpoolLossSid).field("rev", 1);
  json.field("signature", "GATEHOUSE spool full, events dropped").field("category", "").field("severity", 2);
  json.key("metadata").begin_object();
  json.key("gatehouse_stream").begin_array().string(stream).end_array();
  for (std::size_t i = 0; i < kEventClasses; ++i) {
    if (dropped[i] == 0) continue;
    json.key("gatehouse_dropped_" + std::string(to_string(static_cast<EventClass>(i))));
    json.begin_array().string(std::to_string(dropped[i])).end_array();
  }
  json.end_object().end_object().end_object();
  return out;
}

}  // namespace

std::uint64_t WriterCounters::appended_total() const {
  return sum(appended);
}
std::uint64_t WriterCounters::dropped_total() const {
  return sum(dropped);
}

// Two halves. The caller's half (append) works under `mutex_` on memory only. The flusher's half
// owns `batch_` and the files; it takes `mutex_` for the hand-over, never while it waits for the disk.
class SpoolWriter::Impl {
 public:
  Impl(std::string stream, std::string directory, core::UniqueFd lock, const WriterOptions& options,
       const Recovered& recovered, std::uint64_t instance)
      : stream_(std::move(stream)),
        directory_(std::move(directory)),
        lock_(std::move(lock)),
        options_(options),
        instance_(instance),
        sequence_(recovered.next_sequence - 1),
        accepted_(sequence_),
        segment_(directory_, recovered.next_index) {
    counters_.last_sequence = counters_.synced_sequence = sequence_;
    measure();
    room_ = measured_;
    flusher_ = std::thread([this] { run(); });
  }

  ~Impl() {
    {
      const std::scoped_lock hold(mutex_);
      stop_ = true;
    }
    wake_.notify_all();
    flusher_.join();
  }

  bool append(std::string_view line, EventClass event_class) {
    const bool valid = valid_line(line);
    const std::scoped_lock hold(mutex_);
    if (!valid) {
      ++counters_.refused;
      return false;
    }
    return append_locked(line, event_class);
  }

  core::Status sync() {
    std::unique_lock hold(mutex_);
    const std::uint64_t wanted = accepted_;
    if (counters_.synced_sequence >= wanted) return {};
    sync_wanted_ = true;
    const std::uint64_t failures_before = failures_;
    wake_.notify_all();
    done_.wait(hold, [&] { return counters_.synced_sequence >= wanted || failures_ != failures_before; });
    if (counters_.synced_sequence >= wanted) return {};
    return tl::make_unexpected(last_error_);
  }

  WriterCounters counters() const {
    const std::scoped_lock hold(mutex_);
    return counters_;
  }
  std::uint64_t instance() const { return instance_; }

 private:
  bool has_room(std::size_t bytes, EventClass event_class) const {
    const std::uint64_t permille = kAdmitPermille[static_cast<std::size_t>(event_class)];
    const std::uint64_t waiting = waiting_.size() + batch_left_ + bytes;
    return waiting <= options_.buffer_bytes / 1000 * permille &&
           room_.used_bytes + waiting <= room_.limit_bytes / 1000 * permille;
  }

  bool append_locked(std::string_view line, EventClass event_class) {
    ++sequence_;
    counters_.last_sequence = sequence_;
    const auto at = static_cast<std::size_t>(event_class);
    if (!has_room(kRecordHeaderBytes + line.size(), event_class)) {
      ++counters_.dropped[at];
      ++unreported_[at];
      ++skipped_;
      return false;
    }
    if (waiting_.empty()) first_waiting_us_ = core::monotonic_us();
    append_record(waiting_, RecordView{event_class, EventId{instance_, sequence_}, core::wall_clock_us(),
                                       skipped_, line});
    skipped_ = 0;
    accepted_ = sequence_;
    ++counters_.appended[at];
    if (waiting_.size() >= options_.sync_bytes) wake_.notify_one();
    return true;
  }

  // --- the flusher's half ---------------------------------------------------------------------

  void run() {
    std::unique_lock hold(mutex_);
    for (;;) {
      wait_for_work(hold);
      const bool stopping = stop_;
      report_drops(stopping);
      sync_wanted_ = false;
      if (batch_.empty()) {
        batch_.swap(waiting_);
        batch_left_ = batch_.size();
        batch_last_ = accepted_;
      }
      hold.unlock();
      const core::Status status = flush_batch();
      measure_if_due();
      hold.lock();
      room_ = measured_;
      publish(status);
      if (stopping && (waiting_.empty() || !status)) break;
      // A disk that refuses is asked again after the interval, not at once.
      if (!status)
        wake_.wait_for(hold, std::chrono::microseconds(options_.sync_interval_us), [&] { return stop_; });
    }
    if (const std::uint64_t left = batch_left_ + waiting_.size(); left > 0) {
      core::log_error("spool stream {}: {} bytes of events lost, the disk refuses: {}", stream_, left,
                      last_error_.to_string());
    }
  }

  void wait_for_work(std::unique_lock<std::mutex>& hold) {
    while (!stop_ && !sync_wanted_ && waiting_.size() < options_.sync_bytes && batch_.empty()) {
      const std::int64_t now = core::monotonic_us();
      const bool due = !waiting_.empty() && now - first_waiting_us_ >= options_.sync_interval_us;
      if (due || drops_to_report(now)) return;
      // While events are being dropped, look at the room again: the forwarder may have made some.
      if (skipped_ > 0 && now - measured_us_ >= kMeasureIntervalUs) return;
      wake_.wait_for(hold, std::chrono::microseconds(options_.sync_interval_us));
    }
  }

  bool drops_to_report(std::int64_t now) const {
    return sum(unreported_) > 0 && now - summary_us_ >= options_.summary_interval_us &&
           has_room(1024, EventClass::alert);
  }

  void report_drops(bool at_once) {
    const std::int64_t now = core::monotonic_us();
    if (sum(unreported_) == 0 || (!at_once && !drops_to_report(now))) return;
    // The summary may itself find no room: then it is an uncounted attempt, and comes later.
    if (!has_room(1024, EventClass::alert)) return;
    const auto reported = std::exchange(unreported_, {});
    append_locked(summary_line(stream_, reported), EventClass::alert);
    summary_us_ = now;
  }

  // Writes and syncs batch_ from where the last attempt stopped.
  core::Status flush_batch() {
    while (batch_at_ < batch_.size()) {
      if (!segment_.is_open() || segment_.bytes() >= segment_limit()) {
        GH_CHECK(segment_.begin(first_sequence_at(batch_at_)));
        section_start_ = batch_at_;
      }
      const std::size_t end = section_end();
      std::size_t written = 0;
      const core::Status status =
          segment_.write(std::string_view(batch_).substr(batch_at_, end - batch_at_), written);
      batch_at_ += written;
      measured_.used_bytes += written;
      written_bytes_ += written;
      GH_CHECK(status);
      if (const core::Status synced = segment_.sync(); !synced) {
        // The kernel may have thrown the pages away and report success next time: what is not known
        // to be on disk is written again, to a new file; the reader knows the repeats by their number.
        ++failed_syncs_;
        segment_.close();
        batch_at_ = section_start_;
        return synced;
      }
      section_start_ = batch_at_;
      ++done_syncs_;
    }
    batch_.clear();
    batch_at_ = section_start_ = 0;
    return {};
  }

  // A segment can only be given back whole, so it must be a small part of a small spool.
  std::uint64_t segment_limit() const {
    return std::max(kLeastSegmentBytes, std::min(options_.segment_bytes, measured_.limit_bytes / 8));
  }

  // The end of the whole records that still belong into the open segment. After a short write
  // batch_at_ lies inside a record, which began at or after section_start_.
  std::size_t section_end() const {
    const std::uint64_t limit = segment_limit();
    std::size_t at = section_start_;
    const std::uint64_t before = segment_.bytes() - (batch_at_ - section_start_);
    while (at < batch_.size() && (at <= batch_at_ || before + (at - section_start_) < limit)) {
      at += record_size(core::as_bytes(std::string_view(batch_).substr(at)));
    }
    return at;
  }

  std::uint64_t first_sequence_at(std::size_t at) const {
    return read_record(core::as_bytes(std::string_view(batch_).substr(at))).record.id.sequence;
  }

  // After a flush, under the mutex.
  void publish(const core::Status& status) {
    batch_left_ = batch_.size() - batch_at_;
    counters_.bytes = written_bytes_;
    counters_.syncs = done_syncs_;
    counters_.sync_failures = failed_syncs_;
    if (status) {
      counters_.synced_sequence = std::max(counters_.synced_sequence, batch_last_);
    } else {
      if (last_error_.text != status.error().text) core::log_warning("{}", status.error().to_string());
      last_error_ = status.error();
      ++counters_.write_failures;
      ++failures_;
    }
    done_.notify_all();
  }

  void measure_if_due() {
    const std::int64_t now = core::monotonic_us();
    if (now - measured_us_ >= kMeasureIntervalUs) measure();
  }

  void measure() {
    if (const auto room = measure_room(directory_, options_.cap_bytes)) measured_ = *room;
    measured_us_ = core::monotonic_us();
  }

  const std::string stream_;
  const std::string directory_;
  const core::UniqueFd lock_;
  const WriterOptions options_;
  const std::uint64_t instance_;

  mutable std::mutex mutex_;
  std::condition_variable wake_;
  std::condition_variable done_;
  std::string waiting_;  // encoded records not yet taken by the flusher
  std::int64_t first_waiting_us_ = 0;
  std::uint64_t sequence_;  // newest given out
  std::uint64_t accepted_;  // newest that was not dropped
  std::uint64_t skipped_ = 0;
  std::array<std::uint64_t, kEventClasses> unreported_{};
  std::uint64_t batch_left_ = 0;
  DiskRoom room_;
  WriterCounters counters_;
  core::Error last_error_;
  std::uint64_t failures_ = 0;
  std::int64_t summary_us_ = 0;
  bool sync_wanted_ = false;
  bool stop_ = false;

  SegmentWriter segment_;
  std::string batch_;
  std::uint64_t batch_last_ = 0;
  std::size_t batch_at_ = 0;       // written up to here
  std::size_t section_start_ = 0;  // synced up to here
  DiskRoom measured_;
  std::int64_t measured_us_ = 0;
  std::uint64_t written_bytes_ = 0;
  std::uint64_t done_syncs_ = 0;
  std::uint64_t failed_syncs_ = 0;

  std::thread flusher_;
};

core::Result<std::unique_ptr<SpoolWriter>> SpoolWriter::open(const std::string& spool,
                                                             std::string_view stream,
                                                             const WriterOptions& options) {
  if (!valid_stream_name(stream)) {
    return core::fail(core::Errc::invalid_input,
                      fmt::format("`{}` is not a stream name: 1 to 32 of a-z 0-9 -", stream));
  }
  const std::string directory = stream_directory(spool, stream);
  GH_CHECK(core::make_directories(directory, 0750));
  const std::string lock_path = directory + "/lock";
  core::UniqueFd lock(::open(lock_path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0640));
  if (!lock.valid()) return core::fail_errno(errno, "cannot open " + lock_path);
  if (::flock(lock.get(), LOCK_EX | LOCK_NB) != 0) {
    return core::fail(core::Errc::conflict, fmt::format("spool stream {} has a writer already", directory));
  }
  GH_TRY(const Recovered recovered, recover_stream(directory));
  if (recovered.cut_bytes > 0) {
    core::log_info("spool stream {}: cut {} bytes that a crash left unfinished", directory,
                   recovered.cut_bytes);
  }
  std::uint64_t instance = 0;
  if (::getrandom(&instance, sizeof instance, 0) != sizeof instance)
    return core::fail_errno(errno, "getrandom");
  auto impl =
      std::make_unique<Impl>(std::string(stream), directory, std::move(lock), options, recovered, instance);
  return std::unique_ptr<SpoolWriter>(new SpoolWriter(std::move(impl)));
}

SpoolWriter::SpoolWriter(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}
SpoolWriter::~SpoolWriter() = default;
bool SpoolWriter::append(std::string_view line, EventClass event_class) {
  return impl_->append(line, event_class);
}
core::Status SpoolWriter::sync() {
  return impl_->sync();
}
WriterCounters SpoolWriter::counters() const {
  return impl_->counters();
}
std::uint64_t SpoolWriter::instance() const {
  return impl_->instance();
}

}  // namespace gatehouse::soc
