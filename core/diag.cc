#include "core/diag.h"

#include <algorithm>
#include <numeric>

namespace gatehouse::core {
namespace {

// Terminal control bytes in a hostile input must not reach the terminal.
std::string printable(std::string_view text) {
  std::string out;
  out.reserve(text.size());
  for (const unsigned char c : text) {
    if (c == '\t') {
      out += ' ';
    } else {
      out += c < 0x20 || c == 0x7f ? '?' : static_cast<char>(c);
    }
  }
  return out;
}

std::string_view word(Severity severity) {
  switch (severity) {
    case Severity::error:
      return "error";
    case Severity::warning:
      return "warning";
    case Severity::note:
      return "note";
  }
  return "error";
}

constexpr std::size_t kMaxShown = 160;  // columns of a source line that are printed

std::size_t edit_distance(std::string_view a, std::string_view b) {
  std::vector<std::size_t> previous(b.size() + 1);
  std::vector<std::size_t> before_previous;
  std::vector<std::size_t> current(b.size() + 1);
  std::iota(previous.begin(), previous.end(), std::size_t{0});
  for (std::size_t i = 1; i <= a.size(); ++i) {
    current[0] = i;
    for (std::size_t j = 1; j <= b.size(); ++j) {
      const std::size_t change = previous[j - 1] + (a[i - 1] == b[j - 1] ? 0 : 1);
      current[j] = std::min({previous[j] + 1, current[j - 1] + 1, change});
      const bool swapped = i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1];
      if (swapped) current[j] = std::min(current[j], before_previous[j - 2] + 1);
    }
    before_previous = previous;
    previous = current;
  }
  return previous[b.size()];
}

}  // namespace

std::string render(const Diagnostic& d, bool colour) {
  const char* bold = colour ? "\033[1m" : "";
  const char* tint = !colour ? "" : d.severity == Severity::error ? "\033[1;31m" : "\033[1;35m";
  const char* off = colour ? "\033[0m" : "";
  std::string out = bold + d.where.to_string() + off;
  if (!out.empty()) out += ": ";
  out += std::string(tint) + std::string(word(d.severity)) + off + ": " + printable(d.message);
  if (!d.code.empty()) out += " [" + d.code + "]";
  out += '\n';
  if (!d.line_text.empty() && d.where.column != 0) {
    const std::size_t column = std::min<std::size_t>(d.where.column - 1, d.line_text.size());
    // A rule can be thousands of columns long: show the part around the mistake.
    const std::size_t from = column > kMaxShown / 2 ? column - kMaxShown / 2 : 0;
    const std::string shown = printable(std::string_view(d.line_text).substr(from, kMaxShown));
    out += "  " + shown + "\n  " + std::string(column - from, ' ') + tint + '^';
    const std::size_t room = shown.size() > column - from ? shown.size() - (column - from) : 1;
    const std::size_t length =
        std::min<std::size_t>(std::max<std::uint32_t>(d.length, 1), std::max<std::size_t>(room, 1));
    out += std::string(length - 1, '~') + off + '\n';
  }
  if (!d.hint.empty()) out += "  hint: " + printable(d.hint) + '\n';
  return out;
}

SourceText::SourceText(std::string name, std::string text) : name_(std::move(name)), text_(std::move(text)) {
  line_starts_.push_back(0);
  for (std::size_t i = text_.find('\n'); i != std::string::npos; i = text_.find('\n', i + 1))
    line_starts_.push_back(i + 1);
}

std::string_view SourceText::line(std::uint32_t number) const {
  if (number == 0 || number > line_starts_.size()) return {};
  const std::size_t start = line_starts_[number - 1];
  std::size_t end = text_.find('\n', start);
  if (end == std::string::npos) end = text_.size();
  if (end > start && text_[end - 1] == '\r') --end;
  return std::string_view(text_).substr(start, end - start);
}

SourcePos SourceText::position(std::size_t offset) const {
  const auto next = std::upper_bound(line_starts_.begin(), line_starts_.end(), offset);
  const auto line = static_cast<std::size_t>(next - line_starts_.begin());
  return {name_, static_cast<std::uint32_t>(line),
          static_cast<std::uint32_t>(offset - line_starts_[line - 1] + 1)};
}

void Diagnostics::add(Diagnostic diagnostic) {
  if (diagnostic.severity == Severity::error) ++errors_;
  if (diagnostic.severity == Severity::warning) ++warnings_;
  if (kept_.size() < kMaxKept) kept_.push_back(std::move(diagnostic));
}

Diagnostic& Diagnostics::error(std::string code, SourcePos where, std::string message) {
  add({.severity = Severity::error,
       .code = std::move(code),
       .message = std::move(message),
       .where = std::move(where),
       .length = 1,
       .line_text = {},
       .hint = {}});
  if (kept_.size() < kMaxKept) return kept_.back();
  overflow_ = {};
  return overflow_;
}

Diagnostic& Diagnostics::warning(std::string code, SourcePos where, std::string message) {
  add({.severity = Severity::warning,
       .code = std::move(code),
       .message = std::move(message),
       .where = std::move(where),
       .length = 1,
       .line_text = {},
       .hint = {}});
  if (kept_.size() < kMaxKept) return kept_.back();
  overflow_ = {};
  return overflow_;
}

void Diagnostics::sort() {
  std::stable_sort(kept_.begin(), kept_.end(), [](const Diagnostic& a, const Diagnostic& b) {
    return std::tie(a.where.file, a.where.line, a.where.column) <
           std::tie(b.where.file, b.where.line, b.where.column);
  });
}

void Diagnostics::attach(const SourceText& source) {
  for (Diagnostic& d : kept_) {
    if (d.line_text.empty() && d.where.file == source.name()) d.line_text = source.line(d.where.line);
  }
}

std::string Diagnostics::render_all(bool colour) const {
  std::string out;
  for (const Diagnostic& d : kept_) out += render(d, colour);
  const std::size_t dropped = errors_ + warnings_ > kept_.size() ? errors_ + warnings_ - kept_.size() : 0;
  if (dropped != 0) out += "(and " + std::to_string(dropped) + " more)\n";
  return out;
}

Error Diagnostics::first_error() const {
  for (const Diagnostic& d : kept_) {
    if (d.severity == Severity::error) return {Errc::invalid_input, d.message, d.where};
  }
  return {Errc::invalid_input, "no error", {}};
}

std::optional<std::string> nearest(std::string_view typed, std::span<const std::string> candidates) {
  const std::size_t allowed = typed.size() < 4 ? 1 : std::max<std::size_t>(2, typed.size() / 3);
  std::optional<std::string> best;
  std::size_t best_distance = allowed + 1;
  for (const std::string& candidate : candidates) {
    const std::size_t gap =
        candidate.size() > typed.size() ? candidate.size() - typed.size() : typed.size() - candidate.size();
    if (gap >= best_distance || typed.size() > 256) continue;
    const std::size_t distance = edit_distance(typed, candidate);
    if (distance < best_distance) {
      best_distance = distance;
      best = candidate;
    }
  }
  return best;
}

std::string did_you_mean(std::string_view typed, std::span<const std::string> candidates) {
  const auto found = nearest(typed, candidates);
  return found ? "did you mean `" + *found + "`?" : "";
}

}  // namespace gatehouse::core
