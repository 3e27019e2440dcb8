#include "ids/triage/policy.h"

#include <algorithm>

namespace gatehouse::ids::triage {

bool class_fits(std::string_view pattern, std::string_view klass) {
  if (pattern == "*") return true;
  if (pattern.ends_with(".*")) return klass.starts_with(pattern.substr(0, pattern.size() - 1));
  return pattern == klass;
}

bool may_be_banned(const anomaly::AttackClass& attack) {
  return !attack.spoofable && !attack.klass.starts_with("info.");
}

bool is_class_pattern(std::string_view pattern) {
  const auto classes = anomaly::attack_classes();
  return std::any_of(classes.begin(), classes.end(),
                     [&](const anomaly::AttackClass& c) { return class_fits(pattern, c.klass); });
}

}  // namespace gatehouse::ids::triage
