// ids test: rules proved by example.
#include <fmt/format.h>
#include <unistd.h>

#include <filesystem>

#include "core/json.h"
#include "ids/casetest/run.h"
#include "ids/cli/verbs.h"

namespace gatehouse::ids::cli {
namespace {

using casetest::Outcome;
using core::Errc;
using core::fail;
using core::Result;
using Verdict = Outcome::Verdict;

std::string_view word(Verdict verdict) {
  switch (verdict) {
    case Verdict::passed:
      return "ok";
    case Verdict::failed:
      return "FAIL";
    case Verdict::broken:
      return "BROKEN";
  }
  return {};
}

std::string short_name(const std::string& directory) {
  std::error_code error;
  const std::filesystem::path relative = std::filesystem::relative(directory, error);
  return error || relative.empty() || *relative.begin() == ".." ? directory : relative.string();
}

std::string text_of(const std::vector<Outcome>& outcomes, bool verbose, std::size_t passed) {
  std::string out;
  for (const Outcome& outcome : outcomes) {
    if (outcome.verdict == Verdict::passed && !verbose) continue;
    out += fmt::format("{:<7} {}\n", word(outcome.verdict), short_name(outcome.name));
    for (const std::string& reason : outcome.reasons) out += fmt::format("        {}\n", reason);
  }
  return out + fmt::format("{} of {} cases hold\n", passed, outcomes.size());
}

std::string json_of(const std::vector<Outcome>& outcomes, std::size_t passed) {
  std::string out;
  core::JsonWriter json(out);
  json.begin_object().field("passed", passed).field("cases", outcomes.size());
  json.key("results").begin_array();
  for (const Outcome& outcome : outcomes) {
    json.begin_object().field("case", short_name(outcome.name)).field("verdict", word(outcome.verdict));
    json.field("events", outcome.events).key("reasons").begin_array();
    for (const std::string& reason : outcome.reasons) json.string(reason);
    json.end_array();
    std::string list;
    core::append_diagnostics_json(list, outcome.diagnostics);
    json.key("diagnostics").raw(list).end_object();
  }
  json.end_array().end_object();
  return out + '\n';
}

// The described traffic of each case beside what it is named after: DIR/<case>.pcap.
core::Status write_captures(const std::vector<std::string>& cases, const std::string& directory) {
  for (const std::string& path : cases) {
    core::Diagnostics diagnostics;
    std::error_code error;
    const std::filesystem::path before = std::filesystem::current_path();
    std::filesystem::current_path(path, error);
    const auto test = casetest::load_case(path, diagnostics);
    std::filesystem::current_path(before, error);
    core::print_diagnostics(diagnostics);
    if (!test) return fail(Errc::invalid_input, path + " is no good case");
    if (!test->pcap.empty()) continue;
    const std::string name = std::filesystem::path(path).filename().string() + ".pcap";
    GH_CHECK(casetest::write_capture(*test, (std::filesystem::path(directory) / name).string()));
  }
  return {};
}

}  // namespace

Result<int> verb_test(const core::Args& args) {
  std::vector<std::string> cases;
  for (const std::string& path : args.positional()) {
    GH_TRY(const std::vector<std::string> found, casetest::find_cases(path));
    if (found.empty()) return fail(Errc::invalid_input, path + " holds no case.yaml or case.json");
    cases.insert(cases.end(), found.begin(), found.end());
  }
  if (args.has("--write-pcap")) {
    GH_CHECK(write_captures(cases, args.value("--write-pcap")));
    return core::kExitDone;
  }
  const std::string only = args.value("--name");
  std::vector<Outcome> outcomes;
  std::size_t passed = 0;
  bool broken = false;
  const bool progress = ::isatty(STDERR_FILENO) == 1;
  for (std::size_t i = 0; i < cases.size(); ++i) {
    if (cases[i].find(only) == std::string::npos) continue;
    if (progress) fmt::print(stderr, "\r{}/{}", i + 1, cases.size());
    outcomes.push_back(casetest::run_case(cases[i]));
    const Outcome& outcome = outcomes.back();
    if (outcome.verdict == Verdict::passed) {
      ++passed;
    } else if (!args.json()) {
      core::print_diagnostics(outcome.diagnostics);
    }
    broken = broken || outcome.verdict == Verdict::broken;
  }
  if (progress) fmt::print(stderr, "\r\x1b[K");
  if (outcomes.empty()) return fail(Errc::invalid_input, fmt::format("no case is named `{}`", only));
  GH_CHECK(core::print_result(args.json() ? json_of(outcomes, passed)
                                          : text_of(outcomes, args.verbose(), passed)));
  if (broken) return core::kExitUsage;
  return passed == outcomes.size() ? core::kExitDone : core::kExitNo;
}

}  // namespace gatehouse::ids::cli
