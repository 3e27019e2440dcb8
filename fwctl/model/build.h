// Site policy to normal form. docs/fwctl.md has the meaning as a table.
#pragma once

#include "core/result.h"
#include "fwctl/model/ruleset.h"
#include "site/model/site.h"

namespace gatehouse::fwctl {

core::Result<Ruleset> build_ruleset(const site::Site& site);

}  // namespace gatehouse::fwctl
