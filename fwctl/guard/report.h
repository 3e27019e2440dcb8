// What the guard tells: a log line, an event for the SOC, a line in commits.log, metrics.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "core/result.h"
#include "fwctl/api.h"
#include "fwctl/netlink/watch.h"
#include "soc/api.h"

namespace gatehouse::fwctl {

struct GuardCounters {
  bool in_force = false;
  std::uint32_t generation = 0;
  std::uint64_t drifts = 0, repairs = 0, failed_repairs = 0, commits_of_others = 0, lost_events = 0;
  std::uint64_t settings = 0, new_tables = 0, bans = 0, refused_bans = 0, active_bans = 0, loans = 0;
  std::uint64_t last_repair_us = 0;  // from the first event read to the commit that made it right
};

// Prometheus text format, version 0.0.4.
std::string metrics_text(const GuardCounters& counters, const std::vector<RuleCount>& rules);

// The command line of a process that may have ended already; empty then.
std::string command_of(std::uint32_t pid);

class Reporter {
 public:
  // `spool` may be missing: then events are only logged.
  static Reporter open(const std::string& state_directory, const std::string& spool);

  // `kind`: drift, repaired, repair-failed, foreign-table, setting, control-group, ban, rollback. `facts` are
  // names and values.
  void event(const std::string& kind, const std::string& sentence,
             const std::vector<std::pair<std::string, std::string>>& facts);
  void commit(const Commit& commit, const std::string& command);

 private:
  std::string commits_file_;
  std::unique_ptr<soc::SpoolWriter> spool_;
};

}  // namespace gatehouse::fwctl
