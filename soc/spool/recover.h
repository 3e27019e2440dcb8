// What a writer finds when it opens a stream.
#pragma once

#include <cstdint>
#include <string>

#include "core/result.h"

namespace gatehouse::soc {

struct Recovered {
  std::uint64_t next_index = 1;     // of the next segment
  std::uint64_t next_sequence = 1;  // of the next event
  std::uint64_t cut_bytes = 0;      // of a torn tail
};

// Cuts what follows the last whole record of the newest segment and removes newest segments without
// any record. Damage before that record stays for the reader to step over and count.
core::Result<Recovered> recover_stream(const std::string& directory);

}  // namespace gatehouse::soc
