// flowvar and pktvar: what regexes captured before.
#include <algorithm>

#include "ids/keywords/values.h"

namespace gatehouse::ids {
namespace {

// Holds when the variable is set and has the value in it.
class VariableHas : public Condition {
 public:
  VariableHas(CaptureScope scope, std::string name, std::string value, bool negated)
      : scope_(scope), name_(std::move(name)), value_(std::move(value)), negated_(negated) {}
  bool holds(const InspectContext& context) const override {
    const std::string* value = nullptr;
    if (scope_ == CaptureScope::packet) {
      value = find_capture(context.packet_captures, name_);
    } else if (const FlowCaptures* captures =
                   context.flow == nullptr ? nullptr : flow_captures(*context.flow)) {
      value = find_capture(captures->values, name_);
    }
    return value != nullptr && (value->find(value_) != std::string::npos) != negated_;
  }
  bool needs_packet() const override { return scope_ == CaptureScope::packet; }

 private:
  CaptureScope scope_;
  std::string name_, value_;
  bool negated_;
};

void apply(RuleBuilder& builder, const lang::RuleOption& option) {
  const std::size_t comma = option.value.find(',');
  if (comma == std::string::npos || comma == 0) {
    builder.error(option, "variable-syntax", "`" + option.name + "` has a name and a value").hint =
        option.name + ":<name>,<value>;";
    return;
  }
  const Part name = trim({std::string_view(option.value).substr(0, comma), 0});
  Part value = trim({std::string_view(option.value).substr(comma + 1), comma + 1});
  const bool negated = value.text.starts_with('!');
  if (negated) value = trim({value.text.substr(1), value.at + 1});
  if (value.text.size() >= 2 && value.text.front() == '"' && value.text.back() == '"')
    value = {value.text.substr(1, value.text.size() - 2), value.at + 1};
  std::string bytes;
  if (!decode_bytes(builder, option, value, bytes)) return;
  const CaptureScope scope = option.name == "flowvar" ? CaptureScope::flow : CaptureScope::packet;
  builder.add_condition(
      std::make_unique<VariableHas>(scope, std::string(name.text), std::move(bytes), negated));
}

constexpr KeywordDescriptor kKeywords[] = {
    {"flowvar", ValueNeed::required, "a value a regex captured in this flow", apply},
    {"pktvar", ValueNeed::required, "a value a regex captured in this packet", apply},
};

}  // namespace

std::span<const KeywordDescriptor> keyword_family_variables() {
  return kKeywords;
}

}  // namespace gatehouse::ids
