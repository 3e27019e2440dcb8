// Who changes the ruleset, and what is done about it.
#pragma once

#include <string>
#include <vector>

#include "fwctl/guard/keeper.h"
#include "fwctl/guard/report.h"
#include "fwctl/netlink/watch.h"
#include "site/model/site.h"

namespace gatehouse::fwctl {

// All of this must outlive it.
struct DriftParts {
  const site::Guard& policy;
  TableKeeper& keeper;
  Reporter& report;
  GuardCounters& counters;
};

class DriftWatch {
 public:
  DriftWatch(const DriftParts& parts, RulesetWatch watch) : p_(parts), watch_(std::move(watch)) {}

  int descriptor() const { return watch_.descriptor(); }
  // What has been committed since: told, and repaired if it shall be. `lent`: our socket is another's now.
  void take_commits(bool lent);
  // The table was written by whom we do not know: all of it is compared soon.
  void look_again();
  void tick(bool lent);

 private:
  void hear(bool lent);
  void check(bool lent, std::int64_t seen_us);
  // Nothing when reading all was put off.
  core::Result<std::optional<TableKeeper::Drift>> look(bool lent);
  void repair(const TableKeeper::Drift& drift, std::int64_t seen_us);
  void foreign_table(const std::string& name, const std::string& culprit);

  DriftParts p_;
  RulesetWatch watch_;
  std::vector<std::string> culprits_;  // since the last look
  bool again_ = false;
  std::int64_t looked_us_ = 0;
  std::int64_t all_at_us_ = 0;  // when all is compared; 0: not asked for
  bool unhurried_ = false;      // this look is that; who commits meanwhile goes first
  int put_off_ = 0;             // how often it has
};

}  // namespace gatehouse::fwctl
