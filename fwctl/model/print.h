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
// A graph for Graphviz: hooks, chains, and which packets lead from one to the other.
std::string print_dot(const Ruleset& ruleset);

// The element's fields as nft writes them.
std::string element_key(const Set& set, const Element& element);
// The rule as nft writes it, without its comment.
std::string rule_text(const Rule& rule);

}  // namespace gatehouse::fwctl
