// The tools that enforce a site, called as programs that stand beside this one.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "core/result.h"

namespace gatehouse::umbrella {

// What the umbrella asks of every tool that has it.
enum class Question : std::uint8_t { check, plan, apply, status };

struct Tool {
  std::string_view area;     // what `--only` names: "firewall"
  std::string_view program;  // "fwctl"
  // The arguments for each question; empty: the tool has no such verb. `@SITE` stands for the site file.
  std::vector<std::string_view> check, plan, apply, status;

  const std::vector<std::string_view>& arguments(Question question) const;
};

// In the order in which they are applied.
const std::vector<Tool>& all_tools();

struct Answer {
  std::string area;
  std::string program;
  bool present = true;  // false: the program is not installed beside this one
  int exit_status = 0;  // as in core/cli.h; a tool ended by a signal counts as 3
  std::string output;
};

// Asks every tool that has an answer to the question; `only` names areas, empty: all. An unknown
// area is an Error. Stops after the first failed tool when `stop_at_failure`.
core::Result<std::vector<Answer>> ask_tools(Question question, const std::string& site_file,
                                            const std::vector<std::string>& only, bool stop_at_failure);

// 0 when every tool said 0, else the largest exit status; an absent tool counts as `absent`.
int worst_status(const std::vector<Answer>& answers, int absent);

}  // namespace gatehouse::umbrella
