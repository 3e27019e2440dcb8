#include "ids/match/evaluate.h"

#include <algorithm>
#include <limits>

#include "ids/keywords/regex.h"

namespace gatehouse::ids {
namespace {

constexpr std::size_t kNone = Needle::kNowhere;
// Steps one evaluation may take: relative contents that occur often would otherwise cost the
// product of their counts. The same order as the field uses.
constexpr unsigned kMostSteps = 3000;

// kTraced: notes how far it came; the packet path uses the other one, which pays nothing for it.
template <bool kTraced>
class Evaluation {
 public:
  Evaluation(const ListPlan& list, InspectContext& context, ByteView buffer, std::uint64_t base,
             ListReach* reach = nullptr)
      : list_(list), context_(context), buffer_(buffer), base_(base), reach_(reach) {}

  bool run() { return from(0, 0) == Outcome::yes; }

 private:
  // fatal: no other place of an earlier op can help.
  enum class Outcome : std::uint8_t { yes, no, fatal };

  Outcome from(std::size_t at, std::size_t cursor) {
    if constexpr (kTraced) {
      if (at >= reach_->ops) *reach_ = {at, cursor, false};
    }
    if (at == list_.ops.size()) return Outcome::yes;
    if (++steps_ > kMostSteps) return Outcome::fatal;
    const OpPlan& plan = list_.ops[at];
    switch (plan.kind) {
      case BufferOp::Kind::content:
        return content(plan, at, cursor);
      case BufferOp::Kind::pcre:
        return regex(plan, at, cursor);
      case BufferOp::Kind::nested:
        return nested(plan, at, cursor);
      case BufferOp::Kind::test:
        break;
    }
    if (!plan.op->test().holds(context_, buffer_, cursor)) return failed(plan);
    return from(at + 1, cursor);
  }

  static Outcome failed(const OpPlan& plan) { return plan.relative ? Outcome::no : Outcome::fatal; }

  std::int64_t value(const PlaceNumber& arg) const {
    return arg.slot >= 0 ? static_cast<std::int64_t>(std::min<std::uint64_t>(
                               context_.variables[static_cast<std::size_t>(arg.slot)], 1U << 30U))
                         : arg.literal;
  }

  // Where the pattern may lie: [first, last) of the buffer. False: nowhere.
  bool window(const ContentPlan& c, std::size_t cursor, std::size_t& first, std::size_t& last) const {
    const auto size = static_cast<std::int64_t>(buffer_.size());
    std::int64_t low = 0;
    std::int64_t high = size;
    if (c.has_distance || c.has_within) {
      const std::int64_t distance = c.has_distance ? value(c.distance) : 0;
      low = std::max<std::int64_t>(0, static_cast<std::int64_t>(cursor) + distance);
      // An end before the buffer is no end at all, as in the field.
      const std::int64_t end =
          static_cast<std::int64_t>(cursor) + distance + (c.has_within ? value(c.within) : 0);
      if (c.has_within && end >= 0) high = std::min(high, end);
    }
    const std::int64_t base = static_cast<std::int64_t>(base_);
    const std::int64_t offset = c.has_offset ? value(c.offset) : 0;
    if (c.has_offset) low = std::max(low, offset - base);
    if (c.has_depth) high = std::min(high, offset + value(c.depth) - base);
    if (c.startswith) {
      if (base_ != 0) return false;
      high = std::min(high, static_cast<std::int64_t>(c.needle.size()));
    }
    if (low > high || high <= 0) return false;
    first = static_cast<std::size_t>(low);
    last = static_cast<std::size_t>(high);
    return true;
  }

  std::size_t find(const OpPlan& plan, std::size_t first, std::size_t last) const {
    const Needle& needle = plan.content.needle;
    const std::size_t size = needle.size();
    // An explanation shall show the content where the regex fails.
    if (!kTraced && plan.extra && plan.extra->joint) {
      last = std::min(last, buffer_.size());
      return last < size ? kNone : plan.extra->joint->find(buffer_, first, last - size);
    }
    if (plan.content.endswith) {
      if (last != buffer_.size() || size > last || last - size < first) return kNone;
      first = last - size;
    }
    return needle.find(buffer_, first, last);
  }

  Outcome content(const OpPlan& plan, std::size_t at, std::size_t cursor) {
    const ContentPlan& c = plan.content;
    std::size_t first = 0;
    std::size_t last = 0;
    const bool possible = window(c, cursor, first, last);
    if (c.negated) {
      if (possible && find(plan, first, last) != kNone) return failed(plan);
      return from(at + 1, cursor);
    }
    if (!possible) return failed(plan);
    for (;;) {
      const std::size_t found = find(plan, first, last);
      if (found == kNone) return failed(plan);
      const std::size_t end = found + c.needle.size();
      const CompiledRegex* next = plan.extra ? plan.extra->followed_by : nullptr;
      const bool possible_next = next == nullptr || next->may_begin_at(buffer_, end);
      const Outcome rest = possible_next ? from(at + 1, end) : Outcome::no;
      if (rest != Outcome::no || !plan.relative_next) return rest;
      first = found + 1;
      if (++steps_ > kMostSteps) return Outcome::fatal;
    }
  }

  Outcome regex(const OpPlan& plan, std::size_t at, std::size_t cursor) {
    const PcreOp& p = plan.op->pcre();
    const std::size_t origin = p.relative ? std::min(cursor, buffer_.size()) : 0;
    // A relative regex sees the rest as its subject, so that ^ means "here".
    const ByteView subject = buffer_.subspan(origin);
    std::size_t start = 0;
    for (;;) {
      std::size_t begin = 0;
      std::size_t end = 0;
      const bool found = p.regex->find(subject, start, begin, end);
      if (p.negated) return found ? failed(plan) : from(at + 1, cursor);
      if (!found) return failed(plan);
      const std::size_t captured = context_.captures == nullptr ? 0 : context_.captures->size();
      if (context_.captures != nullptr && !p.captures.empty()) capture(p, subject);
      const Outcome rest = from(at + 1, origin + end);
      if (rest == Outcome::yes) return rest;
      if (context_.captures != nullptr) context_.captures->resize(captured);
      if (rest != Outcome::no || !plan.relative_next) return rest;
      start = begin + 1;
      if (start > subject.size() || ++steps_ > kMostSteps) return Outcome::no;
    }
  }

  // Of the match find() has just made.
  void capture(const PcreOp& p, ByteView subject) const {
    for (const CaptureTarget& target : p.captures) {
      const ByteView value = p.regex->last_group(subject, target.group);
      if (value.data() == nullptr) continue;
      Capture taken{target.scope, target.name, {}};
      if (target.name_group != 0) taken.name = text_of(p.regex->last_group(subject, target.name_group));
      if (taken.name.empty()) continue;
      taken.value = text_of(value);
      context_.captures->push_back(std::move(taken));
    }
  }
  static std::string text_of(ByteView bytes) {
    bytes = bytes.first(std::min(bytes.size(), kMaxCaptureBytes));
    return {bytes.begin(), bytes.end()};
  }

  // Only the first place of what it is relative to is decoded, so no other one is tried.
  Outcome nested(const OpPlan& plan, std::size_t at, std::size_t cursor) {
    std::vector<std::uint8_t> decoded;
    if (!plan.op->nested().decoder->decode(context_, buffer_, cursor, decoded)) return Outcome::fatal;
    return Evaluation<false>(*plan.extra->inner, context_, decoded, 0).run() ? from(at + 1, cursor)
                                                                             : Outcome::fatal;
  }

  const ListPlan& list_;
  InspectContext& context_;
  ByteView buffer_;
  std::uint64_t base_;
  ListReach* reach_;
  unsigned steps_ = 0;
};

bool is_relative(const BufferOp& op) {
  switch (op.kind()) {
    case BufferOp::Kind::content:
      return op.content.has_distance || op.content.has_within;
    case BufferOp::Kind::pcre:
      return op.pcre().relative;
    case BufferOp::Kind::test:
      return op.test().relative();
    case BufferOp::Kind::nested:
      return op.nested().decoder->relative();
  }
  return false;
}

bool needs_final(const BufferOp& op) {
  switch (op.kind()) {
    case BufferOp::Kind::content:
      return op.content.negated || op.content.endswith;
    case BufferOp::Kind::pcre:
      return op.pcre().needs_final;
    case BufferOp::Kind::test:
      return op.test().needs_final();
    case BufferOp::Kind::nested:
      return std::any_of(op.nested().ops.begin(), op.nested().ops.end(), needs_final);
  }
  return false;
}

ContentPlan plan_content(const ContentOp& content) {
  ContentPlan plan;
  plan.needle = Needle(content.pattern, content.nocase);
  plan.offset = content.offset;
  plan.depth = content.depth;
  plan.distance = content.distance;
  plan.within = content.within;
  plan.has_offset = content.has_offset;
  plan.has_depth = content.has_depth;
  plan.has_distance = content.has_distance;
  plan.has_within = content.has_within;
  plan.negated = content.negated;
  plan.startswith = content.startswith;
  plan.endswith = content.endswith;
  return plan;
}

std::unique_ptr<const ClassPrefix> joint_prefix(const ContentOp& content, const BufferOp& next) {
  const std::vector<ByteClass> classes = joint_classes(content, next);
  return classes.empty() ? nullptr : std::make_unique<const ClassPrefix>(classes);
}

ListPlan plan_ops(std::span<const BufferOp> ops) {
  ListPlan plan;
  plan.ops.reserve(ops.size());
  for (const BufferOp& op : ops) {
    OpPlan next;
    next.op = &op;
    next.relative = is_relative(op);
    next.kind = op.kind();
    if (op.kind() == BufferOp::Kind::content) next.content = plan_content(op.content);
    if (op.kind() == BufferOp::Kind::nested) {
      next.extra = std::make_unique<OpExtra>();
      next.extra->inner = std::make_unique<const ListPlan>(plan_ops(op.nested().ops));
    }
    if (!plan.ops.empty()) plan.ops.back().relative_next = next.relative;
    if (!plan.ops.empty() && op.kind() == BufferOp::Kind::pcre && op.pcre().relative && !op.pcre().negated) {
      OpPlan& before = plan.ops.back();
      if (!before.extra) before.extra = std::make_unique<OpExtra>();
      before.extra->followed_by = op.pcre().regex.get();
      if (before.kind == BufferOp::Kind::content) before.extra->joint = joint_prefix(before.op->content, op);
    }
    plan.needs_final = plan.needs_final || needs_final(op);
    plan.ops.push_back(std::move(next));
  }
  // A relative op can stand behind a negated one: what precedes that must stay free to move, too.
  for (std::size_t i = plan.ops.size(); i-- > 1;) {
    const bool moves_cursor =
        !(plan.ops[i].op->kind() == BufferOp::Kind::content && plan.ops[i].op->content.negated) &&
        !(plan.ops[i].op->kind() == BufferOp::Kind::pcre && plan.ops[i].op->pcre().negated);
    if (plan.ops[i].relative_next && !moves_cursor) plan.ops[i - 1].relative_next = true;
  }
  return plan;
}

}  // namespace

std::vector<ByteClass> joint_classes(const ContentOp& content, const BufferOp& next) {
  if (content.negated || content.endswith || content.pattern.size() >= kWindowBytes) return {};
  if (next.kind() != BufferOp::Kind::pcre || !next.pcre().relative || next.pcre().negated) return {};
  const RegexPrefix& begin = next.pcre().regex->prefix();
  if (!begin.anchored || begin.classes.empty()) return {};
  std::vector<ByteClass> classes = byte_classes(content.pattern, content.nocase);
  classes.insert(classes.end(), begin.classes.begin(), begin.classes.end());
  return classes;
}

ListPlan plan_list(const BufferMatch& match) {
  ListPlan plan = plan_ops(match.ops);
  plan.match = &match;
  plan.buffer = match.buffer;
  plan.direction = match.direction;
  plan.transformed = !match.transforms.empty();
  plan.absent = match.absent;
  plan.absent_or_else = match.absent_or_else;
  return plan;
}

bool holds_in(const ListPlan& list, InspectContext& context, ByteView buffer, std::uint64_t base) {
  const std::size_t findings = context.findings == nullptr ? 0 : context.findings->size();
  if (Evaluation<false>(list, context, buffer, base).run()) return true;
  // Nothing is left of what did not hold.
  if (context.findings != nullptr) context.findings->resize(findings);
  return false;
}

ListReach reach_in(const ListPlan& list, InspectContext& context, ByteView buffer, std::uint64_t base) {
  ListReach reach;
  reach.holds = Evaluation<true>(list, context, buffer, base, &reach).run();
  return reach;
}

}  // namespace gatehouse::ids
