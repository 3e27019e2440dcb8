// From rule files to an engine.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "core/diag.h"
#include "ids/engine/settings.h"
#include "ids/match/detector.h"

namespace gatehouse::ids::engine {

struct RuleSet {
  std::shared_ptr<const Engine> engine;
  std::size_t loaded = 0, failed = 0, skipped = 0;
  std::vector<std::string> files;  // those read
  std::uint64_t text_bytes = 0;    // of the files
  std::uint64_t load_bytes = 0;    // memory the load took at its peak; 0: not known
};

// The *.rules files of a directory, sorted; any other path as it is.
core::Result<std::vector<std::string>> rule_files(const std::vector<std::string>& paths);
core::Result<std::vector<core::SourceText>> read_rule_files(const std::vector<std::string>& paths);
// Bytes of all rule files.
core::Result<std::uint64_t> rule_text_bytes(const std::vector<std::string>& paths);
// Reads the classification and threshold files the settings name, if any, into the rule environment,
// in place of what was read before.
core::Status load_classifications(Settings& settings, core::Diagnostics& diagnostics);

// An unreadable file is an Error. A bad rule has a diagnostic and is left out.
core::Result<RuleSet> load_rule_set(const std::vector<std::string>& paths, const Settings& settings,
                                    core::Diagnostics& diagnostics);

}  // namespace gatehouse::ids::engine
