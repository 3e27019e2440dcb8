// The files of lists rules look into: reputation, countries, datasets of the configuration.
#pragma once

#include <string>
#include <vector>

#include "ids/engine/settings.h"

namespace gatehouse::ids::engine {

// Reads what the settings name into the resources of the rules; before rules are checked. A mistake
// leaves what was there.
core::Status load_lists(const Settings& settings, core::Diagnostics& diagnostics);
// Where those files are: a reload reads them again.
std::vector<std::string> list_directories(const Settings& settings);

}  // namespace gatehouse::ids::engine
