// Diagnostics: what a compiler or checker tells about an input text. Collected, so that one run
// shows every mistake; printed as file:line:col with the offending line and a caret.
#pragma once

#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "core/result.h"

namespace gatehouse::core {

enum class Severity : std::uint8_t { error, warning, note };

struct Diagnostic {
  Severity severity = Severity::error;
  std::string code;     // stable, kebab-case: "unknown-key", "content-syntax"
  std::string message;  // one sentence, no full stop
  SourcePos where;
  std::uint32_t length = 1;  // columns to underline from where.column
  std::string line_text;     // the source line, without its line end; may be empty
  std::string hint;          // what to do: "did you mean `http.uri`?"; may be empty
};

// "path:3:7: error: message [code]", then the line, the caret and the hint.
std::string render(const Diagnostic& diagnostic, bool colour = false);

// The text a diagnostic points into. Keeps a copy of the text and finds lines in it.
class SourceText {
 public:
  SourceText(std::string name, std::string text);
  const std::string& name() const { return name_; }
  const std::string& text() const { return text_; }
  std::string_view line(std::uint32_t number) const;  // 1-based; empty when there is none
  SourcePos position(std::size_t offset) const;       // of a byte offset into text()

 private:
  std::string name_;
  std::string text_;
  std::vector<std::size_t> line_starts_;
};

class Diagnostics {
 public:
  // More than this many are counted but not kept: hostile input must not fill memory.
  static constexpr std::size_t kMaxKept = 10'000;

  void add(Diagnostic diagnostic);
  Diagnostic& error(std::string code, SourcePos where, std::string message);
  Diagnostic& warning(std::string code, SourcePos where, std::string message);

  std::size_t error_count() const { return errors_; }
  std::size_t warning_count() const { return warnings_; }
  bool has_errors() const { return errors_ != 0; }
  const std::vector<Diagnostic>& all() const { return kept_; }
  // By file, line, column; stable.
  void sort();
  // Fills line_text of the diagnostics that point into `source` and have none yet.
  void attach(const SourceText& source);
  std::string render_all(bool colour = false) const;
  // The first error as an Error, for callers that only need one.
  Error first_error() const;

 private:
  std::vector<Diagnostic> kept_;
  Diagnostic overflow_;
  std::size_t errors_ = 0;
  std::size_t warnings_ = 0;
};

// The candidate nearest to `word` by edit distance, if one is near enough to be a likely typo
// (distance <= 1 for short words, <= a third of the length otherwise).
std::optional<std::string> nearest(std::string_view word, std::span<const std::string> candidates);
// "did you mean `x`?" or an empty string.
std::string did_you_mean(std::string_view word, std::span<const std::string> candidates);

}  // namespace gatehouse::core
