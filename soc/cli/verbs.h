// The verbs of `socfwd`, one file each.
#pragma once

#include "core/cli.h"
#include "core/result.h"
#include "site/model/site.h"
#include "soc/sinks/sink.h"

namespace gatehouse::soc {

core::Result<int> run_verb(const core::Args& args);
core::Result<int> status_verb(const core::Args& args);
core::Result<int> verify_verb(const core::Args& args);
core::Result<int> emit_verb(const core::Args& args);
core::Result<int> cat_verb(const core::Args& args);

// What `run` and `status` need of a site file.
struct ForwardPlan {
  std::string spool;
  std::string state;  // --state, or `.state` in the spool, which is no stream's name
  bool sandbox = true;
  std::vector<SinkSettings> sinks;
};
// Prints the site's diagnostics. An error when it names no receiver.
core::Result<ForwardPlan> load_plan(const core::Args& args);
// The same from a site already loaded.
core::Result<ForwardPlan> plan_of(const site::Site& site);

}  // namespace gatehouse::soc
