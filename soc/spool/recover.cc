#include "soc/spool/recover.h"

#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>

#include "core/log.h"
#include "core/os.h"
#include "soc/spool/format.h"
#include "soc/spool/segments.h"

namespace gatehouse::soc {

namespace {

// Far above what a writer makes, see WriterOptions; bounds the memory for a file of another origin.
constexpr std::size_t kMostSegmentBytes = 1U << 30U;

struct Scan {
  std::uint64_t next_sequence = 0;  // 0: neither a header nor a record says
  std::size_t end = 0;              // of the last whole record; 0: none
};

Scan scan_segment(core::ByteView bytes) {
  Scan out;
  if (const auto header = read_segment_header(bytes)) out.next_sequence = header->first_sequence;
  std::size_t at = std::min(kSegmentHeaderBytes, bytes.size());
  while (at < bytes.size()) {
    const RecordRead read = read_record(bytes.subspan(at));
    if (read.state == RecordState::complete) {
      at += read.record.size();
      out.next_sequence = std::max(out.next_sequence, read.record.id.sequence + 1);
      out.end = at;
      continue;
    }
    // Also a "partial" record may be a damaged length with whole records behind it.
    const auto next = find_record(bytes, at + 1);
    if (!next) break;
    at = *next;
  }
  return out;
}

core::Status cut(const std::string& path, std::size_t size) {
  const core::UniqueFd fd(::open(path.c_str(), O_WRONLY | O_CLOEXEC | O_NOFOLLOW));
  if (!fd.valid()) return core::fail_errno(errno, "cannot open " + path);
  if (::ftruncate(fd.get(), static_cast<off_t>(size)) != 0 || ::fsync(fd.get()) != 0) {
    return core::fail_errno(errno, "cannot cut the torn end of " + path);
  }
  return {};
}

}  // namespace

core::Result<Recovered> recover_stream(const std::string& directory) {
  GH_TRY(const auto files, list_segments(directory));
  Recovered out;
  if (files.empty()) return out;
  out.next_index = files.back().index + 1;
  for (auto file = files.rbegin(); file != files.rend(); ++file) {
    const std::string path = segment_path(directory, file->index);
    const auto content = core::read_file(path, kMostSegmentBytes);
    if (!content) {
      // The sequence may then start again below; identities stay unique by their instance.
      core::log_warning("{}", content.error().to_string());
      continue;
    }
    const Scan scan = scan_segment(core::as_bytes(*content));
    out.next_sequence = std::max(out.next_sequence, scan.next_sequence);
    if (scan.end == 0) {
      if (!content->empty())
        out.cut_bytes += content->size() - std::min(content->size(), kSegmentHeaderBytes);
      if (::unlink(path.c_str()) != 0) return core::fail_errno(errno, "cannot remove " + path);
      continue;
    }
    if (scan.end < content->size()) {
      out.cut_bytes += content->size() - scan.end;
      GH_CHECK(cut(path, scan.end));
    }
    break;
  }
  return out;
}

}  // namespace gatehouse::soc
