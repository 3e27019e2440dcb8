// The setting of connection tracking that a SYN proxy supposes, while the guard runs: the kernel tells nobody
// when it is written, so it is read each time the guard's loop turns.
#pragma once

#include <optional>

#include "fwctl/control/tracking.h"
#include "fwctl/guard/keeper.h"
#include "fwctl/guard/report.h"
#include "site/model/site.h"

namespace gatehouse::fwctl {

class SettingWatch {
 public:
  // All of them must outlive it.
  SettingWatch(const site::Guard& policy, const TableKeeper& keeper, Reporter& report,
               GuardCounters& counters)
      : policy_(policy), keeper_(keeper), report_(report), counters_(counters) {}

  // Before the file system is fenced off: what is opened now can be written then.
  void open();
  void tick();
  // What is in force does what it means.
  bool is_right() const { return !told_; }

 private:
  bool is_wrong() const;
  const site::Guard& policy_;
  const TableKeeper& keeper_;
  Reporter& report_;
  GuardCounters& counters_;
  std::optional<PickUpSetting> setting_;
  bool told_ = false;
};

}  // namespace gatehouse::fwctl
