// Files kept on disk, away from the packet path: DIR/<first two digits>/<SHA-256>, each once, and
// beside it a description per sighting.
#pragma once

#include <cstdint>
#include <memory>
#include <string>

#include "core/result.h"
#include "ids/engine/output.h"
#include "ids/parsers/file.h"

namespace gatehouse::ids::engine {

struct FileStoreSettings {
  bool enabled = false;
  std::string directory = "filestore";  // relative: below the log directory
  bool write_info = false;              // a description beside each file
  bool force = false;                   // every file, without a rule
  std::uint64_t limit = 0;              // bytes of a file; 0: all
  unsigned most_open = 1000;            // files being written at once
};

struct FileStoreCounters {
  std::uint64_t stored = 0, known = 0, refused = 0, failed = 0;
};

// One thread writes; any number of workers hand over bytes. What waits is bounded: over a capture
// file the workers wait, in live capture the file is given up. A file gets its name when it is
// complete, so a reader never sees half of one.
class DiskFileStore : public FileStore {
 public:
  // Makes the directories. No thread runs before start().
  static core::Result<std::unique_ptr<DiskFileStore>> make(const FileStoreSettings& settings,
                                                           std::string directory, WhenFull when_full);
  ~DiskFileStore() override;  // ends like stop()

  void start();
  // Everything handed over so far is written.
  void stop();
  std::unique_ptr<FileSink> open() override;
  FileStoreCounters counters() const;

 private:
  class Impl;
  class Sink;
  explicit DiskFileStore(std::shared_ptr<Impl> impl) : impl_(std::move(impl)) {}

  std::shared_ptr<Impl> impl_;  // shared with sinks, which may live longer
};

// The directory of `settings` as `log_directory` makes it; empty when that is none ("-").
std::string file_store_directory(const FileStoreSettings& settings, const std::string& log_directory);
// The store in that directory; an error when there is none.
core::Result<std::unique_ptr<DiskFileStore>> make_file_store(const FileStoreSettings& settings,
                                                             const std::string& log_directory,
                                                             WhenFull when_full);

}  // namespace gatehouse::ids::engine
