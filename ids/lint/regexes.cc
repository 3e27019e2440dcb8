// Regexes: those that match everything, and shapes that backtrack badly.
#include <algorithm>
#include <array>

#include "ids/keywords/regex.h"
#include "ids/lint/checks.h"

namespace gatehouse::ids::lint {
namespace {

// Walks a pattern atom by atom. Lenient: PCRE2 has accepted it already.
class ShapeScanner {
 public:
  explicit ShapeScanner(std::string_view pattern) : pattern_(pattern) {}

  RegexShape run() {
    shape_.leading_wildcard = wildcard_first();
    groups_.push_back({});
    while (at_ < pattern_.size()) step();
    shape_.may_be_empty = close().empty;
    return shape_;
  }

 private:
  struct Group {
    bool empty_branch = false;  // an alternative that needs no bytes
    bool fixed = false;         // this alternative has an atom that is not repeated without bound
    bool needs = false;         // this alternative needs at least one byte
    bool unbounded = false;     // something in it repeats without bound
    bool look = false;          // looks around or is atomic: what is in it neither needs nor repeats
  };
  struct Closed {
    bool empty = false, unbounded = false, fixed = false;
  };

  bool wildcard_first() const {
    std::string_view rest = pattern_;
    while (rest.starts_with('(')) {
      rest.remove_prefix(rest.starts_with("(?:") ? 3 : 1);
      if (rest.starts_with('?')) return false;
    }
    return rest.starts_with(".*") || rest.starts_with(".+");
  }

  Closed close() {
    Group& g = groups_.back();
    const Closed out{g.empty_branch || !g.needs || g.look, g.unbounded && !g.look, g.fixed};
    groups_.pop_back();
    return out;
  }

  void step() {
    const char c = pattern_[at_];
    if (c == '(') return open();
    if (c == ')' && groups_.size() > 1) {
      ++at_;
      const std::size_t where = at_ - 1;
      const Closed inner = close();
      return quantified(!inner.empty, inner.unbounded, inner.unbounded && !inner.fixed, where);
    }
    if (c == '|') {
      Group& g = groups_.back();
      g.empty_branch = g.empty_branch || !g.needs;
      g.needs = false;
      ++at_;
      return;
    }
    if (c == '^' || c == '$') {
      ++at_;
      return;
    }
    atom();
  }

  void open() {
    Group group;
    ++at_;
    if (at_ < pattern_.size() && pattern_[at_] == '?') {
      const std::string_view rest = pattern_.substr(at_);
      group.look = rest.starts_with("?=") || rest.starts_with("?!") || rest.starts_with("?<=") ||
                   rest.starts_with("?<!") || rest.starts_with("?>");
      const std::size_t colon = rest.find_first_of(":>=!)");
      at_ += colon == std::string_view::npos ? rest.size() : colon + (rest[colon] == ')' ? 0 : 1);
    }
    groups_.push_back(group);
  }

  void atom() {
    const char c = pattern_[at_++];
    bool needs = true;
    if (c == '\\' && at_ < pattern_.size()) {
      needs = std::string_view("bBAzZGK").find(pattern_[at_]) == std::string_view::npos;
      ++at_;
    } else if (c == '[') {
      if (at_ < pattern_.size() && pattern_[at_] == '^') ++at_;
      if (at_ < pattern_.size() && pattern_[at_] == ']') ++at_;
      while (at_ < pattern_.size() && pattern_[at_] != ']') at_ += pattern_[at_] == '\\' ? 2 : 1;
      ++at_;
    }
    quantified(needs, false, false, at_);
  }

  // An atom ends here: reads what repeats it. `inner`: repeating it without bound is ambiguous.
  void quantified(bool needs, bool has_unbounded, bool inner, std::size_t where) {
    bool unbounded = false;
    bool possessive = false;
    if (at_ < pattern_.size()) {
      const char c = pattern_[at_];
      if (c == '*' || c == '?') needs = false;
      if (c == '*' || c == '+') unbounded = true;
      if (c == '*' || c == '+' || c == '?') ++at_;
      if (c == '{') {
        const std::size_t end = std::min(pattern_.find('}', at_), pattern_.size());
        const std::string_view range = pattern_.substr(at_, end - at_);
        unbounded = range.ends_with(',');
        if (range.starts_with("{0")) needs = false;
        at_ = std::min(end + 1, pattern_.size());
      }
      if (at_ < pattern_.size() && (c == '*' || c == '+' || c == '?' || c == '{')) {
        possessive = pattern_[at_] == '+';
        if (possessive || pattern_[at_] == '?') ++at_;
      }
    }
    if (unbounded && inner && !possessive && shape_.nested_at == std::string_view::npos)
      shape_.nested_at = where;
    Group& g = groups_.back();
    g.needs = g.needs || needs;
    g.unbounded = g.unbounded || ((unbounded || has_unbounded) && !possessive);
    g.fixed = g.fixed || (needs && !unbounded && !has_unbounded);
  }

  std::string_view pattern_;
  std::size_t at_ = 0;
  RegexShape shape_;
  std::vector<Group> groups_;
};

// Tried on bytes no author thinks of: what matches all of them matches everything.
bool matches_anything(std::string_view pattern, const RegexOptions& options) {
  RegexError error;
  const auto regex = CompiledRegex::compile(pattern, options, 3500, 1500, error);
  if (regex == nullptr) return false;
  static constexpr std::array<std::string_view, 4> kProbes = {"", "\n", "\x01\xfe", "~Qz\x7f\r\n 0"};
  return std::all_of(kProbes.begin(), kProbes.end(), [&](std::string_view probe) {
    std::size_t begin = 0;
    std::size_t end = 0;
    return regex->find({reinterpret_cast<const std::uint8_t*>(probe.data()), probe.size()}, 0, begin, end);
  });
}

}  // namespace

RegexShape shape_of(std::string_view pattern) {
  return ShapeScanner(pattern).run();
}

void check_regexes(const LintedRule& linted) {
  for (const lang::RuleOption& option : linted.ast.options) {
    if (option.name != "pcre") continue;
    const std::size_t open = option.value.find('/');
    const std::size_t close = option.value.rfind('/');
    if (open == std::string::npos || close <= open + 1) continue;
    const std::string_view pattern = std::string_view(option.value).substr(open + 1, close - open - 1);
    const std::string_view flags = std::string_view(option.value).substr(close + 1);
    const auto has = [&](char flag) { return flags.find(flag) != std::string_view::npos; };
    const bool negated = option.value.starts_with('!');
    const RegexShape shape = shape_of(pattern);
    const RegexOptions options{has('i'), has('s'), has('m'), has('x'), has('A'), has('E'), has('G')};
    if (shape.may_be_empty && matches_anything(pattern, options)) {
      linted.warn(option, negated ? "never-matches" : "regex-always-true",
                  negated ? "this regex matches everything, so its negation never holds"
                          : "this regex matches everything");
      continue;
    }
    if (shape.leading_wildcard && !has('R') && !has('A'))
      linted
          .warn(option, "regex-leading-wildcard", "a regex that begins with a wildcard starts at every byte")
          .hint = "leave the wildcard away: a regex matches anywhere";
    if (shape.nested_at != std::string_view::npos) {
      core::Diagnostic& d = linted.warn(option, "regex-nested-quantifier",
                                        "a repetition inside a repetition can take exponential time");
      d.where =
          linted.ast.position(option.value_at + static_cast<lang::TextOffset>(open + 1 + shape.nested_at));
      d.length = 1;
      d.hint = "make one of them possessive, or bound it";
    }
  }
}

}  // namespace gatehouse::ids::lint
