// A rule as written: the syntax tree of the Suricata rule language, every part with its position.
// Knows no keyword: names and values stay text until ids/keywords checks them.
#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include "core/diag.h"
#include "core/ip.h"

namespace gatehouse::ids::lang {

using core::SourcePos;

// Offset of a byte in RuleAst::text; RuleAst::position turns it into file, line and column.
using TextOffset = std::uint32_t;

// An address or port expression: any, a literal, a range, $VARIABLE or a [list], each possibly negated.
struct GroupExpr {
  enum class Kind : std::uint8_t { any, literal, range, variable, list };
  Kind kind = Kind::any;
  bool negated = false;
  std::string text;              // literal: "10.0.0.0/8", "80"; variable: name without $; range: first
  std::string text_last;         // range: last; a port range may leave one side empty ("1024:")
  std::vector<GroupExpr> items;  // list
  TextOffset at = 0;
  std::uint32_t length = 0;  // bytes it spans, negation included
};

enum class GroupKind : std::uint8_t { address, port };

enum class RuleDirection : std::uint8_t { to, both, transaction };  // ->  <>  =>

struct RuleHeader {
  std::string action;  // "alert", as written
  TextOffset action_at = 0;
  std::string protocol;  // "http", as written
  TextOffset protocol_at = 0;
  GroupExpr source, source_port;
  RuleDirection direction = RuleDirection::to;
  TextOffset direction_at = 0;
  GroupExpr destination, destination_port;
};

// `name;` or `name:value;`. Escapes of \; \" \\ \: are kept: keywords know what they mean there.
// The value is a substring of RuleAst::text, so that an offset into it is a position in the file.
struct RuleOption {
  std::string name;
  std::string value;
  bool has_value = false;
  TextOffset name_at = 0;
  TextOffset value_at = 0;
};

struct RuleAst {
  RuleHeader header;
  std::vector<RuleOption> options;
  std::string text;  // the rule on one line, as written (continuations joined)
  std::string file;

  // Where each physical line begins in `text`; sorted, never empty.
  struct Piece {
    TextOffset at = 0;
    std::uint32_t line = 1, column = 1;
  };
  std::vector<Piece> pieces;

  SourcePos position(TextOffset at) const;
};

struct RuleFileAst {
  std::vector<RuleAst> rules;
  std::size_t failed = 0;  // rules that do not parse; each has a diagnostic
};

// Parses a rule file: one rule a line, `\` at the end continues it, `#` comments. A bad rule gives
// one diagnostic and never stops the others.
RuleFileAst parse_rules(const core::SourceText& source, core::Diagnostics& diagnostics);

// The same without keeping the trees: `consume` gets each rule in file order and may move from it.
// Returns the number of rules that do not parse.
std::size_t parse_each_rule(const core::SourceText& source, core::Diagnostics& diagnostics,
                            const std::function<void(RuleAst&)>& consume);

// Canonical text; parsing it again gives the same tree but for positions.
std::string print_rule(const RuleAst& rule);
std::string print_group(const GroupExpr& group, GroupKind kind);

// Parses one address or port expression (also used for variable definitions in settings). Offsets
// in the tree count from the start of `text`; `where` is its position, for the error.
core::Result<GroupExpr> parse_group(std::string_view text, const SourcePos& where, GroupKind kind);

}  // namespace gatehouse::ids::lang
