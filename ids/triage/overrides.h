// What rule files, threshold files and classification files make of a detection.
#pragma once

#include <array>
#include <memory>
#include <span>
#include <string_view>

#include "ids/anomaly/detection.h"
#include "ids/keywords/rule.h"
#include "ids/match/thresholds.h"

namespace gatehouse::ids::triage {

// How a detection is told. Views live until the rules change.
struct Told {
  std::string_view signature, category;
  std::uint8_t severity = 3;
  std::uint32_t rev = 1;
  bool blocked = false;  // a rate filter asks for `drop`
  std::optional<bool> target_is_source;
  std::span<const std::pair<std::string, std::string>* const> metadata;
};

// All detections of this build, for RuleEnvironment::detectors.
RuleEnvironment::Detectors detectors_of_build();

class Overrides {
 public:
  Overrides();

  // What `list` says of detections: its rules for them, and what classification and threshold files said when
  // it was read. It must live until the next call.
  void use(const RuleList& list);
  // False: it is silenced. Counts for thresholds.
  bool admit(const anomaly::Detection& detection, Told& told);

 private:
  static constexpr std::size_t kVerdicts = static_cast<std::size_t>(anomaly::Verdict::count_);
  static constexpr std::size_t kCounters = 1U << 12U;
  void tell(const anomaly::Detection& detection, const Rule* rule, Told& told) const;

  const RuleList* list_ = nullptr;                // the last one used, if any
  std::array<Rule, kVerdicts> unwritten_;         // what threshold files say of those no rule speaks of
  std::array<const Rule*, kVerdicts> written_{};  // null: no rule speaks of it
  ThresholdCounts counts_;
};

}  // namespace gatehouse::ids::triage
