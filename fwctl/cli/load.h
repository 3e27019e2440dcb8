// What several commands begin with.
#pragma once

#include "core/cli.h"
#include "fwctl/model/ruleset.h"
#include "fwctl/netlink/kernel.h"
#include "fwctl/prove/search.h"
#include "site/model/site.h"

namespace gatehouse::fwctl::cli {

struct Policy {
  site::Site site;
  Ruleset ruleset;
};

// Prints what is wrong with the site and fails.
core::Result<site::Site> load_site(const std::string& path);
core::Result<site::Site> load_site(core::SourceText source);
// The site in the first argument, compiled.
core::Result<Policy> load_policy(const core::Args& args);

// Where the journal and the guard's sockets are: $GATEHOUSE_STATE and $GATEHOUSE_RUN, else the usual places.
std::string state_directory();
std::string run_directory();

void warn_missing(const std::vector<std::string>& interfaces);
prove::Interfaces interfaces_here();
// The ruleset in the kernel, or the one that `apply` would put there.
core::Result<LiveRuleset> ruleset_of(const Policy& policy, bool planned);

}  // namespace gatehouse::fwctl::cli
