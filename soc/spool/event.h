// An event as the spool sees it: one EVE JSON line, a class that decides who is dropped first, and
// an identity that never repeats.
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace gatehouse::soc {

// In the order in which they are given up when room runs out; stored on disk, so numbers stay.
enum class EventClass : std::uint8_t {
  stats = 0,
  flow = 1,
  transaction = 2,
  anomaly = 3,
  activity = 4,
  alert = 5
};
inline constexpr std::size_t kEventClasses = 6;
std::string_view to_string(EventClass event_class);

// By the line's event_type: `stats`, `flow` and `netflow`, `anomaly`, `drop` and `alert` have their
// class, every protocol (`http`, `tls`, ...) is a transaction.
EventClass classify(std::string_view line);

// `instance` is drawn at random each time a writer opens a stream; `sequence` goes on counting over
// restarts of the writer. The pair is unique even when a power cut loses the newest sequence numbers
// after a receiver has seen them; the sequence alone shows a receiver what it misses.
struct EventId {
  std::uint64_t instance = 0;
  std::uint64_t sequence = 0;

  // "3f9a6c1d2e4b5a60-1234"
  std::string to_string() const;
  static std::optional<EventId> parse(std::string_view text);
  friend bool operator==(const EventId&, const EventId&) = default;
};

// One event as read back from a spool.
struct Event {
  EventClass event_class = EventClass::transaction;
  EventId id;
  std::int64_t appended_us = 0;  // wall clock of append()
  std::uint64_t skipped = 0;     // events the writer dropped for want of room right before this one
  std::string line;
};

}  // namespace gatehouse::soc
