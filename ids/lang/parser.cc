#include <algorithm>

#include "ids/lang/limits.h"
#include "ids/lang/scan.h"

namespace gatehouse::ids::lang {
namespace {

bool is_name_byte(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_' || c == '-' ||
         c == '.';
}

// Parses one logical line. Stops at the first mistake: what follows it cannot be trusted.
class RuleParser {
 public:
  explicit RuleParser(RuleAst& rule) : rule_(rule), text_(rule.text) {}

  bool parse() { return parse_header() && parse_options(); }
  SyntaxError error;

 private:
  bool fail(std::string code, std::string message, std::string hint, std::size_t at, std::size_t length = 1) {
    error = {std::move(code), std::move(message), std::move(hint),
             static_cast<TextOffset>(std::min(at, text_.size())),
             static_cast<std::uint32_t>(std::max<std::size_t>(length, 1))};
    return false;
  }

  // The next blank-delimited word of the header; `(` ends it too.
  std::string_view word() {
    at_ = skip_blanks(text_, at_);
    const std::size_t start = at_;
    while (at_ < text_.size() && !is_blank(text_[at_]) && text_[at_] != '(') ++at_;
    return text_.substr(start, at_ - start);
  }

  bool parse_word(std::string& out, TextOffset& at, const char* code, const char* what) {
    const std::string_view found = word();
    const std::size_t start = at_ - found.size();
    at = static_cast<TextOffset>(start);
    if (found.empty()) return fail(code, std::string("the ") + what + " is missing", header_hint(), start);
    const auto bad = std::find_if_not(found.begin(), found.end(), is_name_byte);
    if (bad != found.end()) {
      return fail(code, "`" + std::string(found) + "` is no " + what, header_hint(), start, found.size());
    }
    out = found;
    return true;
  }

  bool parse_group_at(GroupKind kind, GroupExpr& group) {
    at_ = skip_blanks(text_, at_);
    if (at_ >= text_.size() || text_[at_] == '(') {
      return fail("header-incomplete",
                  kind == GroupKind::address ? "an address is missing in the rule header"
                                             : "a port is missing in the rule header",
                  header_hint(), at_);
    }
    if (!scan_group(text_, at_, kind, group, error)) return false;
    if (at_ < text_.size() && !is_blank(text_[at_]) && text_[at_] != '(') {
      return fail("group-syntax", "unexpected text after an address or port expression",
                  "separate the parts of the header by blanks, and put lists into [ ]", at_);
    }
    return true;
  }

  bool parse_direction() {
    const std::string_view found = word();
    const std::size_t start = at_ - found.size();
    rule_.header.direction_at = static_cast<TextOffset>(start);
    if (found == "->") {
      rule_.header.direction = RuleDirection::to;
    } else if (found == "<>") {
      rule_.header.direction = RuleDirection::both;
    } else if (found == "=>") {
      rule_.header.direction = RuleDirection::transaction;
    } else {
      std::string hint = "write `->`, `<>` or `=>` between source and destination";
      if (found == "<-") hint = "swap source and destination and write `->`";
      return fail("direction", found.empty() ? "the direction is missing" : "this is no direction",
                  std::move(hint), start, found.size());
    }
    return true;
  }

  bool parse_header() {
    RuleHeader& h = rule_.header;
    return parse_word(h.action, h.action_at, "action", "action") &&
           parse_word(h.protocol, h.protocol_at, "protocol", "protocol") &&
           parse_group_at(GroupKind::address, h.source) && parse_group_at(GroupKind::port, h.source_port) &&
           parse_direction() && parse_group_at(GroupKind::address, h.destination) &&
           parse_group_at(GroupKind::port, h.destination_port);
  }

  bool parse_options() {
    at_ = skip_blanks(text_, at_);
    if (at_ >= text_.size() || text_[at_] != '(') {
      return fail("options-missing", "the options of the rule must follow in parentheses", header_hint(),
                  at_);
    }
    const std::size_t open = at_++;
    constexpr std::size_t kUsual = 32;
    rule_.options.reserve(kUsual);
    for (;;) {
      at_ = skip_blanks(text_, at_);
      if (at_ >= text_.size()) {
        return fail("rule-unterminated", "the rule is not closed", "add `)` at its end", open);
      }
      if (text_[at_] == ')') break;
      if (rule_.options.size() == kMaxOptions)
        return fail("rule-size", "the rule has too many options", "", at_);
      if (!parse_option()) return false;
    }
    const std::size_t after = skip_blanks(text_, at_ + 1);
    if (after < text_.size()) {
      return fail("rule-trailing", "unexpected text after the rule", "comments stand on their own line",
                  after, text_.size() - after);
    }
    return true;
  }

  bool parse_option() {
    RuleOption option;
    const std::size_t start = at_;
    while (at_ < text_.size() && is_name_byte(text_[at_])) ++at_;
    option.name = text_.substr(start, at_ - start);
    option.name_at = static_cast<TextOffset>(start);
    if (option.name.empty()) {
      if (text_[at_] == ';') return fail("option-empty", "there is no option before this `;`", "", at_);
      return fail("option-name", "a keyword is expected here", "", at_);
    }
    at_ = skip_blanks(text_, at_);
    if (at_ < text_.size() && text_[at_] == ';') {
      ++at_;
      rule_.options.push_back(std::move(option));
      return true;
    }
    if (at_ >= text_.size() || text_[at_] != ':') {
      return fail("option-syntax", "expected `:` or `;` after `" + option.name + "`",
                  at_ < text_.size() && text_[at_] == ')' ? "every option ends with `;`" : "", at_);
    }
    at_ = skip_blanks(text_, at_ + 1);
    if (!parse_value(option)) return false;
    rule_.options.push_back(std::move(option));
    return true;
  }

  bool parse_value(RuleOption& option) {
    const std::size_t start = at_;
    std::size_t end = text_.find(';', start);
    while (end != std::string_view::npos && end > start && text_[end - 1] == '\\')
      end = text_.find(';', end + 1);
    if (end == std::string_view::npos) {
      const std::size_t quote =
          start < text_.size() && text_[start] == '"' ? text_.find('"', start + 1) : start;
      if (quote == std::string_view::npos) {
        return fail("string-unterminated", "this string is never closed", "add `\"`", start);
      }
      return fail("option-unterminated", "the value of `" + option.name + "` is not ended",
                  "every option ends with `;`", option.name_at, option.name.size());
    }
    at_ = end + 1;
    while (end > start && is_blank(text_[end - 1])) --end;
    option.value = text_.substr(start, end - start);
    option.value_at = static_cast<TextOffset>(start);
    option.has_value = true;
    if (option.value.empty()) {
      return fail("value-missing", "`" + option.name + "` has a `:` but no value", "", option.name_at,
                  option.name.size());
    }
    return true;
  }

  static std::string header_hint() {
    return "a rule is `action protocol source port -> destination port (options)`";
  }

  RuleAst& rule_;
  std::string_view text_;
  std::size_t at_ = 0;
};

// Collects the physical lines of one rule. Returns false at the end of the text.
class LogicalLines {
 public:
  explicit LogicalLines(const core::SourceText& source) : rest_(source.text()) {}

  bool next(RuleAst& rule) {
    rule.text.clear();
    rule.pieces.clear();
    while (at_ < rest_.size()) {
      std::size_t end = rest_.find('\n', at_);
      if (end == std::string_view::npos) end = rest_.size();
      std::string_view line = rest_.substr(at_, end - at_);
      at_ = end + 1;
      ++line_;
      if (!line.empty() && line.back() == '\r') line.remove_suffix(1);
      const std::size_t start = skip_blanks(line, 0);
      if (rule.text.empty() && (start == line.size() || line[start] == '#')) continue;
      // A comment inside a continued rule is dropped with its line.
      if (start < line.size() && line[start] == '#') continue;
      const bool continued = append(line, start, rule);
      if (!continued) return true;
    }
    return !rule.text.empty();
  }

 private:
  bool append(std::string_view line, std::size_t start, RuleAst& rule) {
    std::size_t end = line.size();
    while (end > start && is_blank(line[end - 1])) --end;
    const bool continued = end > start && line[end - 1] == '\\';
    if (continued) --end;
    // A blank between the lines of a rule, as the reader sees one; without it words would merge.
    if (!rule.text.empty()) rule.text += ' ';
    rule.pieces.push_back(
        {static_cast<TextOffset>(rule.text.size()), line_, static_cast<std::uint32_t>(start + 1)});
    if (rule.text.size() <= kMaxRuleBytes) rule.text += line.substr(start, end - start);
    return continued;
  }

  std::string_view rest_;
  std::size_t at_ = 0;
  std::uint32_t line_ = 0;
};

}  // namespace

SourcePos RuleAst::position(TextOffset at) const {
  if (pieces.empty()) return {file, 0, 0};
  const auto next = std::upper_bound(pieces.begin(), pieces.end(), at,
                                     [](TextOffset a, const Piece& p) { return a < p.at; });
  const Piece& piece = next == pieces.begin() ? *next : *(next - 1);
  return {file, piece.line, piece.column + (at > piece.at ? at - piece.at : 0)};
}

std::size_t parse_each_rule(const core::SourceText& source, core::Diagnostics& diagnostics,
                            const std::function<void(RuleAst&)>& consume) {
  std::size_t failed = 0;
  LogicalLines lines(source);
  for (;;) {
    RuleAst rule;
    if (!lines.next(rule)) return failed;
    rule.file = source.name();
    SyntaxError error{"rule-size", "the rule is too long", "", 0, 1};
    bool parsed = rule.text.size() <= kMaxRuleBytes;
    if (parsed) {
      RuleParser parser(rule);
      parsed = parser.parse();
      if (!parsed) error = std::move(parser.error);
    }
    if (parsed) {
      consume(rule);
      continue;
    }
    ++failed;
    core::Diagnostic& diagnostic =
        diagnostics.error(std::move(error.code), rule.position(error.at), std::move(error.message));
    diagnostic.length = error.length;
    diagnostic.hint = std::move(error.hint);
    diagnostic.line_text = source.line(diagnostic.where.line);
  }
}

RuleFileAst parse_rules(const core::SourceText& source, core::Diagnostics& diagnostics) {
  RuleFileAst file;
  file.failed =
      parse_each_rule(source, diagnostics, [&](RuleAst& rule) { file.rules.push_back(std::move(rule)); });
  return file;
}

}  // namespace gatehouse::ids::lang
