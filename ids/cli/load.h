// What several verbs read first: site file, configuration, classification.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "core/cli.h"
#include "ids/engine/rule_set.h"
#include "ids/engine/settings.h"
#include "site/model/site.h"

namespace gatehouse::ids::cli {

struct Loaded {
  std::optional<site::Site> site;
  engine::Settings settings;
};

// From --site, --config and --classification. Mistakes are printed; the Error sums them up.
core::Result<Loaded> load_settings(const core::Args& args);
// --rules and the rule files of the site.
core::Result<std::vector<std::string>> rule_paths(const core::Args& args, const Loaded& loaded);
// Loads them and tells on standard error what was refused. An Error when no rule of a set that has
// rules is good.
core::Result<engine::RuleSet> load_rules(const std::vector<std::string>& paths,
                                         const engine::Settings& settings);

// Options shared by the verbs that load settings.
std::vector<core::OptionSpec> settings_options();

}  // namespace gatehouse::ids::cli
