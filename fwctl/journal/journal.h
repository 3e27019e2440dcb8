// What was brought into force and what was there before. See NOTES.md.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "core/diag.h"
#include "core/os.h"
#include "core/result.h"

namespace gatehouse::fwctl {

inline constexpr const char* kStateDirectory = "/var/lib/gatehouse/fwctl";

enum class EntryState : std::uint8_t {
  applying,     // the commit is about to be sent, or its sender was killed
  pending,      // in force until confirmed; taken back at its deadline
  confirmed,    // in force for good
  rolled_back,  // what was before is in force again
  failed,       // the commit was refused: nothing came of it
};
std::string_view to_string(EntryState state);

struct Entry {
  std::uint64_t id = 0;
  std::uint64_t step = 0;  // of all changes of state of all entries: the highest was the last
  EntryState state = EntryState::applying;
  std::string made;  // RFC 3339
  std::string site, site_file;
  std::string digest;  // of the table it brings
  std::uint64_t changes = 0;
  std::uint32_t generation = 0;  // after the commit; 0: not yet
  std::string by;                // "ana (uid 1000) by ssh from 10.66.2.10, pid 4711"
  std::string session;           // SSH_CONNECTION of whoever applied it; empty: none
  std::uint64_t network = 0;     // inode of the network namespace
  std::string boot;              // of the deadline
  std::int64_t deadline_us = 0;  // CLOCK_BOOTTIME; 0: confirmed without being asked for
  std::uint64_t keeper = 0;      // process that takes it back
  std::string ended;             // RFC 3339; when confirmed, rolled back or failed
  std::string why;               // "deadline of 60 s", "fwctl rollback by ..."

  // True when its time is over, or this is another boot.
  bool overdue(std::int64_t boottime_us, const std::string& boot_id) const;
};

std::string to_json(const Entry& entry);
core::Result<Entry> parse_entry(const core::SourceText& source);

std::int64_t boottime_us();
std::string boot_id();
std::uint64_t network_namespace();

class Journal {
 public:
  // The directory must be there, root's own, and nobody else's to write; `make` makes it.
  static core::Result<Journal> open(const std::string& directory, bool make);

  // Held until the value dies.
  core::Result<core::UniqueFd> lock() const;
  // The same without waiting; not valid when somebody holds it.
  core::UniqueFd try_lock() const;
  const std::string& directory() const { return directory_; }

  // Of this network namespace, oldest first. A damaged entry is an error that names its file.
  core::Result<std::vector<Entry>> entries() const;
  core::Result<Entry> entry(std::uint64_t id) const;
  core::Result<std::uint64_t> next_id() const;
  core::Status put(const Entry& entry) const;

  enum class Image : std::uint8_t { before, after };
  core::Status put_image(std::uint64_t id, Image which, std::string_view bytes) const;
  core::Result<std::string> image(std::uint64_t id, Image which) const;

  // Keeps the newest `most` entries, and whatever is pending.
  core::Status prune(std::size_t most) const;

 private:
  explicit Journal(std::string directory) : directory_(std::move(directory)) {}
  std::string path(std::uint64_t id, std::string_view ending) const;
  core::Result<std::vector<std::uint64_t>> ids() const;

  std::string directory_;
};

// What shall be in force: what the last entry that came to something brought, or took back. An `applying`
// entry counts when the live table has its digest.
struct Standing {
  std::uint64_t id = 0;
  Journal::Image image = Journal::Image::after;
};
std::optional<Standing> standing(const std::vector<Entry>& entries, const std::string& live_digest);
std::uint64_t next_step(const std::vector<Entry>& entries);

}  // namespace gatehouse::fwctl
