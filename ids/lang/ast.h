// A rule as written: the syntax tree of the Suricata rule language, every part with its position.
// Knows no keyword: names and values stay text until ids/keywords checks them.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "core/diag.h"
#include "core/ip.h"

namespace gatehouse::ids::lang {

using core::SourcePos;

// An address or port expression: any, a literal, a range, $VARIABLE or a [list], each possibly negated.
struct GroupExpr {
  enum class Kind : std::uint8_t { any, literal, range, variable, list };
  Kind kind = Kind::any;
  bool negated = false;
  std::string text;              // literal: "10.0.0.0/8", "80"; variable: name without $; range: first
  std::string text_last;         // range: last; empty for an open end ("1024:")
  std::vector<GroupExpr> items;  // list
  SourcePos where;
  std::uint32_t length = 0;      // columns it spans
};

enum class RuleDirection : std::uint8_t { to, both, transaction };  // ->  <>  =>

struct RuleHeader {
  std::string action;    // "alert", as written
  SourcePos action_where;
  std::string protocol;  // "http", as written
  SourcePos protocol_where;
  GroupExpr source, source_port;
  RuleDirection direction = RuleDirection::to;
  GroupExpr destination, destination_port;
};

// `name;` or `name:value;`. Escapes of \; \" \\ \: are kept: keywords know what they mean there.
struct RuleOption {
  std::string name;
  std::string value;
  bool has_value = false;
  SourcePos where;        // of the name
  SourcePos value_where;  // of the first byte of value
};

struct RuleAst {
  RuleHeader header;
  std::vector<RuleOption> options;
  SourcePos where;
  std::string text;  // the rule on one line, as written (continuations joined)
};

struct RuleFileAst {
  std::vector<RuleAst> rules;
  std::size_t failed = 0;  // rules that do not parse; each has a diagnostic
};

// Parses a rule file: one rule a line, `\` at the end continues it, `#` comments. A bad rule gives
// one diagnostic and never stops the others.
RuleFileAst parse_rules(const core::SourceText& source, core::Diagnostics& diagnostics);

// Canonical text; parsing it again gives the same tree but for positions.
std::string print_rule(const RuleAst& rule);

// Parses one address or port expression (also used for variable definitions in settings).
core::Result<GroupExpr> parse_group(std::string_view text, const SourcePos& where);

}  // namespace gatehouse::ids::lang
