// Running the engine over a capture file or on interfaces.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "core/result.h"
#include "ids/engine/output.h"
#include "ids/engine/profile.h"
#include "ids/engine/rule_set.h"
#include "ids/engine/settings.h"
#include "ids/engine/stats.h"

namespace gatehouse::ids::engine {

struct RunSummary {
  StatsSnapshot stats;
  std::int64_t elapsed_us = 0;
  Profile profile;
};

// Reads the whole file through `workers` workers into `output`, which has one port more than there
// are workers: the last is for stats. A damaged file is an Error after everything before the damage
// was worked through; `summary` is filled all the same.
core::Status run_file(const std::string& path, const Settings& settings, const RuleSet& rules, Output& output,
                      unsigned workers, RunSummary& summary, FileStore* store = nullptr);

struct LiveRun {
  std::vector<std::string> interfaces;
  unsigned workers = 1;  // per interface
  std::vector<std::string> rule_paths;
  std::string log_directory;  // empty: none; "-": standard output
  std::string spool;          // empty: none
  std::uint64_t spool_cap_bytes = 1U << 30U;
  std::string user;  // account to become; empty: stay
  bool sandbox = true;
  std::string top_socket;  // empty: none; see top.h
};

// Until SIGTERM or SIGINT. SIGHUP reloads the rules and reopens the log.
core::Status run_live(const LiveRun& run, const Settings& settings, RuleSet rules);

}  // namespace gatehouse::ids::engine
