// The commands, each `Result<exit status>(arguments)`.
#pragma once

#include "core/cli.h"

namespace gatehouse::fwctl::cli {

// policy.cc: what a policy is
core::Result<int> run_check(const core::Args& args);
core::Result<int> run_export(const core::Args& args);
core::Result<int> run_status(const core::Args& args);
// change.cc: bringing it into force
core::Result<int> run_plan(const core::Args& args);
core::Result<int> run_apply(const core::Args& args);
// journal.cc: what was changed, and back
core::Result<int> run_confirm(const core::Args& args);
core::Result<int> run_rollback(const core::Args& args);
core::Result<int> run_history(const core::Args& args);
core::Result<int> run_boot(const core::Args& args);
// guard.cc: the daemon, and asking it
core::Result<int> run_guard(const core::Args& args);
core::Result<int> run_ban(const core::Args& args);
core::Result<int> run_unban(const core::Args& args);
core::Result<int> run_bans(const core::Args& args);
// prove.cc: questions about what is in force
core::Result<int> run_prove(const core::Args& args);
core::Result<int> run_explain(const core::Args& args);
core::Result<int> run_lint(const core::Args& args);
// import.cc: a policy for what is in force
core::Result<int> run_import(const core::Args& args);

}  // namespace gatehouse::fwctl::cli
