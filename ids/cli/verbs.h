// The verbs of the command `ids`. Each returns the exit status.
#pragma once

#include "core/cli.h"

namespace gatehouse::ids::cli {

core::ToolSpec ids_tool();

core::Result<int> verb_run(const core::Args& args);
core::Result<int> verb_check(const core::Args& args);
core::Result<int> verb_bench(const core::Args& args);
core::Result<int> verb_test(const core::Args& args);
core::Result<int> verb_explain(const core::Args& args);
core::Result<int> verb_keywords(const core::Args& args);
core::Result<int> verb_config(const core::Args& args);
core::Result<int> verb_anomaly_explain(const core::Args& args);
core::Result<int> verb_anomaly_top(const core::Args& args);
core::Result<int> verb_anomaly_replay(const core::Args& args);
core::Result<int> verb_anomaly_classes(const core::Args& args);

}  // namespace gatehouse::ids::cli
