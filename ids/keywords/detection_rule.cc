#include "ids/keywords/detection_rule.h"

#include <algorithm>

namespace gatehouse::ids {
namespace {

// Everything else looks at packets, and a finding has none.
constexpr std::string_view kOptions[] = {"msg",       "sid",       "gid",      "rev",
                                         "priority",  "classtype", "metadata", "reference",
                                         "threshold", "target",    "requires"};

const lang::RuleOption* option_of(const RuleBuilder& builder, std::string_view name) {
  const auto& options = builder.ast.options;
  const auto found = std::find_if(options.begin(), options.end(),
                                  [&](const lang::RuleOption& option) { return option.name == name; });
  return found == options.end() ? nullptr : &*found;
}

void check_header(RuleBuilder& builder) {
  const lang::RuleHeader& h = builder.ast.header;
  const auto refuse = [&](lang::TextOffset at, std::size_t length, std::string message, std::string hint) {
    builder.error_text(at, static_cast<std::uint32_t>(length), "detection-rule", std::move(message)).hint =
        std::move(hint);
  };
  if (h.action != "alert" && h.action != "pass")
    refuse(h.action_at, h.action.size(), "what a detector finds can be told or not, nothing else",
           "alert or pass");
  if (h.protocol != "ip")
    refuse(h.protocol_at, h.protocol.size(), "the protocol is the detector's to know",
           "alert ip any any -> ...");
  if (h.direction != lang::RuleDirection::to)
    refuse(h.direction_at, 2, "a finding goes from its sources to its targets", "->");
  for (const lang::GroupExpr* port : {&h.source_port, &h.destination_port}) {
    if (port->kind != lang::GroupExpr::Kind::any || port->negated)
      refuse(port->at, std::max(port->length, 1U), "a finding has no ports to choose by", "any");
  }
}

}  // namespace

bool is_detection_rule(const RuleBuilder& builder) {
  const std::uint32_t gid = builder.environment.detectors.gid;
  return gid != 0 && builder.rule.meta.gid == gid;
}

void check_detection_rule(RuleBuilder& builder, const std::vector<std::unique_ptr<const Rule>>& before) {
  check_header(builder);
  for (const lang::RuleOption& option : builder.ast.options) {
    if (std::find(std::begin(kOptions), std::end(kOptions), option.name) == std::end(kOptions))
      builder.error_name(
          option, "detection-rule",
          "`" + option.name + "` looks at packets; a rule of this generator is about findings");
  }
  const lang::RuleOption* sid = option_of(builder, "sid");
  if (sid == nullptr) return;  // told already
  const auto& sids = builder.environment.detectors.sids;
  const std::uint32_t number = builder.rule.meta.sid;
  if (std::find(sids.begin(), sids.end(), number) == sids.end()) {
    builder
        .error(*sid, "unknown-sid",
               "generator " + std::to_string(builder.rule.meta.gid) + " has no sid " + sid->value)
        .hint = "`ids anomaly classes` lists them";
    return;
  }
  const auto same =
      std::find_if(before.begin(), before.end(), [&](const auto& rule) { return rule->meta.sid == number; });
  if (same != before.end())
    builder.error(*sid, "duplicate-sid", "sid " + sid->value + " is already taken").hint =
        "the first rule with it is at " + (*same)->meta.where.position().to_string();
}

}  // namespace gatehouse::ids
