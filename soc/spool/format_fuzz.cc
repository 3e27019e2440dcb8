// Any bytes as a segment file: reading terminates, stays inside, and only returns records that
// encode to the very bytes they were read from. And a file of good records with one byte changed: all
// records are found but the one that was hit.
#include <cstdlib>
#include <vector>

#include "soc/spool/format.h"

namespace {

using namespace gatehouse;

void read_all(core::ByteView bytes) {
  (void)soc::read_segment_header(bytes);
  for (std::size_t at = 0;;) {
    const auto found = soc::find_record(bytes, at);
    if (!found) return;
    const soc::RecordRead read = soc::read_record(bytes.subspan(*found));
    std::string again;
    soc::append_record(again, read.record);
    if (again != core::as_text(bytes.subspan(*found, read.record.size()))) std::abort();
    at = *found + read.record.size();
  }
}

void write_and_damage(core::ByteReader input) {
  const std::size_t damaged_at = input.u16();
  const std::uint8_t damage = input.u8();
  std::string file;
  soc::append_segment_header(file, {1, 2});
  if (!soc::read_segment_header(core::as_bytes(file))) std::abort();
  std::vector<std::size_t> begins;
  while (input.ok() && !input.at_end() && file.size() < 8192) {
    soc::RecordView record;
    record.event_class = static_cast<soc::EventClass>(input.u8() % soc::kEventClasses);
    record.id = {input.u64(), input.u64()};
    record.skipped = input.u64();
    const std::size_t length = input.u8();
    const std::string line =
        "{" + std::string(core::as_text(input.bytes(std::min(length, input.remaining())))) + "}";
    if (!soc::valid_line(line)) continue;
    record.line = line;
    begins.push_back(file.size());
    soc::append_record(file, record);
  }
  begins.push_back(file.size());
  const std::size_t hit = damaged_at % file.size();
  file[hit] = static_cast<char>(static_cast<std::uint8_t>(file[hit]) ^ damage);
  std::size_t at = 0;
  for (std::size_t i = 0; i + 1 < begins.size(); ++i) {
    if (damage != 0 && hit >= begins[i] && hit < begins[i + 1]) continue;
    if (soc::find_record(core::as_bytes(file), at) != begins[i]) std::abort();
    at = begins[i + 1];
  }
  if (soc::find_record(core::as_bytes(file), at)) std::abort();
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const core::ByteView bytes(data, size);
  read_all(bytes);
  write_and_damage(core::ByteReader(bytes));
  return 0;
}
