#include "hardening/profile/profile.h"

#include <fmt/format.h>

#include <algorithm>
#include <cerrno>
#include <cstring>

#include "core/yaml.h"

namespace gatehouse::hardening {
namespace {

using core::Diagnostic;
using core::Diagnostics;
using core::MapReader;
using core::YamlNode;

// Enough for any sane condition; libseccomp takes one rule for each.
constexpr std::size_t kMaxAlternatives = 256;
constexpr std::uint64_t kIntMask = 0xffffffff;

Diagnostic& report(Diagnostics& diagnostics, const char* code, const YamlNode& node, std::string message) {
  Diagnostic& d = diagnostics.error(code, node.where, std::move(message));
  d.length = static_cast<std::uint32_t>(std::max<std::size_t>(node.text.size(), 1));
  return d;
}

class ProfileParser {
 public:
  ProfileParser(const SyscallTable& table, Diagnostics& diagnostics)
      : table_(table), diagnostics_(diagnostics) {
    for (const auto& [name, number] : table.numbers) names_.push_back(name);
  }

  Profile parse(const YamlNode& root) {
    MapReader map(root, "the profile", diagnostics_);
    profile_.where = root.where;
    profile_.name = map.required_string("profile");
    profile_.summary = map.string("summary");
    if (const YamlNode* node = map.required("default")) profile_.fallback = parse_action(*node);
    profile_.newest = parse_newest(map);
    profile_.exec = parse_exec(map);
    for (const char* name : {"execve", "execveat"}) {
      if (const auto at = table_.numbers.find(name); at != table_.numbers.end()) {
        profile_.exec_numbers.push_back(at->second);
      }
    }
    for (const YamlNode* name : map.list("allow"))
      add_rule(*name, Expression(), Action{Action::Kind::allow, 0});
    for (const YamlNode* entry : map.list("when")) parse_conditional(*entry);
    for (const YamlNode* entry : map.list("refuse")) parse_refusal(*entry);
    map.finish();
    finish_conditions();
    return std::move(profile_);
  }

 private:
  // "kill", "log", "errno EPERM" or just "EPERM".
  Action parse_action(const YamlNode& node) {
    if (node.text == "kill") return {Action::Kind::kill, 0};
    if (node.text == "log") return {Action::Kind::log, 0};
    const std::string name = node.text.rfind("errno ", 0) == 0 ? node.text.substr(6) : node.text;
    if (const auto number = parse_errno_name(name)) return {Action::Kind::refuse, *number};
    report(diagnostics_, "bad-action", node, "`" + node.text + "` is not an action").hint =
        "kill, log, or an error such as `errno EPERM`";
    return {};
  }

  int parse_newest(MapReader& map) {
    const YamlNode* node = map.optional("newest-syscall");
    if (node == nullptr) return table_.newest;
    return number_of(*node).value_or(table_.newest);
  }

  ExecMode parse_exec(MapReader& map) {
    const YamlNode* node = map.optional("exec");
    if (node == nullptr || node->text == "once") return ExecMode::once;
    if (node->text == "never") return ExecMode::never;
    if (node->text == "always") return ExecMode::always;
    report(diagnostics_, "bad-value", *node, "`exec` is never, once or always, not `" + node->text + "`");
    return ExecMode::once;
  }

  std::optional<int> number_of(const YamlNode& node) {
    if (!node.is_scalar()) {
      report(diagnostics_, "bad-value", node, "expected the name of a system call");
      return std::nullopt;
    }
    const auto at = table_.numbers.find(node.text);
    if (at != table_.numbers.end()) return at->second;
    Diagnostic& d = report(diagnostics_, "unknown-syscall", node,
                           "system call `" + node.text + "` is not known on this architecture");
    d.hint = core::did_you_mean(node.text, names_);
    if (d.hint.empty()) d.hint = "calls newer than this build knows get ENOSYS without being listed";
    return std::nullopt;
  }

  void add_rule(const YamlNode& name, Expression when, Action action) {
    const std::optional<int> number = number_of(name);
    if (!number) return;
    const auto& exec = profile_.exec_numbers;
    if (std::find(exec.begin(), exec.end(), *number) != exec.end()) {
      report(diagnostics_, "exec-listed", name, "`" + name.text + "` is governed by the key `exec`");
      return;
    }
    if (*number > profile_.newest) {
      report(diagnostics_, "newer-than-profile", name, "`" + name.text + "` is newer than `newest-syscall`");
      return;
    }
    const auto [at, fresh] = profile_.rules.try_emplace(*number);
    if (fresh) {
      at->second = SyscallRule{name.text, std::move(when), action, name.where};
      return;
    }
    // Two conditional rules for one call mean either; everything else is a contradiction.
    if (at->second.action == action && !at->second.when.is_always() && !when.is_always()) {
      at->second.when = Expression::any_of({at->second.when, std::move(when)});
      return;
    }
    report(diagnostics_, "duplicate-syscall", name, "`" + name.text + "` is already listed").hint =
        fmt::format("the first is at line {}", at->second.where.line);
  }

  void parse_conditional(const YamlNode& node) {
    MapReader map(node, "a conditional rule", diagnostics_);
    std::vector<Expression> parts;
    const std::vector<const YamlNode*> conditions = map.list("arguments");
    for (const YamlNode* condition : conditions) parts.push_back(parse_condition(*condition));
    if (conditions.empty()) {
      report(diagnostics_, "missing-key", node, "a rule under `when` needs `arguments`").hint =
          "a call that is always allowed belongs under `allow`";
      return;
    }
    const Expression when = Expression::all_of(std::move(parts));
    for (const YamlNode* name : map.list("syscalls")) add_rule(*name, when, Action{Action::Kind::allow, 0});
    (void)map.required("syscalls");
    (void)map.string("why");
    map.finish();
  }

  Expression parse_condition(const YamlNode& node) {
    MapReader map(node, "an argument condition", diagnostics_);
    const unsigned argument = static_cast<unsigned>(map.uint("argument", 0, 0, 5));
    (void)map.required("argument");
    const std::vector<const YamlNode*> one_of = map.list("one-of");
    const std::vector<const YamlNode*> clear = map.list("bits-clear");
    const YamlNode* most = map.optional("at-most");
    // The C type the kernel reads: `long` compares all 64 bits.
    const YamlNode* type = map.optional("type");
    const bool wide = type != nullptr && type->text == "long";
    if (type != nullptr && type->text != "int" && type->text != "long") {
      report(diagnostics_, "bad-value", *type, "`type` is int or long");
    }
    map.finish();
    const int given = (one_of.empty() ? 0 : 1) + (clear.empty() ? 0 : 1) + (most == nullptr ? 0 : 1);
    if (given != 1) {
      report(diagnostics_, "bad-condition", node,
             "a condition has exactly one of one-of, bits-clear, at-most");
      return {};
    }
    if (most != nullptr) {
      return Expression::compare({argument, Comparison::Kind::at_most, 0, value_of(*most)});
    }
    const std::uint64_t width = wide ? ~std::uint64_t{0} : kIntMask;
    if (!clear.empty()) {
      std::uint64_t mask = 0;
      for (const YamlNode* bit : clear) mask |= value_of(*bit);
      if (mask == 0)
        report(diagnostics_, "bad-condition", node, "`bits-clear` names no bit: it would always hold");
      return Expression::compare({argument, Comparison::Kind::masked_equal, mask, 0});
    }
    std::vector<Expression> choices;
    for (const YamlNode* choice : one_of) {
      const std::uint64_t value = value_of(*choice);
      if ((value & ~width) != 0) report(diagnostics_, "bad-value", *choice, "the value does not fit an int");
      choices.push_back(
          Expression::compare({argument, Comparison::Kind::masked_equal, width, value & width}));
    }
    return Expression::any_of(std::move(choices));
  }

  std::uint64_t value_of(const YamlNode& node) {
    if (const auto value = parse_argument_value(node.text); node.is_scalar() && value) return *value;
    report(diagnostics_, "unknown-constant", node,
           "`" + node.text + "` is neither a known constant nor a number")
        .hint = core::did_you_mean(node.text, argument_constant_names());
    return 0;
  }

  void parse_refusal(const YamlNode& node) {
    MapReader map(node, "a refusal", diagnostics_);
    const YamlNode* action = map.required("action");
    const Action what = action == nullptr ? Action{} : parse_action(*action);
    (void)map.required("syscalls");
    for (const YamlNode* name : map.list("syscalls")) add_rule(*name, Expression(), what);
    (void)map.string("why");
    map.finish();
  }

  // Conditions must fit what a filter can say, and that is the profile's mistake to hear about.
  void finish_conditions() {
    for (const auto& [number, rule] : profile_.rules) {
      const auto alternatives = rule.when.alternatives(kMaxAlternatives);
      if (!alternatives) {
        diagnostics_.error("bad-condition", rule.where, "`" + rule.name + "`: " + alternatives.error().text);
      }
    }
  }

  const SyscallTable& table_;
  Diagnostics& diagnostics_;
  std::vector<std::string> names_;
  Profile profile_;
};

}  // namespace

std::string Action::to_string() const {
  switch (kind) {
    case Kind::allow:
      return "allow";
    case Kind::refuse: {
      const char* name = strerrorname_np(error_number);
      return name == nullptr ? fmt::format("errno {}", error_number) : fmt::format("errno {}", name);
    }
    case Kind::kill:
      return "kill";
    case Kind::log:
      return "log";
    case Kind::ask_once:
      break;
  }
  return "allow once";
}

std::string_view to_string(ExecMode mode) {
  switch (mode) {
    case ExecMode::never:
      return "never";
    case ExecMode::once:
      return "once";
    case ExecMode::always:
      break;
  }
  return "always";
}

Action Profile::decide(int number, const Arguments& arguments, bool launching) const {
  if (number < 0 || number > kMaxSyscall) return {Action::Kind::kill, 0};
  if (number > newest) return {Action::Kind::refuse, ENOSYS};
  if (std::find(exec_numbers.begin(), exec_numbers.end(), number) != exec_numbers.end()) {
    if (exec == ExecMode::always) return {Action::Kind::allow, 0};
    if (exec == ExecMode::once && launching) return {Action::Kind::ask_once, 0};
    return fallback;
  }
  const auto at = rules.find(number);
  if (at == rules.end() || !at->second.when.evaluate(arguments)) return fallback;
  return at->second.action;
}

std::optional<Profile> parse_profile(const core::SourceText& source, const SyscallTable& table,
                                     core::Diagnostics& diagnostics) {
  const std::size_t before = diagnostics.error_count();
  const std::optional<YamlNode> root = core::parse_yaml(source, diagnostics);
  if (!root) return std::nullopt;
  Profile profile = ProfileParser(table, diagnostics).parse(*root);
  diagnostics.attach(source);
  if (diagnostics.error_count() != before) return std::nullopt;
  return profile;
}

}  // namespace gatehouse::hardening
