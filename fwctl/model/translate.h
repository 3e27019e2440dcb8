// Masquerading and forwarded ports.
#pragma once

#include <vector>

#include "core/result.h"
#include "fwctl/model/ruleset.h"
#include "site/model/site.h"

namespace gatehouse::fwctl {

struct Translation {
  std::vector<Set> sets;
  std::vector<Chain> chains;    // base chains of their own
  std::vector<Rule> forwarded;  // for the chain of what passes: new connections of forwarded ports
};
core::Result<Translation> build_translation(const site::Site& site);
// A service that a forwarded port leads to has a chain, exposed or not.
bool is_forwarded_to(const site::Site& site, const site::Service& service);

}  // namespace gatehouse::fwctl
