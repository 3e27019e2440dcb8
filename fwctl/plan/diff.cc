#include "fwctl/plan/diff.h"

#include <algorithm>
#include <set>

#include "fwctl/compile/describe.h"
#include "fwctl/plan/align.h"
#include "fwctl/plan/elements.h"

namespace gatehouse::fwctl {
namespace {

class Planner {
 public:
  Planner(const KernelTable* live, const KernelTable& wanted)
      : live_(live ? *live : empty_), wanted_(wanted) {
    plan_.transaction.table = wanted.name;
    if (live == nullptr) note({ChangeKind::add, "table", {}, "table inet " + wanted.name, {}, {}});
  }

  Plan make() {
    if (live_.flags != wanted_.flags) {
      note({ChangeKind::alter,
            "table",
            "flags " + std::to_string(live_.flags),
            "flags " + std::to_string(wanted_.flags),
            {},
            {}});
    }
    sets();
    chains();
    // The order matters to the kernel: references go before what they refer to is removed, and
    // what is referred to is there before the reference.
    if (!plan_.changes.empty()) push(AddTable{});
    for (const std::string& c : emptied_) push(DeleteRules{c});
    for (const std::string& s : flushed_) push(FlushSet{s});
    for (KernelSet& s : fewer_) push(DeleteElements{std::move(s)});
    for (const std::string& s : gone_sets_) push(DeleteSet{s});
    for (const std::string& c : gone_chains_) push(DeleteChain{c});
    for (const KernelSet* s : new_sets_) push(AddSet{s->definition()});
    for (const KernelChain* c : new_chains_) push(AddChain{*c});
    for (KernelSet& s : more_) push(AddElements{std::move(s)});
    for (const KernelChain* c : filled_) {
      for (const KernelRule& r : c->rules) push(AddRule{c->name, r});
    }
    return std::move(plan_);
  }

 private:
  void note(Change change) { plan_.changes.push_back(std::move(change)); }
  void push(Operation operation) { plan_.transaction.operations.push_back(std::move(operation)); }

  void sets() {
    for (const KernelSet& s : live_.sets) {
      if (wanted_.find_set(s.name) != nullptr) continue;
      note({ChangeKind::remove, "set " + s.name, describe_definition(s), {}, {}, {}});
      gone_sets_.push_back(s.name);
    }
    for (const KernelSet& w : wanted_.sets) {
      const KernelSet* l = live_.find_set(w.name);
      if (l != nullptr && !l->same_definition(w)) {
        note({ChangeKind::alter, "set " + w.name, describe_definition(*l), describe_definition(w), {}, {}});
        gone_sets_.push_back(w.name);
        remade_.insert(w.name);
        l = nullptr;
      } else if (l == nullptr) {
        note({ChangeKind::add, "set " + w.name, {}, describe_definition(w), {}, {}});
      }
      if (l == nullptr) new_sets_.push_back(&w);
      elements(l, w);
    }
  }

  void elements(const KernelSet* l, const KernelSet& w) {
    if (w.holds_state()) return;
    static const ElementList none;
    ElementDifference d = compare_elements(l == nullptr ? none : l->elements, w);
    for (Change& c : d.changes) note(std::move(c));
    if (d.more.elements.empty() && d.fewer.elements.empty()) return;
    if (l != nullptr && l->irregular) {
      flushed_.push_back(w.name);
      more_.push_back(w);
      return;
    }
    if (!d.more.elements.empty()) more_.push_back(std::move(d.more));
    if (!d.fewer.elements.empty()) fewer_.push_back(std::move(d.fewer));
  }

  void chains() {
    for (const KernelChain& c : live_.chains) {
      if (wanted_.find_chain(c.name) != nullptr) continue;
      note({ChangeKind::remove, "chain " + c.name, c.base ? describe(*c.base) : "regular chain", {}, {}, {}});
      if (!c.rules.empty()) emptied_.push_back(c.name);
      gone_chains_.push_back(c.name);
    }
    for (const KernelChain& w : wanted_.chains) chain(live_.find_chain(w.name), w);
  }

  void chain(const KernelChain* l, const KernelChain& w) {
    const std::string place = "chain " + w.name;
    const auto text = [](const KernelChain& c) { return c.base ? describe(*c.base) : "regular chain"; };
    if (l == nullptr) {
      note({ChangeKind::add, place, {}, text(w), {}, {}});
      new_chains_.push_back(&w);
    } else if (l->base != w.base) {
      note({ChangeKind::alter, place, text(*l), text(w), {}, {}});
      new_chains_.push_back(&w);
      if (!only_policy_differs(*l, w)) gone_chains_.push_back(w.name);  // the kernel cannot move a hook
    }
    static const std::vector<KernelRule> no_rules;
    bool differs = false;
    for (const Aligned& a : align_rules(l ? l->rules : no_rules, w.rules)) {
      differs |= rule_change(place, a);
    }
    const bool gone = !gone_chains_.empty() && gone_chains_.back() == w.name;
    const bool uses_remade = l != nullptr && looks_up_remade(*l);
    if (!differs && !gone && !uses_remade) return;
    if (l != nullptr && !l->rules.empty()) emptied_.push_back(w.name);
    filled_.push_back(&w);
  }

  bool rule_change(const std::string& place, const Aligned& a) {
    const auto live_text = [&] { return describe(*a.before, live_); };
    const auto wanted_text = [&] { return describe(*a.after, wanted_); };
    if (a.before && a.after) {
      if (a.before->comment == a.after->comment) return false;
      note({ChangeKind::annotate, place, live_text() + " # " + a.before->comment,
            wanted_text() + " # " + a.after->comment, a.after->comment, a.after->where});
    } else if (a.before) {
      note({ChangeKind::remove, place, live_text(), {}, a.before->comment, {}});
    } else {
      note({ChangeKind::add, place, {}, wanted_text(), a.after->comment, a.after->where});
    }
    return true;
  }

  static bool only_policy_differs(const KernelChain& l, const KernelChain& w) {
    if (!l.base || !w.base) return false;
    BaseHook as_wanted = *l.base;
    as_wanted.policy = w.base->policy;
    return as_wanted == *w.base;
  }

  // A set that is made anew under its old name cannot keep the rules that look it up.
  bool looks_up_remade(const KernelChain& c) const {
    return std::any_of(c.rules.begin(), c.rules.end(), [&](const KernelRule& r) {
      return std::any_of(r.expressions.begin(), r.expressions.end(), [&](const Expression& e) {
        const auto* lookup = std::get_if<Lookup>(&e);
        const auto* remember = std::get_if<Remember>(&e);
        return (lookup != nullptr && remade_.count(lookup->set) != 0) ||
               (remember != nullptr && remade_.count(remember->set) != 0);
      });
    });
  }

  const KernelTable empty_{};
  const KernelTable& live_;
  const KernelTable& wanted_;
  Plan plan_;
  std::vector<std::string> emptied_, flushed_, gone_sets_, gone_chains_;
  std::set<std::string> remade_;
  std::vector<const KernelSet*> new_sets_;
  std::vector<const KernelChain*> new_chains_, filled_;
  std::vector<KernelSet> more_, fewer_;
};

}  // namespace

bool Plan::changes_effect() const {
  return std::any_of(changes.begin(), changes.end(),
                     [](const Change& c) { return c.kind != ChangeKind::annotate; });
}

Plan make_plan(const KernelTable* live, const KernelTable& wanted) {
  return Planner(live, wanted).make();
}

}  // namespace gatehouse::fwctl
