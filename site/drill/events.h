// Event logs as the drill reads them: what the SOC's receiver wrote, and the IDS's own log.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "core/result.h"

namespace gatehouse::drill {

// What the drill needs of one EVE event.
struct Event {
  std::int64_t received_us = 0;  // by the SOC; 0 in the IDS's own log
  std::int64_t event_us = 0;     // `timestamp`: when the packet was seen
  std::string type;              // event_type
  std::string source, target;    // src_ip, dest_ip
  std::uint64_t sid = 0;         // alert.signature_id; 0: none
  std::string signature;
  std::string detector;  // detection.class, "scan.syn.vertical"
  std::string id;        // what recognises a duplicate; may be empty
};

// A receiver's line is `RFC-3339-TIME TAB event-id TAB message-id TAB JSON`, an EVE line is JSON
// alone. Nothing when it is neither: the line is not an event.
std::optional<Event> parse_event_line(std::string_view line);
// "2026-11-21T20:30:00.123456+0000", "...Z", "...+00:00"; microseconds since the epoch.
std::optional<std::int64_t> parse_time_us(std::string_view text);

// What an attack must lead to. Every given condition must hold.
struct EventMatch {
  std::vector<std::uint64_t> sids;     // any of these signatures ...
  std::vector<std::string> detectors;  // ... or a detector class with one of these prefixes
  std::string source;                  // empty: any
  std::string target;                  // empty: any

  bool matches(const Event& event) const;
  std::string to_string() const;  // "sid 1000123" or "scan.syn"
};

// Follows a growing log. Keeps the alerts and anomalies of the complete lines it has read; a line cut off at
// the end is read when its rest has come.
class EventLog {
 public:
  explicit EventLog(std::string path) : path_(std::move(path)) {}

  // Reads what was appended. A log that is not there yet is empty.
  core::Status refresh();
  const std::vector<Event>& events() const { return events_; }
  // The first event received (or written) that matches and whose packet was not seen before `since_us`.
  const Event* first_match(const EventMatch& match, std::int64_t since_us) const;
  std::size_t other_lines() const { return other_; }  // flow records, statistics, ...
  std::size_t unreadable_lines() const { return unreadable_; }

 private:
  std::string path_;
  std::uint64_t offset_ = 0;
  std::string partial_;
  std::vector<Event> events_;
  std::size_t other_ = 0;
  std::size_t unreadable_ = 0;
};

}  // namespace gatehouse::drill
