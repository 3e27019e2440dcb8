// Settings of rules: variables, classification, limits.
#include "ids/engine/setting_keys.h"

namespace gatehouse::ids::engine {
namespace {

void address_group(const SettingValue& v) {
  if (auto text = v.group())
    v.settings.environment.address_variables[std::string(v.stars[0])] = std::move(*text);
}
void port_group(const SettingValue& v) {
  if (auto text = v.group())
    v.settings.environment.port_variables[std::string(v.stars[0])] = std::move(*text);
}
void match_limit(const SettingValue& v) {
  if (auto n = v.uint(1, 1'000'000)) v.settings.environment.pcre_match_limit = static_cast<std::uint32_t>(*n);
}
void recursion_limit(const SettingValue& v) {
  if (auto n = v.uint(1, 1'000'000))
    v.settings.environment.pcre_recursion_limit = static_cast<std::uint32_t>(*n);
}
void alert_max(const SettingValue& v) {
  if (auto n = v.uint(1, 255)) v.settings.engine.packet_alert_max = static_cast<unsigned>(*n);
}

void action_order(const SettingValue& v) {
  constexpr std::pair<std::string_view, RuleAction> kNames[] = {{"pass", RuleAction::pass},
                                                                {"drop", RuleAction::drop},
                                                                {"reject", RuleAction::reject},
                                                                {"alert", RuleAction::alert}};
  std::vector<RuleAction> order;
  for (const std::string& word : v.words()) {
    for (const auto& [name, action] : kNames) {
      if (name == word && std::find(order.begin(), order.end(), action) == order.end())
        order.push_back(action);
    }
  }
  if (order.size() != std::size(kNames) || v.words().size() != order.size())
    return v.wrong("a list that names pass, drop, reject and alert once each");
  v.settings.engine.action_order = std::move(order);
}

void classification(const SettingValue& v) {
  if (auto text = v.text()) v.settings.classification_file = std::move(*text);
}
void threshold_file(const SettingValue& v) {
  if (v.node.is_null()) return;
  if (auto text = v.text()) v.settings.threshold_file = std::move(*text);
}
void any_text(const SettingValue& v) {
  (void)v.text();
}
void guess_transaction(const SettingValue& v) {
  if (auto on = v.flag()) v.settings.eve.guess_transaction = *on;
}
void any_number(const SettingValue& v) {
  (void)v.uint(0, UINT32_MAX);
}
void uricontent(const SettingValue& v) {
  if (v.node.text != "enabled") v.unsupported("switching old keywords off");
}

constexpr std::string_view kNotNeeded = "the engine needs no such limit";

constexpr KeyRow kRows[] = {
    {"vars.address-groups.*", address_group},
    {"vars.port-groups.*", port_group},
    {"pcre.match-limit", match_limit},
    {"pcre.match-limit-recursion", recursion_limit},
    {"packet-alert-max", alert_max},
    {"action-order", action_order},
    {"classification-file", classification},
    {"detect.cache-directory", any_text, "rule sets load fast enough without it"},
    {"reference-config-file", any_text, "references are not written to events"},
    {"threshold-file", threshold_file},
    {"detect.guess-applayer-tx", guess_transaction},
    {"detect.inspection-recursion-limit", any_number, kNotNeeded},
    {"asn1-max-frames", any_number, "the asn1 keyword is not supported"},
    {"legacy.uricontent", uricontent},
};

}  // namespace

std::span<const KeyRow> rule_keys() {
  return kRows;
}

}  // namespace gatehouse::ids::engine
