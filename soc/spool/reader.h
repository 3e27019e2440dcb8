// Reads one stream in order, beside a writer that appends to it, and counts what is missing.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "core/bytes.h"
#include "core/os.h"
#include "core/result.h"
#include "soc/spool/event.h"
#include "soc/spool/segments.h"

namespace gatehouse::soc {

// A place in a stream, with the account of everything before it: going back to a former position
// also takes back what was counted since. A default one is the oldest event there is.
struct Position {
  std::uint64_t segment = 0;
  std::uint64_t offset = 0;
  EventId last;               // the event before this place
  std::uint64_t events = 0;   // read
  std::uint64_t lost = 0;     // numbers that are missing without a reason: damage, removed files
  std::uint64_t dropped = 0;  // given up by the writer for want of room
  std::uint64_t damages = 0;  // places where bytes had to be stepped over
  friend bool operator==(const Position&, const Position&) = default;
};

struct ReadEvent {
  Event event;
  Position after;
};

struct RecordView;

class SpoolReader {
 public:
  // Bytes at the end of the newest segment that are no whole record are usually being written; only
  // when they stay as they are for `grace_us` and whole records follow are they damage.
  explicit SpoolReader(std::string directory, Position start = {}, std::int64_t grace_us = 1'000'000);

  // Appends to `out` what comes next: at most `most_events`, and no more after `most_bytes` of lines.
  // Nothing appended: the end, for now. Damage is never an error, a failing disk is.
  core::Status read(std::vector<ReadEvent>& out, std::size_t most_events, std::size_t most_bytes);

  const Position& position() const { return position_; }
  void go_to(const Position& position);
  // Bytes from here to the end of the stream.
  core::Result<std::uint64_t> bytes_ahead() const;
  // At the end, but bytes follow that are no whole record.
  bool has_unfinished_bytes() const { return unfinished_; }

 private:
  enum class Step : std::uint8_t { again, end };

  core::Result<Step> open_segment();
  core::Result<bool> fill();
  core::Result<Step> at_end_of_data();
  core::Result<Step> step_over_damage(bool sealed);
  void leave_segment(std::uint64_t next_index);
  void take(std::vector<ReadEvent>& out, std::size_t& bytes, const RecordView& record);
  core::ByteView ahead() const;

  std::string directory_;
  std::int64_t grace_us_;
  Position position_;
  core::UniqueFd file_;
  std::string buffer_;  // of the open segment, from buffer_offset_ on
  std::uint64_t buffer_offset_ = 0;
  bool unfinished_ = false;
  std::int64_t suspect_since_us_ = 0;  // when the bytes ahead were first found unreadable; 0: they are not
};

}  // namespace gatehouse::soc
