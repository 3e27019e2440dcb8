// The frame of every tool: `tool verb [options] [arguments]`. One table describes the verbs; help,
// parsing and shell completion all come from it.
//
// Conventions: standard output carries the result, standard error the talk. Exit status 0 done,
// 1 ran and the answer is no, 2 usage or input error, 3 the system refused.
#pragma once

#include <functional>
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "core/diag.h"
#include "core/result.h"

namespace gatehouse::core {

inline constexpr int kExitDone = 0;
inline constexpr int kExitNo = 1;
inline constexpr int kExitUsage = 2;
inline constexpr int kExitRefused = 3;

struct OptionSpec {
  std::string name;   // "--rules"
  std::string value;  // "FILE"; empty: a switch
  std::string help;   // one line
  bool required = false;
  bool repeat = false;  // may be given several times
};

// What the user gave to one verb.
class Args {
 public:
  bool has(std::string_view option) const;
  // The last value given, or `fallback`.
  std::string value(std::string_view option, std::string_view fallback = {}) const;
  std::vector<std::string> values(std::string_view option) const;
  // A whole number option; an error names the option and its range.
  Result<std::uint64_t> uint(std::string_view option, std::uint64_t fallback, std::uint64_t least,
                             std::uint64_t most) const;
  // A time such as 90s, 5m or 2h; a plain number is seconds.
  Result<std::uint64_t> duration_us(std::string_view option, std::uint64_t fallback_us,
                                    std::uint64_t least_us, std::uint64_t most_us) const;
  const std::vector<std::string>& positional() const { return positional_; }
  bool json() const { return has("--json"); }
  bool verbose() const { return has("--verbose"); }

 private:
  friend struct CliParser;
  std::map<std::string, std::vector<std::string>, std::less<>> options_;
  std::vector<std::string> positional_;
};

struct VerbSpec {
  std::string name;       // "check"; of a group of verbs "anomaly explain"
  std::string arguments;  // as in the synopsis: "DOMAIN -- COMMAND [ARG...]"
  std::size_t least_arguments = 0;
  std::size_t most_arguments = 0;
  std::string summary;  // one line
  std::vector<OptionSpec> options;
  // Returns the exit status; an Error is printed and becomes exit status 2 or 3.
  std::function<Result<int>(const Args&)> run;
};

struct ToolSpec {
  std::string name;
  std::string summary;      // one line, NAME section
  std::string description;  // paragraphs
  std::vector<VerbSpec> verbs;
  std::vector<std::pair<std::string, std::string>> files;     // path, meaning
  std::vector<std::pair<std::string, std::string>> examples;  // command, meaning
  std::vector<std::string> standards;
};

// Parses, runs the verb and returns the exit status. Adds to every tool: --help, --version,
// --json and --verbose, and the verb `completion bash|zsh|fish`.
int run_tool(const ToolSpec& tool, int argc, const char* const* argv);

// The pages behind --help, for documentation and tests.
std::string tool_help(const ToolSpec& tool);
std::string verb_help(const ToolSpec& tool, const VerbSpec& verb);
std::string completion_script(const ToolSpec& tool, std::string_view shell);

// Prints diagnostics to standard error (colour on a terminal unless NO_COLOR is set).
void print_diagnostics(const Diagnostics& diagnostics);
// Appends the diagnostics as a JSON array of {severity, code, message, file, line, column, length, hint}.
void append_diagnostics_json(std::string& out, const Diagnostics& diagnostics);
// Writes to standard output; an error there (a closed pipe) is an Error.
Status print_result(std::string_view text);

}  // namespace gatehouse::core
