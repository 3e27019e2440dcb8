// Warnings about rules that load: useless, impossible, doubled or dear.
#pragma once

#include <span>

#include "core/diag.h"
#include "ids/keywords/rule.h"

namespace gatehouse::ids::lint {

// `rules` is what check_rules() made of `sources`, in the same order. Adds warnings only.
void lint_rules(std::span<const core::SourceText> sources, const RuleList& rules, core::Diagnostics& out);

}  // namespace gatehouse::ids::lint
