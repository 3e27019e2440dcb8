#include "site/cli/tools.h"

#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>

#include "core/cli.h"
#include "core/diag.h"
#include "site/drill/command.h"

namespace gatehouse::umbrella {
namespace {

constexpr std::string_view kSitePlace = "@SITE";
// An apply may wait for its confirmation.
constexpr std::chrono::milliseconds kToolLimit{600'000};

core::Result<std::string> own_directory() {
  std::array<char, 4096> path;
  const ssize_t n = readlink("/proc/self/exe", path.data(), path.size());
  if (n <= 0) return core::fail_errno(errno, "read /proc/self/exe");
  const std::string_view text(path.data(), static_cast<std::size_t>(n));
  return std::string(text.substr(0, text.rfind('/')));
}

bool chosen(const std::vector<std::string>& only, std::string_view area) {
  return only.empty() || std::find(only.begin(), only.end(), area) != only.end();
}

core::Status check_areas(const std::vector<std::string>& only) {
  std::vector<std::string> areas;
  for (const Tool& tool : all_tools()) areas.emplace_back(tool.area);
  for (const auto& name : only) {
    if (std::find(areas.begin(), areas.end(), name) != areas.end()) continue;
    const std::string hint = core::did_you_mean(name, areas);
    return core::fail(core::Errc::not_found,
                      fmt::format("no area is called `{}`{}{}", name, hint.empty() ? "" : "; ", hint));
  }
  return {};
}

core::Result<Answer> ask(const Tool& tool, Question question, const std::string& directory,
                         const std::string& site_file) {
  Answer answer{std::string(tool.area), std::string(tool.program), true, 0, {}};
  std::vector<std::string> argv = {directory + "/" + answer.program};
  if (access(argv[0].c_str(), X_OK) != 0) {
    answer.present = false;
    return answer;
  }
  for (std::string_view word : tool.arguments(question)) {
    argv.emplace_back(word == kSitePlace ? std::string_view(site_file) : word);
  }
  drill::CommandOptions options;
  options.limit = kToolLimit;
  GH_TRY(drill::CommandResult result, drill::run_command(argv, options));
  answer.exit_status = result.exit_status < 0 ? core::kExitRefused : result.exit_status;
  answer.output = std::move(result.output);
  return answer;
}

}  // namespace

const std::vector<std::string_view>& Tool::arguments(Question question) const {
  switch (question) {
    case Question::check:
      return check;
    case Question::plan:
      return plan;
    case Question::apply:
      return apply;
    case Question::status:
      return status;
  }
  return check;
}

const std::vector<Tool>& all_tools() {
  static const std::vector<Tool> tools = {
      {"firewall", "fwctl", {"check", "@SITE"}, {"plan", "@SITE"}, {"apply", "@SITE"}, {"status", "@SITE"}},
      {"access", "mac", {"check", "@SITE"}, {}, {}, {}},
      {"detection", "ids", {"check", "--site", "@SITE"}, {}, {}, {}},
      {"delivery", "socfwd", {}, {}, {}, {"status", "@SITE"}},
  };
  return tools;
}

core::Result<std::vector<Answer>> ask_tools(Question question, const std::string& site_file,
                                            const std::vector<std::string>& only, bool stop_at_failure) {
  GH_CHECK(check_areas(only));
  GH_TRY(const std::string directory, own_directory());
  std::vector<Answer> answers;
  for (const Tool& tool : all_tools()) {
    if (!chosen(only, tool.area) || tool.arguments(question).empty()) continue;
    GH_TRY(Answer answer, ask(tool, question, directory, site_file));
    answers.push_back(std::move(answer));
    if (stop_at_failure && (!answers.back().present || answers.back().exit_status != 0)) break;
  }
  return answers;
}

int worst_status(const std::vector<Answer>& answers, int absent) {
  int worst = 0;
  for (const Answer& answer : answers) worst = std::max(worst, answer.present ? answer.exit_status : absent);
  return worst;
}

}  // namespace gatehouse::umbrella
