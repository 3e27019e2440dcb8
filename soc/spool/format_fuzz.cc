// Any bytes as a segment file: reading terminates, stays inside, and only returns records that
// encode to the very bytes they were read from.
#include <cstdlib>

#include "soc/spool/format.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace gatehouse;
  const core::ByteView bytes(data, size);
  (void)soc::read_segment_header(bytes);
  for (std::size_t at = 0;;) {
    const auto found = soc::find_record(bytes, at);
    if (!found) return 0;
    const soc::RecordRead read = soc::read_record(bytes.subspan(*found));
    std::string again;
    soc::append_record(again, read.record);
    if (again != core::as_text(bytes.subspan(*found, read.record.size()))) std::abort();
    at = *found + read.record.size();
  }
}
