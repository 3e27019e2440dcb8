// The segment a writer has open. Knows bytes and the disk, nothing of sequence or priority.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "core/os.h"
#include "core/result.h"

namespace gatehouse::soc {

class SegmentWriter {
 public:
  explicit SegmentWriter(std::string directory, std::uint64_t next_index)
      : directory_(std::move(directory)), next_index_(next_index) {}

  // Creates the next segment with its header and makes its name durable; the former one is closed.
  core::Status begin(std::uint64_t first_sequence);
  // Takes as much of `bytes` as the disk does; the count tells, also next to an error.
  core::Status write(std::string_view bytes, std::size_t& written);
  core::Status sync();

  bool is_open() const { return fd_.valid(); }
  std::uint64_t bytes() const { return bytes_; }
  void close() { fd_.reset(); }

 private:
  std::string directory_;
  std::uint64_t next_index_;
  core::UniqueFd fd_;
  std::uint64_t bytes_ = 0;
};

// What a stream uses and what the file system lets it use at most.
struct DiskRoom {
  std::uint64_t used_bytes = 0;
  std::uint64_t limit_bytes = 0;
};
// `cap_bytes` or what the file system still has, less a reserve for the forwarder's cursors: without
// room for those nothing could ever be given back.
core::Result<DiskRoom> measure_room(const std::string& directory, std::uint64_t cap_bytes);

}  // namespace gatehouse::soc
