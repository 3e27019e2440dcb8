#include "soc/spool/reader.h"

#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>

#include "core/log.h"
#include "soc/spool/format.h"

namespace gatehouse::soc {

namespace {
constexpr std::size_t kChunkBytes = 256U << 10U;
}

SpoolReader::SpoolReader(std::string directory, Position start, std::int64_t grace_us)
    : directory_(std::move(directory)), grace_us_(grace_us), position_(start) {}

void SpoolReader::go_to(const Position& position) {
  file_.reset();
  buffer_.clear();
  suspect_since_us_ = 0;
  unfinished_ = false;
  position_ = position;
}

core::Result<std::uint64_t> SpoolReader::bytes_ahead() const {
  GH_TRY(const auto files, list_segments(directory_));
  std::uint64_t total = 0;
  for (const SegmentFile& file : files) {
    if (file.index < position_.segment) continue;
    const std::uint64_t passed = file.index == position_.segment ? position_.offset : kSegmentHeaderBytes;
    total += file.bytes - std::min(file.bytes, passed);
  }
  return total;
}

core::ByteView SpoolReader::ahead() const {
  return core::as_bytes(buffer_).subspan(position_.offset - buffer_offset_);
}

core::Status SpoolReader::read(std::vector<ReadEvent>& out, std::size_t most_events, std::size_t most_bytes) {
  const std::size_t wanted = out.size() + most_events;
  std::size_t bytes = 0;
  unfinished_ = false;
  while (out.size() < wanted && bytes < most_bytes) {
    if (!file_.valid()) {
      GH_TRY(const Step step, open_segment());
      if (step == Step::end) return {};
      continue;
    }
    const RecordRead next = read_record(ahead());
    if (next.state == RecordState::complete) {
      take(out, bytes, next.record);
      continue;
    }
    if (next.state == RecordState::partial) {
      GH_TRY(const bool more, fill());
      if (more) continue;
    }
    GH_TRY(const Step step, at_end_of_data());
    if (step == Step::end) return {};
  }
  return {};
}

void SpoolReader::take(std::vector<ReadEvent>& out, std::size_t& bytes, const RecordView& record) {
  position_.offset += record.size();
  suspect_since_us_ = 0;
  const EventId last = position_.last;
  // The writer repeats what it could not prove to be on disk.
  if (record.id.instance == last.instance && record.id.sequence <= last.sequence) return;
  if (record.id.sequence > last.sequence) {
    const std::uint64_t missing = record.id.sequence - last.sequence - 1;
    position_.lost += missing - std::min(missing, record.skipped);
  }
  position_.dropped += record.skipped;
  position_.last = record.id;
  ++position_.events;
  bytes += record.line.size();
  out.push_back(ReadEvent{record.copy(), position_});
  // What has been taken is let go of once it is most of the buffer.
  if (const std::size_t used = position_.offset - buffer_offset_; used > kChunkBytes) {
    buffer_.erase(0, used);
    buffer_offset_ += used;
  }
}

core::Result<SpoolReader::Step> SpoolReader::open_segment() {
  GH_TRY(const auto files, list_segments(directory_));
  if (files.empty()) return Step::end;
  bool fresh = position_.segment == 0;
  auto file = std::find_if(files.begin(), files.end(),
                           [&](const SegmentFile& f) { return f.index >= position_.segment; });
  if (file == files.end()) {
    core::log_warning("{}: the stream was begun anew, reading it from its start", directory_);
    ++position_.damages;
    file = files.begin();
    fresh = true;
  }
  if (file->index != position_.segment) {
    position_.segment = file->index;
    position_.offset = 0;
  }
  const std::string path = segment_path(directory_, file->index);
  file_.reset(::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NOFOLLOW));
  if (!file_.valid()) return core::fail_errno(errno, "cannot open " + path);
  buffer_.clear();
  buffer_offset_ = 0;
  GH_TRY(const bool any, fill());
  (void)any;
  if (const auto header = read_segment_header(core::as_bytes(buffer_)); header && fresh) {
    // Nothing read so far: what came before the oldest segment is not ours to miss.
    position_.last = EventId{0, header->first_sequence == 0 ? 0 : header->first_sequence - 1};
  }
  if (position_.offset == 0) {
    // Records prove themselves: a damaged header costs nothing but its own bytes.
    position_.offset = kSegmentHeaderBytes;
  }
  // Also behind the end of a file that a crash has cut.
  while (buffer_.size() < position_.offset) {
    GH_TRY(const bool more, fill());
    if (!more) break;
  }
  if (buffer_.size() >= position_.offset) {
    buffer_.erase(0, position_.offset);
    buffer_offset_ = position_.offset;
    return Step::again;
  }
  file_.reset();
  if (std::next(file) == files.end()) return Step::end;
  leave_segment(std::next(file)->index);
  return Step::again;
}

// Reads on at the end of the buffer. False: the file ends here, for now.
core::Result<bool> SpoolReader::fill() {
  const std::size_t had = buffer_.size();
  buffer_.resize(had + kChunkBytes);
  ssize_t n = 0;
  do {
    n = ::pread(file_.get(), buffer_.data() + had, kChunkBytes, static_cast<off_t>(buffer_offset_ + had));
  } while (n < 0 && errno == EINTR);
  const int err = errno;
  buffer_.resize(had + static_cast<std::size_t>(std::max<ssize_t>(n, 0)));
  if (n < 0) return core::fail_errno(err, "cannot read " + segment_path(directory_, position_.segment));
  return n > 0;
}

// The bytes ahead are no whole record: the end of the file, an unfinished write, or damage.
core::Result<SpoolReader::Step> SpoolReader::at_end_of_data() {
  GH_TRY(const auto files, list_segments(directory_));
  const bool sealed = !files.empty() && files.back().index > position_.segment;
  // Once a newer segment exists this one does not grow any more; what it grew by until then is read
  // first. It may have shrunk: a writer that opens the stream cuts a torn end, which is no damage.
  if (sealed) buffer_.resize(position_.offset - buffer_offset_);
  for (bool more = true; more;) {
    GH_TRY(more, fill());
    if (more && read_record(ahead()).state == RecordState::complete) return Step::again;
  }
  if (!ahead().empty()) return step_over_damage(sealed);
  if (!sealed) return Step::end;
  const auto next = std::find_if(files.begin(), files.end(),
                                 [&](const SegmentFile& f) { return f.index > position_.segment; });
  leave_segment(next->index);
  return Step::again;
}

core::Result<SpoolReader::Step> SpoolReader::step_over_damage(bool sealed) {
  if (!sealed) {
    unfinished_ = true;
    if (suspect_since_us_ == 0) suspect_since_us_ = core::monotonic_us();
    if (grace_us_ > 0 && core::monotonic_us() - suspect_since_us_ < grace_us_) return Step::end;
  }
  const auto found = find_record(ahead(), 1);
  if (!found && !sealed) return Step::end;
  const std::size_t over = found ? *found : ahead().size();
  ++position_.damages;
  core::log_warning("{}: {} damaged bytes at offset {} stepped over",
                    segment_path(directory_, position_.segment), over, position_.offset);
  position_.offset += over;
  suspect_since_us_ = 0;
  unfinished_ = false;
  return Step::again;
}

void SpoolReader::leave_segment(std::uint64_t next_index) {
  file_.reset();
  buffer_.clear();
  buffer_offset_ = 0;
  suspect_since_us_ = 0;
  position_.segment = next_index;
  position_.offset = 0;
}

}  // namespace gatehouse::soc
