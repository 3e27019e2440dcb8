// Does a list of contents, regexes and tests hold on given bytes? The naive, exact half of
// detection: the prefilter only decides when to ask.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "ids/keywords/rule.h"
#include "ids/search/class_prefix.h"
#include "ids/search/needle.h"

namespace gatehouse::ids {

struct ListPlan;

// A content as matching needs it. Together with the op, apart from the rule: what an evaluation touches lies
// in few cache lines.
struct ContentPlan {
  [[no_unique_address]] Needle needle;
  PlaceNumber offset, depth, distance, within;
  bool has_offset : 1 = false, has_depth : 1 = false, has_distance : 1 = false, has_within : 1 = false;
  bool negated : 1 = false, startswith : 1 = false, endswith : 1 = false;
};

// What few ops have.
struct OpExtra {
  // The op right behind, when that is a regex which must begin where this content ends.
  const CompiledRegex* followed_by = nullptr;
  // The content and the beginning of that regex, when both are looked for at once.
  std::unique_ptr<const ClassPrefix> joint;
  std::unique_ptr<const ListPlan> inner;  // of a nested op
};

// One op, prepared for matching. There are a hundred thousand of them: small members lie in the padding.
struct OpPlan {
  const BufferOp* op = nullptr;
  [[no_unique_address]] ContentPlan content;
  BufferOp::Kind kind = BufferOp::Kind::content;
  bool relative = false;
  bool relative_next = false;  // the next op continues from here: another match may serve it better
  std::unique_ptr<OpExtra> extra;
};
static_assert(sizeof(OpPlan) <= 80);

struct ListPlan {
  const BufferMatch* match = nullptr;  // null: of a nested op
  std::vector<OpPlan> ops;
  // Of `match`, which is rarely in the processor's caches.
  BufferId buffer = 0;
  std::optional<Direction> direction;
  bool transformed = false, absent = false, absent_or_else = false;
  bool needs_final = false;  // bytes to come could turn a match into none
};

ListPlan plan_list(const BufferMatch& match);

// A short content is everywhere; with what the regex right behind it begins with, it is not. One class for
// each byte; none: nothing can be said.
std::vector<ByteClass> joint_classes(const ContentOp& content, const BufferOp& next);

// `base` is the offset of buffer[0] in what absolute positions count from: not 0 only for stream
// data that is inspected in pieces.
bool holds_in(const ListPlan& list, InspectContext& context, ByteView buffer, std::uint64_t base);

// How far a list came: so many of its ops held one after the other, the last one ending at `cursor`.
struct ListReach {
  std::size_t ops = 0;
  std::size_t cursor = 0;
  bool holds = false;
};
// The same evaluation as holds_in(), telling how far it came. For explanations, not for the packet path.
ListReach reach_in(const ListPlan& list, InspectContext& context, ByteView buffer, std::uint64_t base);

}  // namespace gatehouse::ids
