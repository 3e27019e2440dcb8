// Bans as the kernel keeps them: what is decided in bans.h becomes elements of timed sets.
#pragma once

#include <string>
#include <vector>

#include "core/ban.h"
#include "fwctl/guard/bans.h"
#include "fwctl/guard/keeper.h"
#include "fwctl/guard/report.h"
#include "site/model/site.h"

namespace gatehouse::fwctl {

class BanDesk {
 public:
  // What is given must outlive it.
  BanDesk(const site::Site& site, TableKeeper& keeper, Reporter& report, GuardCounters& counters)
      : site_(site),
        keeper_(keeper),
        report_(report),
        counters_(counters),
        bans_(site.firewall.guard.most_bans) {}

  // Looks again at who must never be banned: this machine's addresses change.
  void spare();
  core::Status ban(const core::BanRequest& request, const std::string& who);
  core::Status lift(const core::IpAddress& address);
  bool has(const core::IpAddress& address) { return bans_.has(address, core::monotonic_us()); }
  std::vector<Ban> all() { return bans_.all(core::monotonic_us()); }

 private:
  const KernelSet* set_for(const core::IpAddress& address) const;

  const site::Site& site_;
  TableKeeper& keeper_;
  Reporter& report_;
  GuardCounters& counters_;
  Bans bans_;
};

}  // namespace gatehouse::fwctl
