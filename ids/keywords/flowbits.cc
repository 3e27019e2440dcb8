// flowbits: named marks on a flow that one rule sets and another tests.
#include "ids/keywords/values.h"

namespace gatehouse::ids {
namespace {

bool good_name(std::string_view name) {
  return !name.empty() && name.find_first_of(" \t!,") == std::string_view::npos;
}

void apply_flowbits(RuleBuilder& builder, const lang::RuleOption& option) {
  const auto parts = split(option.value, ',');
  const std::string_view command = parts[0].text;
  if (command == "noalert") {
    if (parts.size() > 1) {
      builder.error_at(option, parts[1].at, parts[1].text.size(), "flowbits-syntax",
                       "`noalert` takes no name");
      return;
    }
    builder.rule.noalert = true;
    return;
  }
  static const std::pair<std::string_view, BitCommand> kCommands[] = {{"set", BitCommand::set},
                                                                      {"unset", BitCommand::unset},
                                                                      {"toggle", BitCommand::toggle},
                                                                      {"isset", BitCommand::isset},
                                                                      {"isnotset", BitCommand::isnotset}};
  FlowbitOp op;
  bool known = false;
  for (const auto& [name, value] : kCommands) {
    if (name != command) continue;
    known = true;
    op.command = value;
  }
  if (!known) {
    static const std::vector<std::string> kNames = {"set", "unset", "toggle", "isset", "isnotset", "noalert"};
    builder
        .error_at(option, parts[0].at, parts[0].text.size(), "flowbits-command",
                  "unknown flowbits command `" + std::string(command) + "`")
        .hint = core::did_you_mean(command, kNames);
    return;
  }
  if (parts.size() != 2 || parts[1].text.empty()) {
    builder.error(option, "flowbits-syntax", "flowbits needs a command and a name").hint =
        "flowbits:set,name;";
    return;
  }
  const bool tests = op.command == BitCommand::isset || op.command == BitCommand::isnotset;
  const auto names = split(parts[1].text, '|');
  if (names.size() > 1 && !tests) {
    builder.error_at(option, parts[1].at, parts[1].text.size(), "flowbits-syntax",
                     "several names only make sense with isset and isnotset");
    return;
  }
  for (const Part& name : names) {
    if (!good_name(name.text)) {
      builder.error_at(option, parts[1].at + name.at, name.text.size(), "flowbits-name",
                       "this is no flowbit name");
      return;
    }
    op.bits.push_back(builder.resources.flowbits.id_of(name.text));
  }
  if (op.command != BitCommand::set) builder.flowbits_only_set = false;
  (tests ? builder.rule.flowbit_tests : builder.rule.flowbit_actions).push_back(std::move(op));
}

constexpr KeywordDescriptor kKeywords[] = {
    {"flowbits", ValueNeed::required, "sets or tests a named mark of the flow", apply_flowbits},
};

}  // namespace

std::span<const KeywordDescriptor> keyword_family_flowbits() {
  return kKeywords;
}

}  // namespace gatehouse::ids
