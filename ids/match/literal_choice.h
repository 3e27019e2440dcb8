// Which bytes of a rule are looked for to preselect it.
#pragma once

#include <optional>
#include <string_view>

#include "ids/keywords/rule.h"
#include "ids/match/preselection.h"

namespace gatehouse::ids {

struct ChosenLiteral {
  const BufferMatch* list = nullptr;  // null: the rule has none
  std::string_view bytes;
  std::vector<ByteClass> then;  // and what has to follow the bytes, as in Literal
  bool nocase = false;
  std::uint32_t reach = kNoReach;      // where an occurrence that helps must end at the latest
  std::optional<std::uint32_t> place;  // where it must begin
};

// The author's fast pattern, unless it is a burden the rule does not need; else
// the rarest content. Of that, the rarest few bytes; of a short one, together with what its regex begins
// with. Without a content that helps, what a regex begins with.
// `with_classes`: neither of these two otherwise.
ChosenLiteral choose_literal(const Rule& rule, bool with_classes = true);

// Another content beside `literal`, in the same bytes, that must lie near their beginning: where it does not,
// `literal` need not be looked for. Without `list`: there is none.
ChosenLiteral choose_gate(const Rule& rule, const ChosenLiteral& literal);

}  // namespace gatehouse::ids
