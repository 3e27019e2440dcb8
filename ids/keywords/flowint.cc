// flowint: named counters of a flow.
#include "ids/keywords/values.h"
#include "ids/state/flow_variables.h"

namespace gatehouse::ids {
namespace {

// A number, or another variable of the flow; one that was never set counts as 0.
struct IntOperand {
  bool variable = false;
  std::uint32_t value = 0;  // the number, or the variable's id

  std::uint32_t read(const Flow& flow) const {
    if (!variable) return value;
    const FlowVariables* variables = flow_variables(flow);
    const FlowVariables::Int* found = variables == nullptr ? nullptr : variables->find(value);
    return found == nullptr ? 0 : found->value;
  }
};

enum class IntTest : std::uint8_t {
  equal,
  not_equal,
  less,
  less_equal,
  greater,
  greater_equal,
  isset,
  notset
};

class IntCondition : public Condition {
 public:
  IntCondition(std::uint32_t name, IntTest test, IntOperand operand)
      : name_(name), test_(test), operand_(operand) {}

  bool holds(const InspectContext& context) const override {
    if (context.flow == nullptr) return false;
    const FlowVariables* variables = flow_variables(*context.flow);
    const FlowVariables::Int* found = variables == nullptr ? nullptr : variables->find(name_);
    if (test_ == IntTest::isset) return found != nullptr;
    if (test_ == IntTest::notset) return found == nullptr;
    return found != nullptr && compare(found->value, operand_.read(*context.flow));
  }
  bool needs_packet() const override { return false; }

 private:
  bool compare(std::uint32_t a, std::uint32_t b) const {
    switch (test_) {
      case IntTest::equal:
        return a == b;
      case IntTest::not_equal:
        return a != b;
      case IntTest::less:
        return a < b;
      case IntTest::less_equal:
        return a <= b;
      case IntTest::greater:
        return a > b;
      case IntTest::greater_equal:
        return a >= b;
      case IntTest::isset:
      case IntTest::notset:
        break;
    }
    return false;
  }

  std::uint32_t name_;
  IntTest test_;
  IntOperand operand_;
};

class IntAction : public MatchAction {
 public:
  IntAction(std::uint32_t name, char command, IntOperand operand)
      : name_(name), command_(command), operand_(operand) {}

  void apply(ActionContext& context) const override {
    if (context.flow == nullptr) return;
    FlowVariables& variables = make_flow_variables(*context.flow);
    const std::uint32_t operand = operand_.read(*context.flow);
    const FlowVariables::Int* found = variables.find(name_);
    // 32 bits that wrap around. Nothing is taken from what was never set.
    if (command_ == '=') variables.set(name_, operand);
    if (command_ == '+') variables.set(name_, (found == nullptr ? 0 : found->value) + operand);
    if (command_ == '-' && found != nullptr) variables.set(name_, found->value - operand);
  }

 private:
  std::uint32_t name_;
  char command_;
  IntOperand operand_;
};

bool good_name(std::string_view name) {
  return !name.empty() && name.find_first_of(" \t!|,\"") == std::string_view::npos &&
         !(name[0] >= '0' && name[0] <= '9');
}

bool parse_operand(RuleBuilder& builder, const lang::RuleOption& option, const Part& part, IntOperand& out) {
  if (const auto number = parse_number(part.text)) {
    if (*number >= 0 && *number <= 0xffff'ffffLL) {
      out.value = static_cast<std::uint32_t>(*number);
      return true;
    }
  } else if (good_name(part.text)) {
    out.variable = true;
    out.value = builder.resources.flowints.id_of(part.text);
    builder.rule.state_uses.push_back(
        {builder.resources.state_names.id_of("flowint:" + std::string(part.text)), false});
    return true;
  }
  builder.error_at(option, part.at, part.text.size(), "flowint-value",
                   "flowint needs a number below 2^32 or the name of a variable");
  return false;
}

void apply_flowint(RuleBuilder& builder, const lang::RuleOption& option) {
  static const std::pair<std::string_view, IntTest> kTests[] = {
      {"==", IntTest::equal},      {"!=", IntTest::not_equal},  {"<", IntTest::less},
      {"<=", IntTest::less_equal}, {">", IntTest::greater},     {">=", IntTest::greater_equal},
      {"isset", IntTest::isset},   {"notset", IntTest::notset}, {"isnotset", IntTest::notset}};
  const auto parts = split(option.value, ',');
  if (parts.size() < 2 || parts.size() > 3) {
    builder.error(option, "flowint-syntax", "flowint needs a name, an operator and a value").hint =
        "flowint:name,+,1;  flowint:name,isset;";
    return;
  }
  if (!good_name(parts[0].text)) {
    builder.error_at(option, parts[0].at, parts[0].text.size(), "flowint-name",
                     "this is no name of a counter");
    return;
  }
  const std::string_view op = parts[1].text;
  const bool writes = op == "+" || op == "-" || op == "=";
  const auto test =
      std::find_if(std::begin(kTests), std::end(kTests), [&](const auto& t) { return t.first == op; });
  if (!writes && test == std::end(kTests)) {
    builder.error_at(option, parts[1].at, op.size(), "flowint-operator", "unknown flowint operator").hint =
        "+ - = == != < <= > >= isset notset";
    return;
  }
  const bool alone = !writes && (test->second == IntTest::isset || test->second == IntTest::notset);
  if (alone != (parts.size() == 2)) {
    builder.error(
        option, "flowint-syntax",
        alone ? "`" + std::string(op) + "` takes no value" : "`" + std::string(op) + "` needs a value");
    return;
  }
  IntOperand operand;
  if (!alone && !parse_operand(builder, option, parts[2], operand)) return;
  const std::uint32_t name = builder.resources.flowints.id_of(parts[0].text);
  builder.rule.state_uses.push_back(
      {builder.resources.state_names.id_of("flowint:" + std::string(parts[0].text)), writes});
  builder.header_like = false;
  if (writes) {
    builder.rule.match_actions.push_back(std::make_unique<IntAction>(name, op[0], operand));
  } else {
    builder.add_condition(std::make_unique<IntCondition>(name, test->second, operand));
  }
}

constexpr KeywordDescriptor kKeywords[] = {
    {"flowint", ValueNeed::required, "changes or tests a named counter of the flow", apply_flowint},
};

}  // namespace

std::span<const KeywordDescriptor> keyword_family_flowint() {
  return kKeywords;
}

}  // namespace gatehouse::ids
