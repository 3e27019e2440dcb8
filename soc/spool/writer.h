// Appends events to one stream of a spool directory: cheap for the caller, durable in groups.
#pragma once

#include <array>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>

#include "core/result.h"
#include "soc/spool/event.h"

namespace gatehouse::soc {

// A line longer than this is refused.
inline constexpr std::size_t kMaxLineBytes = 1U << 20U;

// signature_id of the alert that sums up what a full spool dropped.
inline constexpr std::uint64_t kSpoolLossSid = 9'100'001;

struct WriterOptions {
  std::uint64_t cap_bytes = 1U << 30U;            // of this stream on disk
  std::uint64_t segment_bytes = 8U << 20U;        // a new file after so much
  std::uint64_t sync_bytes = 256U << 10U;         // written and synced at the latest when so much waits,
  std::int64_t sync_interval_us = 200'000;        // or so much time has passed
  std::uint64_t buffer_bytes = 8U << 20U;         // waits in memory at most while the disk is slow or full
  std::int64_t summary_interval_us = 10'000'000;  // between two events that sum up drops
};

struct WriterCounters {
  std::array<std::uint64_t, kEventClasses> appended{};  // accepted, by class
  std::array<std::uint64_t, kEventClasses> dropped{};   // given up for want of room, by class
  std::uint64_t refused = 0;                            // not one JSON object on one line, or too long
  std::uint64_t bytes = 0;                              // written to disk
  std::uint64_t syncs = 0;
  std::uint64_t write_failures = 0;  // the disk was full or failed; retried
  std::uint64_t sync_failures = 0;
  std::uint64_t last_sequence = 0;    // given to the newest event, dropped ones included
  std::uint64_t synced_sequence = 0;  // this and all accepted before survive a crash of the machine

  std::uint64_t appended_total() const;
  std::uint64_t dropped_total() const;
};

// One writer per stream at a time (a lock file keeps a second one out); its methods may be called
// from several threads. A thread of its own writes and syncs; it starts in open(), so a program that
// restricts itself calls open() after it has done so.
//
// Never blocks on the disk and never fails because it is full: what finds no room is dropped by
// class, lowest first, and counted; the next event after a drop says how many are missing, and an
// alert sums them up for the SOC.
class SpoolWriter {
 public:
  // Creates SPOOL/STREAM when missing and recovers what a crashed predecessor left: a torn tail is
  // cut, the sequence goes on. `stream`: 1 to 32 of a-z 0-9 -, not starting with -.
  // Errc::conflict when another writer has the stream.
  static core::Result<std::unique_ptr<SpoolWriter>> open(const std::string& spool, std::string_view stream,
                                                         const WriterOptions& options = {});
  // Writes and syncs what waits.
  ~SpoolWriter();
  SpoolWriter(const SpoolWriter&) = delete;
  SpoolWriter& operator=(const SpoolWriter&) = delete;

  // False: dropped or refused, and counted.
  bool append(std::string_view line) { return append(line, classify(line)); }
  bool append(std::string_view line, EventClass event_class);

  // Returns when every event accepted so far is on stable storage; an error when it cannot be.
  core::Status sync();

  WriterCounters counters() const;
  // The identity shared by all events of this writer.
  std::uint64_t instance() const;

 private:
  class Impl;
  explicit SpoolWriter(std::unique_ptr<Impl> impl);
  std::unique_ptr<Impl> impl_;
};

}  // namespace gatehouse::soc
