// Runs the attacks one after the other and judges each from facts only: what the tools said, and
// what the SOC's receiver wrote.
#pragma once

#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "site/drill/attack.h"

namespace gatehouse::drill {

struct Row {
  Attack attack;
  Outcome outcome;
  std::optional<std::string> error;  // the attack could not be carried out: the row does not hold
  bool report_wanted = false;
  bool seen = false;          // the IDS wrote it, or the SOC has it
  bool reported = false;      // the SOC has it
  std::string wanted;         // "scan.syn.vertical"
  std::string seen_by;        // "sid 1000123", "scan.syn.vertical"
  double seconds_to_soc = 0;  // from the start of the attack; meaningful when reported
  double seconds = 0;         // how long the attack ran

  bool holds() const { return !error && outcome.held && (!report_wanted || reported); }
  std::string problem() const;  // why it does not hold; empty when it does
};

struct DrillResult {
  std::string site;
  std::int64_t started_us = 0;
  double seconds = 0;
  std::vector<Row> rows;

  bool holds() const;
};

struct DrillOptions {
  std::vector<std::string> only;             // attack ids; empty: all
  std::vector<std::string> controls;         // and of these controls only; empty: all
  std::chrono::seconds report_limit{15};     // how long after an attack the SOC may take
  std::function<void(const Row&)> progress;  // after each attack; a missing report may still come
};

// An Error for a name in `only` or `controls` that no attack has, and when a log cannot be read.
core::Result<DrillResult> run_drill(const Lab& lab, const site::Site& site, const DrillOptions& options);

}  // namespace gatehouse::drill
