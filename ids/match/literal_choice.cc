#include "ids/match/literal_choice.h"

#include <algorithm>
#include <cmath>
#include <utility>

#include "ids/keywords/regex.h"
#include "ids/match/evaluate.h"
#include "ids/search/class_prefix.h"
#include "ids/search/needle.h"

namespace gatehouse::ids {
namespace {

// So many rare bytes preselect as well as all of a literal.
constexpr std::size_t kWindow = 32;
constexpr std::size_t kShortLiteral = 4;
constexpr int kShortPenalty = 100, kBodyPenalty = 20, kRegexPenalty = 10;

int rarity(std::string_view bytes) {
  int sum = 0;
  for (std::size_t i = 0; i < bytes.size(); ++i) {
    // A byte seen just before says little: padding, words with double letters.
    const bool again =
        bytes.substr(i < 4 ? 0 : i - 4, std::min<std::size_t>(i, 4)).find(bytes[i]) != std::string_view::npos;
    sum += again ? 1 : byte_rarity(static_cast<std::uint8_t>(bytes[i]));
  }
  return sum;
}

std::string_view rarest_window(std::string_view bytes) {
  if (bytes.size() <= kWindow) return bytes;
  std::string_view best = bytes.substr(0, kWindow);
  int most = rarity(best);
  for (std::size_t at = 1; at + kWindow <= bytes.size(); ++at) {
    const std::string_view window = bytes.substr(at, kWindow);
    if (const int value = rarity(window); value > most) {
      most = value;
      best = window;
    }
  }
  return best;
}

// Where an occurrence that helps its rule must end; kNoReach: anywhere.
std::uint32_t reach_of(const Rule& rule, const BufferMatch& list, const ContentOp& content) {
  if (content.offset.slot >= 0 || content.depth.slot >= 0 || content.distance.slot >= 0 ||
      content.within.slot >= 0) {
    return kNoReach;
  }
  constexpr std::int64_t kFar = 1U << 20U;
  std::int64_t reach = kFar;
  const auto bound = [&](std::int64_t end) { reach = std::min(reach, std::max<std::int64_t>(end, 1)); };
  const std::int64_t offset = content.has_offset ? content.offset.literal : 0;
  if (content.startswith) bound(static_cast<std::int64_t>(content.pattern.size()));
  if (content.has_depth) bound(offset + content.depth.literal);
  // Without a content before it, "within" counts from the beginning. In streams
  // that is the window's.
  const bool first = !list.ops.empty() && &list.ops.front().content == &content;
  if (first && content.has_within && rule.rule_class == RuleClass::transaction)
    bound((content.has_distance ? content.distance.literal : 0) + content.within.literal);
  return reach == kFar ? kNoReach : static_cast<std::uint32_t>(reach);
}

// Where the content must begin, if it may only in one place.
std::optional<std::uint32_t> place_of(const ContentOp& content) {
  constexpr std::int64_t kFarthest = 4096;
  if (content.has_distance || content.has_within || content.offset.slot >= 0 || content.depth.slot >= 0)
    return std::nullopt;
  if (content.startswith) return 0;
  const std::int64_t offset = content.has_offset ? content.offset.literal : 0;
  const auto size = static_cast<std::int64_t>(content.pattern.size());
  if (!content.has_depth || content.depth.literal != size || offset < 0 || offset > kFarthest)
    return std::nullopt;
  return static_cast<std::uint32_t>(offset);
}

bool usable(const Rule& rule, const BufferMatch& list) {
  if (list.absent) return false;
  const BufferDescriptor& buffer = buffer_table()[list.buffer];
  if (rule.rule_class == RuleClass::transaction && buffer.get != nullptr) return true;
  // A rule about both sides of a transaction is not bound to the payload of one.
  if (rule.transactional) return false;
  return list.buffer == kPayloadBuffer && list.transforms.empty();
}

std::string_view part_of(const ContentOp& content) {
  std::string_view bytes = content.pattern;
  if (content.chop_length != 0) bytes = bytes.substr(content.chop_offset, content.chop_length);
  return rarest_window(bytes);
}

// Bodies are big: a literal elsewhere is cheaper to look for.
int penalty_of(const BufferMatch& list) {
  const BufferDescriptor& buffer = buffer_table()[list.buffer];
  return buffer.get == nullptr || buffer.final_progress > buffer.min_progress ? kBodyPenalty : 0;
}

int score(const BufferMatch& list, std::string_view part, std::uint32_t reach) {
  int value = rarity(part);
  // A short literal is bad where it may be anywhere.
  if (part.size() < kShortLiteral && reach == kNoReach) value -= kShortPenalty;
  return value - penalty_of(list);
}

// The classes as a window, if that is rare enough to be looked for; else none.
std::vector<ByteClass> rare_window(std::vector<ByteClass> classes) {
  constexpr double kRare = 1.0 / 1024;
  if (classes.size() > kWindowBytes) classes.resize(kWindowBytes);
  if (classes.empty() || ClassPrefix::frequency(classes) > kRare) classes.clear();
  return classes;
}

int rarity(std::span<const ByteClass> classes) {
  return static_cast<int>(-std::log2(ClassPrefix::frequency(classes)));
}

// What a match of the regex begins with, wherever it does.
std::vector<ByteClass> beginning(const BufferOp& op) {
  if (op.kind() != BufferOp::Kind::pcre || op.pcre().negated || op.pcre().regex->prefix().anchored) return {};
  return rare_window(op.pcre().regex->prefix().classes);
}

}  // namespace

ChosenLiteral choose_literal(const Rule& rule, bool with_classes) {
  constexpr int kAuthors = 1'000'000;
  ChosenLiteral chosen;
  int best = 0;
  for (const BufferMatch& list : rule.buffers) {
    if (!usable(rule, list)) continue;
    const auto propose = [&](std::vector<ByteClass> classes) {
      if (!with_classes || classes.empty()) return;
      const int value = rarity(classes) - kRegexPenalty - penalty_of(list);
      if (chosen.list != nullptr && value <= best) return;
      best = value;
      chosen = {&list, {}, std::move(classes), false, kNoReach, std::nullopt};
    };
    for (std::size_t i = 0; i < list.ops.size(); ++i) {
      const BufferOp& op = list.ops[i];
      propose(beginning(op));
      if (op.kind() != BufferOp::Kind::content || op.content.negated) continue;
      const std::uint32_t reach = reach_of(rule, list, op.content);
      const std::string_view part = part_of(op.content);
      if (reach == kNoReach && op.content.chop_length == 0 && i + 1 < list.ops.size())
        propose(rare_window(joint_classes(op.content, list.ops[i + 1])));
      // One byte is nearly everywhere: telling so costs more than asking the
      // rule.
      if (part.size() < 2 && reach == kNoReach) continue;
      int value = score(list, part, reach);
      const bool burden = part.size() < kShortLiteral && reach == kNoReach;
      if (op.content.fast_pattern && !burden) value = kAuthors;
      if (chosen.list != nullptr && value <= best) continue;
      best = value;
      chosen = {&list, part, {}, op.content.nocase, reach, place_of(op.content)};
      if (chosen.place) *chosen.place += static_cast<std::uint32_t>(part.data() - op.content.pattern.data());
    }
  }
  return chosen;
}

ChosenLiteral choose_gate(const Rule& rule, const ChosenLiteral& literal) {
  constexpr std::size_t kShortestAnywhere = 3;
  ChosenLiteral gate;
  if (literal.reach <= kNearReach) return gate;
  int best = 0;
  for (const BufferOp& op : literal.list->ops) {
    if (op.kind() != BufferOp::Kind::content) continue;
    const ContentOp& content = op.content;
    if (content.negated || content.has_distance || content.has_within) continue;
    const std::uint32_t reach = reach_of(rule, *literal.list, content);
    if (reach > kNearReach) continue;
    const std::string_view part = rarest_window(content.pattern);
    std::optional<std::uint32_t> place = place_of(content);
    if (!place && part.size() < kShortestAnywhere) continue;
    const int value = rarity(part);
    if (gate.list != nullptr && value <= best) continue;
    best = value;
    if (place) *place += static_cast<std::uint32_t>(part.data() - content.pattern.data());
    gate = {literal.list, part, {}, content.nocase, reach, place};
  }
  return gate;
}

}  // namespace gatehouse::ids
