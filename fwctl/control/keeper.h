// The process that takes a change back: it belongs to no terminal and no session, and another one of its kind
// watches it.
#pragma once

#include <cstdint>

#include "core/result.h"
#include "fwctl/journal/journal.h"

namespace gatehouse::fwctl {

// Two processes: one waits for the deadline of the entry, the other starts it anew when it dies. Both end
// when the entry is no longer pending. Ready when this returns; the pid of the first.
core::Result<std::uint64_t> start_keeper(const Journal& journal, std::uint64_t id,
                                         const std::string& run_directory);

}  // namespace gatehouse::fwctl
