#include <algorithm>

#include "ids/lang/limits.h"
#include "ids/lang/scan.h"

namespace gatehouse::ids::lang {
namespace {

class GroupScanner {
 public:
  GroupScanner(std::string_view text, std::size_t at, GroupKind kind) : text_(text), at_(at), kind_(kind) {}

  bool scan(GroupExpr& group, unsigned depth) {
    const std::size_t start = at_;
    if (depth > kMaxGroupDepth) return fail("group-depth", "lists are nested too deeply", "", start, 1);
    group.negated = take('!');
    if (group.negated) at_ = skip_blanks(text_, at_);
    if (at_ >= text_.size()) return fail("group-syntax", missing(), "", std::min(start, text_.size()), 1);
    const bool done = text_[at_] == '[' ? scan_list(group, depth) : scan_word(group);
    if (!done) return false;
    group.at = static_cast<TextOffset>(start);
    group.length = static_cast<std::uint32_t>(at_ - start);
    return true;
  }

  // `!80,!443` without brackets is a list, too: old rule sets write it so.
  bool scan_top(GroupExpr& group) {
    const std::size_t start = at_;
    if (!scan(group, 0)) return false;
    if (at_ >= text_.size() || text_[at_] != ',') return true;
    GroupExpr list;
    list.kind = GroupExpr::Kind::list;
    list.items.push_back(std::move(group));
    while (take(',')) {
      if (++items_ > kMaxGroupItems)
        return fail("group-size", "this list has too many members", "", start, 1);
      list.items.emplace_back();
      if (!scan(list.items.back(), 1)) return false;
    }
    list.at = static_cast<TextOffset>(start);
    list.length = static_cast<std::uint32_t>(at_ - start);
    group = std::move(list);
    return true;
  }

  std::size_t at() const { return at_; }
  SyntaxError error;

 private:
  bool take(char c) {
    if (at_ >= text_.size() || text_[at_] != c) return false;
    ++at_;
    return true;
  }
  std::string missing() const {
    return kind_ == GroupKind::address ? "an address is missing here" : "a port is missing here";
  }
  bool fail(std::string code, std::string message, std::string hint, std::size_t at, std::size_t length) {
    error = {std::move(code), std::move(message), std::move(hint), static_cast<TextOffset>(at),
             static_cast<std::uint32_t>(std::max<std::size_t>(length, 1))};
    return false;
  }

  bool scan_list(GroupExpr& group, unsigned depth) {
    const std::size_t open = at_++;
    group.kind = GroupExpr::Kind::list;
    for (;;) {
      at_ = skip_blanks(text_, at_);
      if (at_ >= text_.size()) return fail("group-syntax", "this list is never closed", "add `]`", open, 1);
      if (text_[at_] == ']' && group.items.empty()) {
        return fail("group-empty", "an empty list matches nothing", "write `any`, or name a member", open,
                    at_ + 1 - open);
      }
      if (++items_ > kMaxGroupItems) return fail("group-size", "this list has too many members", "", open, 1);
      group.items.emplace_back();
      if (!scan(group.items.back(), depth + 1)) return false;
      at_ = skip_blanks(text_, at_);
      if (take(',')) continue;
      if (take(']')) return true;
      if (at_ >= text_.size()) return fail("group-syntax", "this list is never closed", "add `]`", open, 1);
      return fail("group-syntax", "expected `,` or `]` in a list", "", at_, 1);
    }
  }

  static bool ends_word(char c) {
    return is_blank(c) || c == ',' || c == ']' || c == '[' || c == '(' || c == '!';
  }

  bool scan_word(GroupExpr& group) {
    const std::size_t start = at_;
    while (at_ < text_.size() && !ends_word(text_[at_])) ++at_;
    const std::string_view word = text_.substr(start, at_ - start);
    if (word.empty()) return fail("group-syntax", missing(), "", start, 1);
    if (word[0] == '$') return scan_variable(group, word, start);
    if (word == "any" || word == "ANY" || word == "Any") {
      group.kind = GroupExpr::Kind::any;
      return true;
    }
    const std::size_t split = word.find(kind_ == GroupKind::port ? ':' : '-');
    if (split == std::string_view::npos) {
      group.kind = GroupExpr::Kind::literal;
      group.text = word;
      return true;
    }
    group.kind = GroupExpr::Kind::range;
    group.text = word.substr(0, split);
    group.text_last = word.substr(split + 1);
    if (kind_ == GroupKind::address && (group.text.empty() || group.text_last.empty())) {
      return fail("group-range", "an address range needs both ends", "write `first-last`", start,
                  word.size());
    }
    if (group.text.empty() && group.text_last.empty()) {
      return fail("group-range", "a port range needs at least one end", "write `any` for all ports", start,
                  word.size());
    }
    return true;
  }

  bool scan_variable(GroupExpr& group, std::string_view word, std::size_t start) {
    group.kind = GroupExpr::Kind::variable;
    group.text = word.substr(1);
    const auto is_name = [](char c) {
      return (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '_' ||
             c == '-';
    };
    if (!group.text.empty() && std::all_of(group.text.begin(), group.text.end(), is_name)) return true;
    return fail("variable-name", "this is no variable name", "variables look like `$HOME_NET`", start,
                word.size());
  }

  std::string_view text_;
  std::size_t at_;
  GroupKind kind_;
  std::size_t items_ = 0;
};

}  // namespace

bool scan_group(std::string_view text, std::size_t& at, GroupKind kind, GroupExpr& group,
                SyntaxError& error) {
  GroupScanner scanner(text, at, kind);
  if (!scanner.scan_top(group)) {
    error = std::move(scanner.error);
    return false;
  }
  at = scanner.at();
  return true;
}

core::Result<GroupExpr> parse_group(std::string_view text, const SourcePos& where, GroupKind kind) {
  const auto at_offset = [&](std::size_t offset) {
    SourcePos place = where;
    if (place.column != 0) place.column += static_cast<std::uint32_t>(offset);
    return place;
  };
  if (text.size() > kMaxRuleBytes) return core::fail(core::Errc::limit, "this expression is too long", where);
  GroupExpr group;
  SyntaxError error;
  std::size_t at = skip_blanks(text, 0);
  if (!scan_group(text, at, kind, group, error)) {
    return core::fail(core::Errc::invalid_input, error.message, at_offset(error.at));
  }
  at = skip_blanks(text, at);
  if (at != text.size()) {
    return core::fail(core::Errc::invalid_input, "unexpected text after the expression", at_offset(at));
  }
  return group;
}

}  // namespace gatehouse::ids::lang
