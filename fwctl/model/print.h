// Text forms of the normal form.
#pragma once

#include <string>

#include "fwctl/model/ruleset.h"

namespace gatehouse::fwctl {

// One line for each rule and element, with the policy line behind it: for people and for goldens.
std::string print_normal(const Ruleset& ruleset);
// A file that `nft -f` loads, replacing the table.
std::string print_nft(const Ruleset& ruleset);
std::string print_json(const Ruleset& ruleset);

// The rule as nft writes it, without its comment.
std::string rule_text(const Rule& rule);

}  // namespace gatehouse::fwctl
