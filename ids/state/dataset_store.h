// The datasets of one engine, by name. A set that rules change lives on over reloads; one that is
// only loaded is read anew with the rules.
#pragma once

#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

#include "core/diag.h"
#include "core/result.h"
#include "ids/state/dataset_file.h"

namespace gatehouse::ids {

struct DatasetLimits {
  std::uint64_t memcap_bytes = 100U << 20U;  // of a set that names none
  std::uint32_t expected = 4096;             // members, where a set does not say
  std::uint32_t single_expected = 262'144;   // the most one set may expect
  bool enabled = true;
  std::uint64_t total_expected = 67'108'864U;  // of all sets together
  bool rules_may_write = true;                 // rules may name `state` and `save` files
  bool rules_may_use_absolute_paths = false;   // for those
  // Where `state` and `save` files are; empty: where events are logged.
  std::string save_directory;
};

// A set as a rule or the configuration describes it.
struct DatasetSpec {
  std::string name;
  std::optional<DatasetType> type;  // none: the set must be there already
  std::string load, state, save;    // file names; empty: none
  std::string directory;            // of the rule file: `load` is looked for there first
  std::optional<std::uint64_t> memcap_bytes;
  std::optional<std::uint32_t> expected;
  bool json = false;
  DatasetJson form;               // with `json`
  bool needs_reputation = false;  // datarep
  bool configured = false;        // by the configuration: may use any path
};

class DatasetStore {
 public:
  explicit DatasetStore(DatasetLimits limits = {}) : limits_(std::move(limits)) {}

  // Where relative `state` and `save` paths start. Before the first open().
  void set_base_directory(std::string directory) { base_directory_ = std::move(directory); }
  // A rule set is about to be checked: sets that were only loaded are read anew when asked for.
  void begin_load();
  // The set, made and filled when it is not there. An Error says what is wrong with `spec`; mistakes
  // in files are diagnostics as well.
  core::Result<std::shared_ptr<Dataset>> open(const DatasetSpec& spec, core::Diagnostics& diagnostics);
  // Writes the sets that have a file to keep them in, each atomically. The first failure, after all
  // were tried.
  core::Status save() const;
  // Directories save() writes to.
  std::vector<std::string> save_directories() const;

 private:
  struct Kept {
    std::shared_ptr<Dataset> set;
    DatasetSpec spec;
    std::string save_path;  // empty: not saved
    bool broken = false;    // its file has mistakes, told once
  };
  core::Result<std::shared_ptr<Dataset>> known(Kept& kept, const DatasetSpec& spec) const;
  core::Status check(const DatasetSpec& spec) const;
  core::Result<std::string> save_path(const DatasetSpec& spec, const std::string& file) const;
  core::Status fill(Kept& kept, const std::string& path, bool must_exist,
                    core::Diagnostics& diagnostics) const;

  DatasetLimits limits_;
  std::string base_directory_ = ".";
  mutable std::mutex mutex_;  // reload and shutdown are different threads
  std::map<std::string, Kept, std::less<>> sets_;
};

}  // namespace gatehouse::ids
