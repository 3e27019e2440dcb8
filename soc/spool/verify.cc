#include "soc/spool/verify.h"

#include <fcntl.h>
#include <sys/file.h>

#include <cerrno>

#include "core/os.h"

namespace gatehouse::soc {

namespace {

bool is_locked(const std::string& directory) {
  const core::UniqueFd lock(::open((directory + "/lock").c_str(), O_RDONLY | O_CLOEXEC | O_NOFOLLOW));
  return lock.valid() && ::flock(lock.get(), LOCK_SH | LOCK_NB) != 0 && errno == EWOULDBLOCK;
}

}  // namespace

core::Result<StreamReport> verify_stream(const std::string& spool, const std::string& stream) {
  const std::string directory = stream_directory(spool, stream);
  StreamReport report;
  report.stream = stream;
  report.has_writer = is_locked(directory);
  GH_TRY(const auto files, list_segments(directory));
  report.segments = files.size();
  for (const SegmentFile& file : files) report.bytes += file.bytes;
  SpoolReader reader(directory, Position{}, 0);
  std::vector<ReadEvent> events;
  do {
    events.clear();
    GH_CHECK(reader.read(events, 1024, 1U << 20U));
    if (report.first_sequence == 0 && !events.empty())
      report.first_sequence = events.front().event.id.sequence;
  } while (!events.empty());
  report.end = reader.position();
  report.unfinished = reader.has_unfinished_bytes();
  return report;
}

}  // namespace gatehouse::soc
