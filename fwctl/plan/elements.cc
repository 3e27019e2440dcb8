#include "fwctl/plan/elements.h"

#include <cstring>

#include "fwctl/compile/describe.h"

namespace gatehouse::fwctl {
namespace {

constexpr std::size_t kMostElementsNamed = 200;

class Comparison {
 public:
  explicit Comparison(const KernelSet& wanted) : w_(wanted), place_("set " + wanted.name) {
    out_.more = wanted.definition();
    out_.fewer = wanted.definition();
  }

  // Most sets of a large site are as they were: that is one comparison of memory.
  ElementDifference plain(const PlainKeys& before) {
    const PlainKeys& after = *w_.elements.plain();
    if (before == after) return std::move(out_);
    PlainKeys more{after.key_length, after.ranges, {}};
    PlainKeys fewer = more;
    std::size_t b = 0;
    std::size_t a = 0;
    while (b < before.size() || a < after.size()) {
      const int order = b == before.size()  ? 1
                        : a == after.size() ? -1
                                            : std::memcmp(before.at(b), after.at(a), after.stride());
      if (order < 0) {
        if (count(ChangeKind::remove)) name(ChangeKind::remove, before.element(b));
        fewer.append(before, b);
      } else if (order > 0) {
        if (count(ChangeKind::add)) name(ChangeKind::add, after.element(a));
        more.append(after, a);
      }
      if (order <= 0) ++b;
      if (order >= 0) ++a;
    }
    out_.more.elements = ElementList(std::move(more));
    out_.fewer.elements = ElementList(std::move(fewer));
    return finish();
  }

  ElementDifference each(const ElementList& before) {
    std::size_t at = 0;
    const auto drop = [&](const KernelElement& old) {
      if (count(ChangeKind::remove)) name(ChangeKind::remove, old);
      out_.fewer.elements.push_back(old);
    };
    for (const KernelElement& e : w_.elements) {
      while (at < before.size() && before[at].comes_before(e)) drop(before[at++]);
      if (at == before.size() || e.comes_before(before[at])) {
        if (count(ChangeKind::add)) name(ChangeKind::add, e);
        out_.more.elements.push_back(e);
        continue;
      }
      const KernelElement& old = before[at++];
      if (old.same_effect(e) && old.comment == e.comment) continue;
      ++named_;
      out_.changes.push_back({old.same_effect(e) ? ChangeKind::annotate : ChangeKind::alter, place_,
                              describe(old, w_), describe(e, w_), e.comment, e.where});
      out_.fewer.elements.push_back(old);
      out_.more.elements.push_back(e);
    }
    while (at < before.size()) drop(before[at++]);
    return finish();
  }

 private:
  // A feed of 100,000 addresses is one change to a person, not 100,000. Whether this one is named.
  bool count(ChangeKind kind) {
    if (named_++ < kMostElementsNamed) return true;
    ++(kind == ChangeKind::add ? unnamed_more_ : unnamed_fewer_);
    return false;
  }
  void name(ChangeKind kind, const KernelElement& e) {
    const bool add = kind == ChangeKind::add;
    out_.changes.push_back({kind, place_, add ? "" : describe(e, w_), add ? describe(e, w_) : "", e.comment,
                            add ? e.where : core::SourcePos{}});
  }
  ElementDifference finish() {
    const auto rest = [&](ChangeKind kind, std::size_t number) {
      if (number == 0) return;
      const std::string text = std::to_string(number) + " more elements";
      const bool add = kind == ChangeKind::add;
      out_.changes.push_back({kind, place_, add ? "" : text, add ? text : "", {}, {}});
    };
    rest(ChangeKind::add, unnamed_more_);
    rest(ChangeKind::remove, unnamed_fewer_);
    return std::move(out_);
  }

  const KernelSet& w_;
  const std::string place_;
  ElementDifference out_;
  std::size_t named_ = 0, unnamed_more_ = 0, unnamed_fewer_ = 0;
};

}  // namespace

ElementDifference compare_elements(const ElementList& before, const KernelSet& wanted) {
  Comparison comparison(wanted);
  const PlainKeys* after = wanted.elements.plain();
  const PlainKeys nothing{after == nullptr ? 0 : after->key_length, after != nullptr && after->ranges, {}};
  const PlainKeys* was = before.empty() ? &nothing : before.plain();
  const bool alike = after != nullptr && was != nullptr && was->key_length == after->key_length &&
                     was->ranges == after->ranges;
  return alike ? comparison.plain(*was) : comparison.each(before);
}

}  // namespace gatehouse::fwctl
