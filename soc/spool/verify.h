// Reads a whole stream and says whether anything is missing or damaged.
#pragma once

#include <cstdint>
#include <string>

#include "core/result.h"
#include "soc/spool/reader.h"

namespace gatehouse::soc {

struct StreamReport {
  std::string stream;
  std::uint64_t segments = 0;
  std::uint64_t bytes = 0;
  Position end;  // its account covers the whole stream
  std::uint64_t first_sequence = 0;
  bool has_writer = false;  // somebody holds the lock: the end may be in motion
  bool unfinished = false;  // bytes after the last whole record

  // Dropped events are no damage: the spool says so itself.
  bool intact() const { return end.lost == 0 && end.damages == 0 && (!unfinished || has_writer); }
};

core::Result<StreamReport> verify_stream(const std::string& spool, const std::string& stream);

}  // namespace gatehouse::soc
