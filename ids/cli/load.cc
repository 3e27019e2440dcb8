#include "ids/cli/load.h"

#include <fmt/format.h>

#include "core/log.h"
#include "core/os.h"
#include "site/load/load.h"

namespace gatehouse::ids::cli {

using core::Errc;
using core::fail;
using core::Result;

std::vector<core::OptionSpec> settings_options() {
  return {
      {.name = "--config",
       .value = "FILE",
       .help = "settings and event options, YAML or JSON",
       .required = false,
       .repeat = false},
      {.name = "--site",
       .value = "FILE",
       .help = "site policy: networks, thresholds, rule files",
       .required = false,
       .repeat = false},
      {.name = "--classification",
       .value = "FILE",
       .help = "classification.config: names and priorities of classtypes",
       .required = false,
       .repeat = false},
      {.name = "--state",
       .value = "FILE",
       .help = "what the anomaly detectors know is read from here, and written at the end (anomaly.state)",
       .required = false,
       .repeat = false},
      {.name = "--cache-dir",
       .value = "DIR",
       .help = "accepted for older command lines; nothing needs to be kept",
       .required = false,
       .repeat = false},
  };
}

Result<Loaded> load_settings(const core::Args& args) {
  Loaded out;
  core::Diagnostics diagnostics;
  if (args.has("--site")) {
    GH_TRY(out.site, site::load_site_file(args.value("--site"), diagnostics));
    if (!out.site) {
      core::print_diagnostics(diagnostics);
      return fail(Errc::invalid_input,
                  fmt::format("{} has {} error(s)", args.value("--site"), diagnostics.error_count()));
    }
  }
  std::optional<core::SourceText> config;
  if (args.has("--config")) {
    GH_TRY(std::string text, core::read_file(args.value("--config")));
    config.emplace(args.value("--config"), std::move(text));
  }
  engine::SettingsInput input;
  input.site = out.site ? &*out.site : nullptr;
  input.config = config ? &*config : nullptr;
  input.anomaly_state = args.value("--state");
  std::optional<engine::Settings> settings = engine::load_settings(input, diagnostics);
  if (args.has("--cache-dir")) core::log_info("note: --cache-dir does nothing: rule sets load fast enough");
  if (settings && args.has("--classification"))
    settings->classification_file = args.value("--classification");
  if (settings) {
    const core::Status read = engine::load_classifications(*settings, diagnostics);
    core::print_diagnostics(diagnostics);
    GH_CHECK(read);
    for (const std::string& note : settings->notes) core::log_info("note: {}", note);
    out.settings = std::move(*settings);
    return out;
  }
  core::print_diagnostics(diagnostics);
  return fail(Errc::invalid_input,
              fmt::format("the configuration has {} error(s)", diagnostics.error_count()));
}

Result<std::vector<std::string>> rule_paths(const core::Args& args, const Loaded& loaded) {
  std::vector<std::string> paths = args.values("--rules");
  if (loaded.site) {
    for (const std::string& path : loaded.site->detection.rule_files)
      paths.push_back(site::resolve_path(*loaded.site, path));
  }
  return paths;
}

Result<engine::RuleSet> load_rules(const std::vector<std::string>& paths, const engine::Settings& settings) {
  core::Diagnostics diagnostics;
  GH_TRY(engine::RuleSet set, engine::load_rule_set(paths, settings, diagnostics));
  core::print_diagnostics(diagnostics);
  if (set.failed != 0) core::log_warning("{} rules loaded, {} refused", set.loaded, set.failed);
  if (set.loaded == 0 && set.failed != 0)
    return fail(Errc::invalid_input, fmt::format("all {} rules are refused", set.failed));
  return set;
}

}  // namespace gatehouse::ids::cli
