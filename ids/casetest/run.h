// Runs cases and says what came of them.
#pragma once

#include <string>
#include <vector>

#include "core/diag.h"
#include "core/result.h"
#include "ids/casetest/case.h"

namespace gatehouse::ids::casetest {

struct Outcome {
  std::string name;  // of the case
  // passed; failed: ran, and something else came out; broken: could not be run.
  enum class Verdict : std::uint8_t { passed, failed, broken } verdict = Verdict::broken;
  std::vector<std::string> reasons;  // why not
  core::Diagnostics diagnostics;     // of the case, its settings and its rules
  std::size_t events = 0;
};

// Runs the case of one directory. Changes the working directory meanwhile: one at a time.
Outcome run_case(const std::string& directory);

// Writes the traffic of a case to a capture file.
core::Status write_capture(const Case& test, const std::string& path);

}  // namespace gatehouse::ids::casetest
