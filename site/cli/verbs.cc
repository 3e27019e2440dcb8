#include "site/cli/verbs.h"

#include <fmt/format.h>

#include <cstdio>

#include "core/json.h"
#include "core/os.h"
#include "site/cli/tools.h"
#include "site/drill/drill.h"
#include "site/drill/report.h"
#include "site/load/load.h"

namespace gatehouse::umbrella {
namespace {

using core::Args;
using core::Result;

// Loads the site; when it has errors they have been printed and there is no site.
Result<std::optional<site::Site>> load(const std::string& path) {
  core::Diagnostics diagnostics;
  GH_TRY(auto loaded, site::load_site_file(path, diagnostics));
  core::print_diagnostics(diagnostics);
  return loaded;
}

std::string answers_json(const std::string& site, const std::vector<Answer>& answers, int status) {
  std::string out;
  core::JsonWriter json(out);
  json.begin_object().field("site", site).field("ok", status == 0).key("tools").begin_array();
  for (const Answer& answer : answers) {
    json.begin_object().field("area", answer.area).field("program", answer.program);
    json.field("present", answer.present).field("exit_status", answer.exit_status);
    json.field("output", answer.output).end_object();
  }
  json.end_array().end_object();
  return out + "\n";
}

std::string answers_text(const std::vector<Answer>& answers) {
  std::string out;
  for (const Answer& answer : answers) {
    const char* verdict = !answer.present ? "not installed" : answer.exit_status == 0 ? "ok" : "failed";
    out += fmt::format("== {} ({}): {}\n{}", answer.area, answer.program, verdict, answer.output);
    if (!answer.output.empty() && answer.output.back() != '\n') out += '\n';
  }
  return out;
}

// Checks the site file itself, then asks the tools. `absent`: what a missing tool means.
Result<int> ask(const Args& args, Question question, int absent) {
  const std::string& file = args.positional()[0];
  GH_TRY(auto site, load(file));
  if (!site) return core::kExitUsage;
  const bool stop = question == Question::apply;  // what comes later relies on what came before
  GH_TRY(auto answers, ask_tools(question, file, args.values("--only"), stop));
  const int status = worst_status(answers, absent);
  GH_CHECK(
      core::print_result(args.json() ? answers_json(site->name, answers, status) : answers_text(answers)));
  return status;
}

void show_progress(const drill::Row& row) {
  const std::string problem = row.problem();
  std::fprintf(stderr, "%-20s %s%s: %s\n", std::string(row.attack.id).c_str(),
               row.holds() ? "holds" : "FAILS", problem.empty() ? "" : (" (" + problem + ")").c_str(),
               row.outcome.fact.c_str());
}

Result<int> list_attacks(const Args& args) {
  std::string out;
  core::JsonWriter json(out);
  if (args.json()) json.begin_array();
  for (const drill::Attack& attack : drill::all_attacks()) {
    if (args.json()) {
      json.begin_object().field("id", attack.id).field("safeguard", attack.safeguard);
      json.field("control", attack.control).field("attack", attack.title);
      json.field("reported", attack.report != nullptr).end_object();
    } else {
      out +=
          fmt::format("{:<20} {:>2} {:<18} {}\n", attack.id, attack.safeguard, attack.control, attack.title);
    }
  }
  if (args.json()) {
    json.end_array();
    out += '\n';
  }
  GH_CHECK(core::print_result(out));
  return core::kExitDone;
}

Result<int> run_drill(const Args& args) {
  if (args.has("--list")) return list_attacks(args);
  if (args.positional().empty()) {
    return core::fail(core::Errc::invalid_input, "drill needs the LAB file (or --list)");
  }
  core::Diagnostics diagnostics;
  auto lab = drill::load_lab(args.positional()[0], diagnostics);
  core::print_diagnostics(diagnostics);
  if (!lab)
    return diagnostics.has_errors() ? Result<int>(core::kExitUsage) : tl::make_unexpected(lab.error());
  GH_TRY(auto site, load(lab->site_file));
  if (!site) return core::kExitUsage;
  drill::DrillOptions options;
  options.only = args.values("--only");
  options.controls = args.values("--control");
  GH_TRY(const std::uint64_t limit, args.uint("--report-within", 15, 0, 3600));
  options.report_limit = std::chrono::seconds(limit);
  options.progress = show_progress;
  GH_TRY(const drill::DrillResult result, drill::run_drill(*lab, *site, options));
  if (args.has("--html")) GH_CHECK(core::write_file_atomic(args.value("--html"), drill::to_html(result)));
  GH_CHECK(core::print_result(args.json() ? drill::to_json(result) : drill::to_text(result)));
  return result.holds() ? core::kExitDone : core::kExitNo;
}

const core::OptionSpec kOnlyArea = {"--only", "AREA", "only this area: firewall, access, detection, delivery",
                                    false, true};

}  // namespace

core::ToolSpec gatehouse_tool() {
  core::ToolSpec tool;
  tool.name = "gatehouse";
  tool.summary = "one site policy, enforced and proved";
  tool.description =
      "Checks a site policy with every tool that enforces it, puts it in force, shows its state, and drills "
      "it: "
      "attacks a running site with real tools and judges every safeguard by what really happened.";
  tool.verbs = {
      {"check",
       "SITE",
       1,
       1,
       "check the policy and ask every tool to check its part",
       {kOnlyArea},
       [](const Args& args) { return ask(args, Question::check, core::kExitDone); }},
      {"plan",
       "SITE",
       1,
       1,
       "show what `apply` would change",
       {kOnlyArea},
       [](const Args& args) { return ask(args, Question::plan, core::kExitRefused); }},
      {"apply",
       "SITE",
       1,
       1,
       "put the policy in force; stops at the first tool that refuses",
       {kOnlyArea},
       [](const Args& args) { return ask(args, Question::apply, core::kExitRefused); }},
      {"status",
       "SITE",
       1,
       1,
       "show what is in force",
       {kOnlyArea},
       [](const Args& args) { return ask(args, Question::status, core::kExitRefused); }},
      {"drill",
       "[LAB]",
       0,
       1,
       "attack the running site and judge every safeguard",
       {{"--list", "", "list the attacks instead", false, false},
        {"--only", "ATTACK", "only this attack", false, true},
        {"--control", "SAFEGUARD", "only the attacks on this safeguard, as --list names it", false, true},
        {"--report-within", "SECONDS", "how long the SOC may take (default 15)", false, false},
        {"--html", "FILE", "also write the result as one self-contained page", false, false}},
       run_drill},
  };
  tool.examples = {
      {"gatehouse check rules/site/web-mail.yaml", "check the policy and all of its parts"},
      {"gatehouse drill lab.yaml --html drill.html", "attack the lab and write the evidence as a page"},
  };
  return tool;
}

}  // namespace gatehouse::umbrella
