// Runs one program to its end or to a time limit, and keeps what it said.
#pragma once

#include <chrono>
#include <string>
#include <vector>

#include "core/result.h"

namespace gatehouse::drill {

struct CommandResult {
  int exit_status = -1;       // -1: ended by a signal
  int signal = 0;             // the signal that ended it
  bool timed_out = false;     // we ended it
  std::string output;         // standard output and error, in the order they came
  std::int64_t start_us = 0;  // wall clock
  std::int64_t end_us = 0;

  bool ok() const { return exit_status == 0; }
  bool says(std::string_view text) const { return output.find(text) != std::string::npos; }
};

struct CommandOptions {
  std::chrono::milliseconds limit{30'000};
  std::string input;                     // standard input
  std::size_t output_limit = 4U << 20U;  // more is read and dropped
};

// An Error when the program cannot be started at all. The program gets its own process group,
// which is killed at the limit, and dies with us.
core::Result<CommandResult> run_command(const std::vector<std::string>& argv, const CommandOptions& options);

}  // namespace gatehouse::drill
