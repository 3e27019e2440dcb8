// The files of one stream: SPOOL/STREAM/<16 hex digits>.seg, numbered without reuse, and `lock`.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "core/result.h"

namespace gatehouse::soc {

struct SegmentFile {
  std::uint64_t index = 0;
  std::uint64_t bytes = 0;
};

bool valid_stream_name(std::string_view name);
std::string stream_directory(const std::string& spool, std::string_view stream);
std::string segment_path(const std::string& directory, std::uint64_t index);

// In order of index; files of other names are left alone.
core::Result<std::vector<SegmentFile>> list_segments(const std::string& directory);
// The streams of a spool, sorted by name. No error when the spool does not exist yet.
core::Result<std::vector<std::string>> list_streams(const std::string& spool);

// Unlinks the segments below `index`, never the newest one: the number of the next follows from it.
// The caller has made sure on disk that nobody needs them. Returns how many went.
core::Result<std::size_t> remove_segments_below(const std::string& directory, std::uint64_t index);

}  // namespace gatehouse::soc
