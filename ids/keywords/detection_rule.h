// Rules about what the detectors find: they name a generator and sid that exist already, and say how such a
// finding is told.
//   alert ip any any -> any any (msg:"..."; gid:900; sid:20; priority:2;)    other words, other severity
//   pass ip 192.0.2.0/24 any -> any any (gid:900; sid:1;)                    silent, of these sources
#pragma once

#include <memory>
#include <vector>

#include "ids/keywords/keyword.h"

namespace gatehouse::ids {

bool is_detection_rule(const RuleBuilder& builder);
// Reports what such a rule cannot say. `before`: those of the same generator so far.
void check_detection_rule(RuleBuilder& builder, const std::vector<std::unique_ptr<const Rule>>& before);

}  // namespace gatehouse::ids
