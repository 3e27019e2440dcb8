// The checks of a whole policy: nevers, entry programs, and what a back end would lose.
#pragma once

#include <vector>

#include "core/diag.h"
#include "mac/backends/backend.h"
#include "mac/ir/ir.h"

namespace gatehouse::mac {

// `never` statements against all grants; entry and transition programs that their domain may not
// execute. Everything found is an error.
void check_policy(const site::Site& site, const Ir& ir, core::Diagnostics& diagnostics);

// Compiles every domain; residuals whose code is not in `accept-gaps` are errors with that code,
// the others notes. Codes in `accept-gaps` that no residual has are warnings: the list must not
// outgrow its reasons. Gives all residuals.
core::Result<std::vector<Residual>> check_backend(const site::Site& site, const Ir& ir,
                                                  const Backend& backend, const BackendOptions& options,
                                                  core::Diagnostics& diagnostics);

}  // namespace gatehouse::mac
