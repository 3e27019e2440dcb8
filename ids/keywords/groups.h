// Turns address and port expressions into sets, resolving variables.
#pragma once

#include <map>
#include <set>
#include <string>

#include "ids/keywords/range_set.h"
#include "ids/keywords/rule.h"
#include "ids/lang/ast.h"

namespace gatehouse::ids {

struct GroupError {
  std::string code, message, hint;
  lang::TextOffset at = 0;
  std::uint32_t length = 1;
};

// Rule files repeat a few expressions thousands of times, so results are kept by their text.
class GroupResolver {
 public:
  explicit GroupResolver(const RuleEnvironment& environment) : environment_(environment) {}

  // Null: `error` says why, with an offset into the text `group` was parsed from.
  const AddressSet* addresses(const lang::GroupExpr& group, GroupError& error);
  const PortSet* ports(const lang::GroupExpr& group, GroupError& error);

 private:
  struct Sets {
    RangeSet v4, v6;  // ports use v4 only
  };
  bool resolve(const lang::GroupExpr& group, lang::GroupKind kind, Sets& out, GroupError& error);
  bool resolve_list(const lang::GroupExpr& group, lang::GroupKind kind, Sets& out, GroupError& error);
  bool resolve_variable(const lang::GroupExpr& group, lang::GroupKind kind, Sets& out, GroupError& error);
  bool resolve_base(const lang::GroupExpr& group, lang::GroupKind kind, Sets& out, GroupError& error);
  static Sets everything(lang::GroupKind kind);
  static Sets complement(const Sets& sets, lang::GroupKind kind);

  const RuleEnvironment& environment_;
  std::set<std::string> resolving_;  // variables being expanded: a cycle is an error
  std::map<std::string, Sets> variables_;
  std::map<std::string, AddressSet, std::less<>> address_cache_;
  std::map<std::string, PortSet, std::less<>> port_cache_;
};

}  // namespace gatehouse::ids
