#include "ids/keywords/regex_prefix.h"

#include <algorithm>
#include <optional>

namespace gatehouse::ids {
namespace {

constexpr std::size_t kMostClasses = kWindowBytes;

bool is_digit(char c) {
  return c >= '0' && c <= '9';
}
bool is_letter(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}
int hex_value(char c) {
  if (is_digit(c)) return c - '0';
  if (c >= 'a' && c <= 'f') return c - 'a' + 10;
  if (c >= 'A' && c <= 'F') return c - 'A' + 10;
  return -1;
}

class PrefixReader {
 public:
  PrefixReader(std::string_view pattern, const RegexOptions& options) : text_(pattern), options_(options) {}

  RegexPrefix read() {
    RegexPrefix out;
    // What changes how the rest is read, stands between an item and its count, or moves where a match is said
    // to begin. In extended syntax blanks do not count.
    static constexpr std::string_view kStrange[] = {"(*", "(?#", "\\Q", "\\E", "\\K"};
    for (const std::string_view part : kStrange) {
      if (text_.find(part) != std::string_view::npos) return out;
    }
    if (options_.extended || has_alternatives(0, text_.size())) return out;
    out.anchored =
        options_.anchored || (text_.starts_with('^') && !options_.multiline && !optional_behind(1));
    sequence(text_.size());
    out.classes = std::move(classes_);
    return out;
  }

 private:
  struct Count {
    std::size_t least = 1;
    bool fixed = true;  // neither more nor less
  };

  // Reads until `end` or what it does not know; false: the latter.
  bool sequence(std::size_t end) {
    while (at_ < end && classes_.size() < kMostClasses) {
      if (text_[at_] == '^') {
        ++at_;  // takes no bytes
        if (counted()) return false;
        continue;
      }
      if (text_[at_] == '(') {
        if (!group()) return false;
        continue;
      }
      const std::optional<ByteClass> bytes = item();
      if (!bytes) return false;
      const std::optional<Count> count = read_count();
      if (!count) return false;
      for (std::size_t i = 0; i < count->least && classes_.size() < kMostClasses; ++i)
        classes_.push_back(*bytes);
      if (!count->fixed) return false;
    }
    return at_ >= end;
  }

  bool group() {
    const std::size_t close = closing(at_);
    if (close == std::string_view::npos || optional_behind(close + 1)) return false;
    ++at_;
    if (text_.substr(at_).starts_with("?:")) {
      at_ += 2;
    } else if (at_ < close && (text_[at_] == '?' || text_[at_] == '*')) {
      return false;
    }
    if (has_alternatives(at_, close) || !sequence(close)) return false;
    at_ = close + 1;
    return !counted();  // once for certain; what follows the first time is not said
  }

  bool counted() const {
    return at_ < text_.size() &&
           (text_[at_] == '?' || text_[at_] == '*' || text_[at_] == '+' || text_[at_] == '{');
  }
  // May what stands before `at` be left out?
  bool optional_behind(std::size_t at) const {
    if (at >= text_.size()) return false;
    if (text_[at] == '?' || text_[at] == '*') return true;
    if (text_[at] != '{') return false;
    // {0 and {,n}
    return at + 1 >= text_.size() || !is_digit(text_[at + 1]) || text_[at + 1] == '0';
  }

  // nullopt: the item may be missing, or the count is not understood.
  std::optional<Count> read_count() {
    if (!counted()) return Count{};
    if (optional_behind(at_)) return std::nullopt;
    if (text_[at_] == '+') return Count{1, false};
    std::size_t at = at_ + 1;
    std::size_t least = 0;
    for (; at < text_.size() && is_digit(text_[at]) && least < 1000; ++at)
      least = least * 10 + static_cast<std::size_t>(text_[at] - '0');
    if (at >= text_.size() || (text_[at] != '}' && text_[at] != ',')) return std::nullopt;
    if (text_[at] == ',') return Count{least, false};
    at_ = at + 1;
    return Count{least, !counted()};  // {n}? and {n}+
  }

  // One thing that takes one byte.
  std::optional<ByteClass> item() {
    const char c = text_[at_];
    switch (c) {
      case '[':
        return bracket();
      case '\\':
        return escape();
      case '.':
        ++at_;
        return ~ByteClass{};  // a line feed may be none; to take it for one costs little
      case '$':
      case '|':
      case ')':
      case '*':
      case '+':
      case '?':
        return std::nullopt;
      default:
        ++at_;
        return single(static_cast<std::uint8_t>(c));
    }
  }

  ByteClass single(std::uint8_t byte) const {
    ByteClass out;
    out.set(byte);
    fold(out);
    return out;
  }
  void fold(ByteClass& bytes) const {
    if (!options_.caseless) return;
    for (std::size_t upper = 'A'; upper <= 'Z'; ++upper) {
      const bool either = bytes[upper] || bytes[upper + 32];
      bytes[upper] = either;
      bytes[upper + 32] = either;
    }
  }

  static ByteClass digits() {
    ByteClass out;
    for (std::size_t c = '0'; c <= '9'; ++c) out.set(c);
    return out;
  }
  static ByteClass word() {
    ByteClass out = digits();
    for (std::size_t c = 'a'; c <= 'z'; ++c) out.set(c), out.set(c - 32);
    out.set('_');
    return out;
  }
  static ByteClass space() {
    ByteClass out;
    for (const char c : {' ', '\t', '\n', '\v', '\f', '\r'}) out.set(static_cast<std::uint8_t>(c));
    return out;
  }

  // at_ is on a backslash. A single byte sets *byte.
  std::optional<ByteClass> escape(std::optional<std::uint8_t>* byte = nullptr) {
    if (at_ + 1 >= text_.size()) return std::nullopt;
    const char c = text_[at_ + 1];
    std::uint8_t one = 0;
    std::size_t length = 2;
    switch (c) {
      case 'd':
      case 'D':
      case 'w':
      case 'W':
      case 's':
      case 'S': {
        at_ += 2;
        const ByteClass bytes = c == 'd' || c == 'D' ? digits() : c == 'w' || c == 'W' ? word() : space();
        return is_upper(c) ? ~bytes : bytes;
      }
      case 'n':
        one = '\n';
        break;
      case 'r':
        one = '\r';
        break;
      case 't':
        one = '\t';
        break;
      case 'f':
        one = '\f';
        break;
      case 'x': {
        // Two digits, the only form that rules use.
        if (at_ + 3 >= text_.size() || hex_value(text_[at_ + 2]) < 0 || hex_value(text_[at_ + 3]) < 0)
          return std::nullopt;
        one = static_cast<std::uint8_t>(hex_value(text_[at_ + 2]) * 16 + hex_value(text_[at_ + 3]));
        length = 4;
        break;
      }
      default:
        if (is_digit(c) || is_letter(c)) return std::nullopt;  // references, assertions, properties ...
        one = static_cast<std::uint8_t>(c);
    }
    at_ += length;
    if (byte != nullptr) *byte = one;
    return single(one);
  }
  static bool is_upper(char c) { return c >= 'A' && c <= 'Z'; }

  // at_ is on the bracket.
  std::optional<ByteClass> bracket() {
    std::size_t at = at_ + 1;
    const bool negated = at < text_.size() && text_[at] == '^';
    if (negated) ++at;
    ByteClass out;
    bool first = true;
    at_ = at;
    while (at_ < text_.size() && (text_[at_] != ']' || first)) {
      first = false;
      std::optional<std::uint8_t> low;
      if (!member(out, low)) return std::nullopt;
      if (!low || at_ + 1 >= text_.size() || text_[at_] != '-' || text_[at_ + 1] == ']') continue;
      ++at_;
      std::optional<std::uint8_t> high;
      if (!member(out, high) || !high || *high < *low) return std::nullopt;
      for (std::size_t c = *low; c <= *high; ++c) out.set(c);
    }
    if (at_ >= text_.size()) return std::nullopt;
    ++at_;
    fold(out);
    return negated ? ~out : out;
  }

  // One member of a class in brackets; `byte`: it is a single one.
  bool member(ByteClass& out, std::optional<std::uint8_t>& byte) {
    if (text_[at_] == '\\') {
      const std::optional<ByteClass> bytes = escape(&byte);
      if (bytes) out |= *bytes;
      return bytes.has_value();
    }
    if (text_[at_] == '[' && at_ + 1 < text_.size() &&
        (text_[at_ + 1] == ':' || text_[at_ + 1] == '.' || text_[at_ + 1] == '=')) {
      return false;
    }
    byte = static_cast<std::uint8_t>(text_[at_++]);
    out.set(*byte);
    return true;
  }

  // Calls `f(at, depth)` for each character of [from, to) that is neither escaped nor in brackets; `depth`
  // counts the groups around it. Stops when f says so.
  template <class F>
  void outline(std::size_t from, std::size_t to, F&& f) const {
    std::size_t depth = 0;
    bool in_class = false;
    std::size_t class_begin = 0;
    for (std::size_t at = from; at < to; ++at) {
      const char c = text_[at];
      if (c == '\\') {
        ++at;
      } else if (in_class) {
        in_class = c != ']' || at == class_begin;
      } else if (c == '[') {
        in_class = true;
        class_begin = at + 1 + (at + 1 < to && text_[at + 1] == '^' ? 1 : 0);
        at = class_begin - 1;
      } else {
        if (c == ')' && depth > 0) --depth;
        if (f(at, depth)) return;
        if (c == '(') ++depth;
      }
    }
  }
  bool has_alternatives(std::size_t from, std::size_t to) const {
    bool found = false;
    outline(from, to,
            [&](std::size_t at, std::size_t depth) { return found = depth == 0 && text_[at] == '|'; });
    return found;
  }
  // The parenthesis that closes the one at `open`.
  std::size_t closing(std::size_t open) const {
    std::size_t close = std::string_view::npos;
    outline(open, text_.size(), [&](std::size_t at, std::size_t depth) {
      if (at == open || depth != 0 || text_[at] != ')') return false;
      close = at;
      return true;
    });
    return close;
  }

  std::string_view text_;
  const RegexOptions& options_;
  std::size_t at_ = 0;
  std::vector<ByteClass> classes_;
};

}  // namespace

RegexPrefix regex_prefix(std::string_view pattern, const RegexOptions& options) {
  return PrefixReader(pattern, options).read();
}

}  // namespace gatehouse::ids
