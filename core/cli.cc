#include "core/cli.h"

#include <fmt/format.h>
#include <unistd.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <charconv>
#include <cstdlib>

#include "core/json.h"
#include "core/log.h"
#include "core/os.h"
#include "core/yaml.h"

namespace gatehouse::core {

namespace {

const std::vector<OptionSpec>& common_options() {
  static const std::vector<OptionSpec> options = {
      {.name = "--json", .value = "", .help = "print the result as JSON"},
      {.name = "--verbose", .value = "", .help = "say more on standard error"},
      {.name = "--help", .value = "", .help = "print this page"},
  };
  return options;
}

std::string label(const OptionSpec& option) {
  return option.value.empty() ? option.name : option.name + " " + option.value;
}

std::string option_lines(const std::vector<OptionSpec>& options) {
  std::string out;
  for (const OptionSpec& o : options) {
    out += fmt::format("       {:<24} {}{}{}\n", label(o), o.help, o.required ? " (required)" : "",
                       o.repeat ? " (may be repeated)" : "");
  }
  return out;
}

// Fills paragraphs (separated by empty lines) to the page's width; single line ends are spaces.
std::string paragraphs(std::string_view text) {
  constexpr std::size_t kIndent = 7, kWidth = 100;
  std::string out, line;
  const auto flush = [&] {
    if (!line.empty()) out += std::string(kIndent, ' ') + line + '\n';
    line.clear();
  };
  while (!text.empty()) {
    const std::size_t end = text.find_first_of(" \n");
    const std::string_view word = text.substr(0, end);
    if (!line.empty() && kIndent + line.size() + 1 + word.size() > kWidth) flush();
    if (!word.empty()) line += (line.empty() ? "" : " ") + std::string(word);
    if (end == std::string_view::npos) break;
    const bool paragraph = text.substr(end).starts_with("\n\n");
    text.remove_prefix(paragraph ? end + 2 : end + 1);
    if (paragraph) {
      flush();
      out += '\n';
    }
  }
  flush();
  return out;
}

std::string synopsis(const ToolSpec& tool, const VerbSpec& verb) {
  std::string out = tool.name + " " + verb.name;
  for (const OptionSpec& o : verb.options) {
    if (o.required) out += " " + label(o);
  }
  if (std::any_of(verb.options.begin(), verb.options.end(), [](const OptionSpec& o) { return !o.required; }))
    out += " [options]";
  if (!verb.arguments.empty()) out += " " + verb.arguments;
  return out;
}

constexpr std::string_view kExitStatusText =
    "EXIT STATUS\n"
    "       0  done; the answer is yes\n"
    "       1  ran, and the answer is no (a difference, a finding, a refused input)\n"
    "       2  wrong usage or unusable input\n"
    "       3  the system refused (rights, kernel, network, disk)\n";

bool want_colour() {
  return isatty(STDERR_FILENO) != 0 && std::getenv("NO_COLOR") == nullptr;
}

}  // namespace

// Turns a table row into a CLI11 subcommand and the outcome into Args.
struct CliParser {
  static Result<Args> parse(const ToolSpec& tool, const VerbSpec& verb, std::vector<std::string> words) {
    CLI::App app{verb.summary, tool.name + " " + verb.name};
    app.set_help_flag();
    std::map<std::string, std::vector<std::string>> given;
    std::vector<std::pair<OptionSpec, CLI::Option*>> bound;
    const auto bind = [&](const OptionSpec& o) {
      std::vector<std::string>& store = given[o.name];
      CLI::Option* option = nullptr;
      if (o.value.empty()) {
        option = app.add_flag(o.name);
      } else {
        option = app.add_option(o.name, store)->expected(1)->allow_extra_args(false);
        if (o.repeat) {
          option->multi_option_policy(CLI::MultiOptionPolicy::TakeAll);
        } else {
          option->multi_option_policy(CLI::MultiOptionPolicy::Throw);
        }
        option->required(o.required);
      }
      bound.emplace_back(o, option);
    };
    for (const OptionSpec& o : verb.options) bind(o);
    for (const OptionSpec& o : common_options()) bind(o);
    Args args;
    std::vector<std::string> extras;
    app.allow_extras();
    // Everything after `--` belongs to the command that the verb runs, options included.
    std::vector<std::string> after;
    if (const auto dashes = std::find(words.begin(), words.end(), "--"); dashes != words.end()) {
      after.assign(dashes + 1, words.end());
      words.erase(dashes, words.end());
    }
    std::reverse(words.begin(), words.end());  // CLI11 wants the last word first
    try {
      app.parse(words);
    } catch (const CLI::ParseError& e) {
      return fail(Errc::invalid_input,
                  std::string(e.what()) + "; see " + tool.name + " " + verb.name + " --help");
    }
    std::vector<std::string> names;
    for (const auto& [spec, option] : bound) {
      names.push_back(spec.name);
      if (option->count() == 0) continue;
      args.options_[spec.name] = spec.value.empty() ? std::vector<std::string>{"true"} : given[spec.name];
    }
    for (const std::string& word : app.remaining()) {
      if (word.size() > 1 && word[0] == '-') {
        const std::string hint = did_you_mean(word, names);
        return fail(Errc::invalid_input, "unknown option " + word + (hint.empty() ? "" : ": " + hint));
      }
      args.positional_.push_back(word);
    }
    args.positional_.insert(args.positional_.end(), after.begin(), after.end());
    if (args.has("--help")) return args;
    if (args.positional_.size() < verb.least_arguments || args.positional_.size() > verb.most_arguments) {
      return fail(Errc::invalid_input, "usage: " + synopsis(tool, verb));
    }
    return args;
  }
};

bool Args::has(std::string_view option) const {
  return options_.find(option) != options_.end();
}

std::string Args::value(std::string_view option, std::string_view fallback) const {
  const auto at = options_.find(option);
  return at == options_.end() || at->second.empty() ? std::string(fallback) : at->second.back();
}

std::vector<std::string> Args::values(std::string_view option) const {
  const auto at = options_.find(option);
  return at == options_.end() ? std::vector<std::string>{} : at->second;
}

Result<std::uint64_t> Args::uint(std::string_view option, std::uint64_t fallback, std::uint64_t least,
                                 std::uint64_t most) const {
  if (!has(option)) return fallback;
  const std::string text = value(option);
  std::uint64_t number = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  if (error != std::errc{} || end != text.data() + text.size() || number < least || number > most) {
    return fail(Errc::invalid_input,
                fmt::format("{} wants a whole number from {} to {}, not `{}`", option, least, most, text));
  }
  return number;
}

Result<std::uint64_t> Args::duration_us(std::string_view option, std::uint64_t fallback_us,
                                        std::uint64_t least_us, std::uint64_t most_us) const {
  if (!has(option)) return fallback_us;
  YamlNode node;
  node.kind = YamlNode::Kind::scalar;
  node.text = value(option);
  Diagnostics ignored;
  const std::optional<std::uint64_t> us = yaml_duration_us(node, ignored);
  if (!us || *us < least_us || *us > most_us) {
    return fail(Errc::invalid_input,
                fmt::format("{} wants a time such as 90s, 5m or 2h, of {} s to {} s, not `{}`", option,
                            least_us / 1'000'000, most_us / 1'000'000, node.text));
  }
  return *us;
}

std::string tool_help(const ToolSpec& tool) {
  std::string out = fmt::format("NAME\n       {} - {}\n\nSYNOPSIS\n", tool.name, tool.summary);
  for (const VerbSpec& v : tool.verbs) out += "       " + synopsis(tool, v) + '\n';
  out += fmt::format("       {} completion bash|zsh|fish\n\nDESCRIPTION\n", tool.name);
  for (const VerbSpec& v : tool.verbs) out += fmt::format("       {:<17} {}\n", v.name, v.summary);
  if (!tool.description.empty()) out += '\n' + paragraphs(tool.description);
  out += fmt::format("\n       `{} VERB --help` lists the options of a verb.\n\n", tool.name) +
         std::string(kExitStatusText);
  const auto section = [&out](std::string_view title, const auto& rows) {
    if (rows.empty()) return;
    out += fmt::format("\n{}\n", title);
    for (const auto& [left, right] : rows) out += fmt::format("       {}\n           {}\n", left, right);
  };
  section("FILES", tool.files);
  section("EXAMPLES", tool.examples);
  if (!tool.standards.empty()) {
    out += "\nSTANDARDS\n";
    for (const std::string& s : tool.standards) out += "       " + s + '\n';
  }
  return out;
}

std::string verb_help(const ToolSpec& tool, const VerbSpec& verb) {
  std::string out = fmt::format("NAME\n       {} {} - {}\n\nSYNOPSIS\n       {}\n\nOPTIONS\n", tool.name,
                                verb.name, verb.summary, synopsis(tool, verb));
  return out + option_lines(verb.options) + option_lines(common_options()) + '\n' +
         std::string(kExitStatusText);
}

namespace {

std::string_view first_word(const VerbSpec& verb) {
  return std::string_view(verb.name).substr(0, verb.name.find(' '));
}
std::string_view second_word(const VerbSpec& verb) {
  const std::size_t blank = verb.name.find(' ');
  return blank == std::string::npos ? std::string_view{} : std::string_view(verb.name).substr(blank + 1);
}
bool is_group(const ToolSpec& tool, std::string_view word) {
  return std::any_of(tool.verbs.begin(), tool.verbs.end(),
                     [&](const VerbSpec& v) { return first_word(v) == word && !second_word(v).empty(); });
}

}  // namespace

std::string completion_script(const ToolSpec& tool, std::string_view shell) {
  std::string verbs;
  std::map<std::string, std::string> groups;  // first word: the second words
  for (const VerbSpec& v : tool.verbs) {
    const std::string first(first_word(v));
    if (groups.find(first) == groups.end()) verbs += first + " ";
    if (!second_word(v).empty()) groups[first] += std::string(second_word(v)) + " ";
  }
  verbs += "completion";
  const auto words = [](const VerbSpec& v) {
    std::string out;
    for (const OptionSpec& o : v.options) out += o.name + " ";
    for (const OptionSpec& o : common_options()) out += o.name + " ";
    out.pop_back();
    return out;
  };
  if (shell == "fish") {
    std::string out;
    for (const VerbSpec& v : tool.verbs) {
      const std::string_view last = second_word(v).empty() ? first_word(v) : second_word(v);
      if (second_word(v).empty()) {
        out += fmt::format("complete -c {} -n __fish_use_subcommand -a {} -d '{}'\n", tool.name, v.name,
                           v.summary);
      } else {
        out += fmt::format("complete -c {} -n '__fish_seen_subcommand_from {}' -a {} -d '{}'\n", tool.name,
                           first_word(v), last, v.summary);
      }
      for (const OptionSpec& o : v.options) {
        out += fmt::format("complete -c {} -n '__fish_seen_subcommand_from {}' -l {} {}-d '{}'\n", tool.name,
                           last, o.name.substr(2), o.value.empty() ? "" : "-r ", o.help);
      }
    }
    return out;
  }
  std::string out;
  if (shell == "zsh") out += "autoload -U +X bashcompinit && bashcompinit\n";
  out += fmt::format(
      "_{}() {{\n  local cur=${{COMP_WORDS[COMP_CWORD]}}\n  case \"${{COMP_WORDS[1]}} ${{COMP_WORDS[2]}}\" "
      "in\n",
      tool.name);
  // A verb alone is word 1, whatever word 2; a verb of a group is words 1 and 2.
  const auto complete = [](const std::string& choices) {
    return fmt::format("COMPREPLY=($(compgen -f -W \"{}\" -- \"$cur\"))", choices);
  };
  for (const VerbSpec& v : tool.verbs) {
    if (second_word(v).empty()) {
      out +=
          fmt::format("    \"{} \"*) {}; [ $COMP_CWORD -gt 1 ] && return ;;\n", v.name, complete(words(v)));
    } else {
      out += fmt::format("    \"{}\") [ $COMP_CWORD -gt 2 ] && {{ {}; return; }};;&\n", v.name,
                         complete(words(v)));
    }
  }
  for (const auto& [first, seconds] : groups)
    out += fmt::format("    \"{} \"*) {}; [ $COMP_CWORD -gt 1 ] && return ;;\n", first, complete(seconds));
  out += fmt::format(
      "  esac\n  COMPREPLY=($(compgen -W \"{}\" -- \"$cur\"))\n}}\ncomplete -o filenames -F _{} {}\n", verbs,
      tool.name, tool.name);
  return out;
}

void print_diagnostics(const Diagnostics& diagnostics) {
  const std::string text = diagnostics.render_all(want_colour());
  (void)write_all(STDERR_FILENO, text, "standard error");
}

void append_diagnostics_json(std::string& out, const Diagnostics& diagnostics) {
  JsonWriter json(out);
  json.begin_array();
  for (const Diagnostic& d : diagnostics.all()) {
    json.begin_object();
    json.field("severity", d.severity == Severity::error     ? "error"
                           : d.severity == Severity::warning ? "warning"
                                                             : "note");
    json.field("code", d.code).field("message", d.message).field("file", d.where.file);
    json.field("line", d.where.line)
        .field("column", d.where.column)
        .field("length", d.length)
        .field("hint", d.hint);
    json.end_object();
  }
  json.end_array();
}

Status print_result(std::string_view text) {
  return write_all(STDOUT_FILENO, text, "standard output");
}

int run_tool(const ToolSpec& tool, int argc, const char* const* argv) {
  std::vector<std::string> words(argv + std::min(argc, 1), argv + argc);
  log_init(tool.name, LogLevel::info);
  const auto finish = [](const Status& status) {
    return status ? kExitDone : exit_status(status.error().code);
  };
  const auto refuse = [&](const std::string& text) {
    log_error("{}", text);
    return kExitUsage;
  };
  if (words.empty()) {
    (void)write_all(STDERR_FILENO, tool_help(tool), "standard error");
    return kExitUsage;
  }
  if (words[0] == "--help" || words[0] == "-h" || words[0] == "help")
    return finish(print_result(tool_help(tool)));
  if (words[0] == "--version") return finish(print_result(tool.name + " " GATEHOUSE_VERSION "\n"));
  if (words[0] == "completion") {
    const std::string shell = words.size() == 2 ? words[1] : "";
    if (shell != "bash" && shell != "zsh" && shell != "fish")
      return refuse("usage: " + tool.name + " completion bash|zsh|fish");
    return finish(print_result(completion_script(tool, shell)));
  }
  if (words.size() > 1 && is_group(tool, words[0]) && !words[1].starts_with('-')) {
    words[0] += ' ' + words[1];
    words.erase(words.begin() + 1);
  }
  const auto verb = std::find_if(tool.verbs.begin(), tool.verbs.end(),
                                 [&](const VerbSpec& v) { return v.name == words[0]; });
  if (verb == tool.verbs.end()) {
    std::vector<std::string> names;
    for (const VerbSpec& v : tool.verbs) names.push_back(v.name);
    if (is_group(tool, words[0]))
      return refuse("say what of `" + words[0] + "`; see " + tool.name + " --help");
    const std::string hint = did_you_mean(words[0], names);
    return refuse("unknown verb `" + words[0] + "`" + (hint.empty() ? "" : ": " + hint) + "; see " +
                  tool.name + " --help");
  }
  words.erase(words.begin());
  const Result<Args> args = CliParser::parse(tool, *verb, std::move(words));
  if (!args) return refuse(args.error().to_string());
  if (args->has("--help")) return finish(print_result(verb_help(tool, *verb)));
  if (args->verbose()) log_init(tool.name, LogLevel::debug);
  const Result<int> outcome = verb->run(*args);
  if (outcome) return *outcome;
  log_error("{}", outcome.error().to_string());
  return exit_status(outcome.error().code);
}

}  // namespace gatehouse::core
