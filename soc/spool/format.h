// The bytes of a segment file. All integers in network byte order.
//
//   segment header, 32 bytes: "GHSPOOL1" | crc32 of the rest (4) | 0 (4) | first sequence (8) | created (8)
//   record header, 48 bytes:  magic (4) | length of the line (4) | crc32 of the rest and the line (4)
//                             | class (1) | 0 (3) | instance (8) | sequence (8) | appended_us (8) | skipped
//                             (8)
//   then the line, without newline.
//
// A record proves itself: the magic has bytes that no JSON text contains, and lines with control
// bytes are refused at append, so a search for the next record after damage cannot be led astray by
// what an attacker got logged.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "core/bytes.h"
#include "soc/spool/event.h"

namespace gatehouse::soc {

inline constexpr std::size_t kSegmentHeaderBytes = 32;
inline constexpr std::size_t kRecordHeaderBytes = 48;
inline constexpr std::uint32_t kRecordMagic = 0xF7470152;

struct SegmentHeader {
  std::uint64_t first_sequence = 0;  // the next sequence when the segment was begun
  std::int64_t created_us = 0;
};

void append_segment_header(std::string& out, const SegmentHeader& header);
std::optional<SegmentHeader> read_segment_header(core::ByteView bytes);

// One JSON object in appearance: braces at both ends, no control byte, at most kMaxLineBytes.
bool valid_line(std::string_view line);

// A record as it lies in memory; `line` is a view into the bytes given.
struct RecordView {
  EventClass event_class = EventClass::transaction;
  EventId id;
  std::int64_t appended_us = 0;
  std::uint64_t skipped = 0;
  std::string_view line;

  std::size_t size() const { return kRecordHeaderBytes + line.size(); }
  Event copy() const;
};

// The line must have passed valid_line().
void append_record(std::string& out, const RecordView& record);
// Bytes of the record that append_record() put at the start of `bytes`.
std::size_t record_size(core::ByteView bytes);

enum class RecordState : std::uint8_t { complete, partial, damaged };
struct RecordRead {
  RecordState state = RecordState::partial;
  RecordView record;
};
// The record at the start of `bytes`. `partial`: the bytes end before it does, and what is there
// could be the beginning of one.
RecordRead read_record(core::ByteView bytes);

// Offset of the first complete record at or after `from`; nothing when there is none.
std::optional<std::size_t> find_record(core::ByteView bytes, std::size_t from);

}  // namespace gatehouse::soc
