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
// The ruleset that a question is about.
struct Asked {
  LiveRuleset ruleset;
  prove::Interfaces interfaces;
  bool planned = false;  // what `apply` would put into force; else what is, here or in a namespace of a file
};
// Of the options --planned and --ruleset FILE; without them, the one in the kernel.
core::Result<Asked> ruleset_asked_for(const core::Args& args, const Policy& policy);

}  // namespace gatehouse::fwctl::cli
