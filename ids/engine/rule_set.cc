#include "ids/engine/rule_set.h"

#include <sys/stat.h>

#include <algorithm>
#include <filesystem>

#include "core/os.h"
#include "ids/engine/lists.h"

namespace gatehouse::ids::engine {

core::Result<std::vector<std::string>> rule_files(const std::vector<std::string>& paths) {
  namespace fs = std::filesystem;
  std::vector<std::string> out;
  for (const std::string& path : paths) {
    std::error_code error;
    if (!fs::is_directory(path, error)) {
      out.push_back(path);
      continue;
    }
    std::vector<std::string> inside;
    for (fs::directory_iterator it(path, error), end; !error && it != end; it.increment(error)) {
      if (it->path().extension() == ".rules") inside.push_back(it->path().string());
    }
    if (error) return core::fail(core::Errc::io, "read directory " + path + ": " + error.message());
    if (inside.empty()) return core::fail(core::Errc::not_found, "no *.rules file in directory " + path);
    std::sort(inside.begin(), inside.end());
    out.insert(out.end(), inside.begin(), inside.end());
  }
  return out;
}

core::Result<std::uint64_t> rule_text_bytes(const std::vector<std::string>& paths) {
  GH_TRY(const std::vector<std::string> files, rule_files(paths));
  std::uint64_t sum = 0;
  for (const std::string& path : files) {
    std::error_code error;
    const std::uintmax_t size = std::filesystem::file_size(path, error);
    if (error) return core::fail(core::Errc::io, path + ": " + error.message());
    sum += size;
  }
  return sum;
}

core::Result<std::vector<core::SourceText>> read_rule_files(const std::vector<std::string>& paths) {
  std::vector<core::SourceText> out;
  for (const std::string& path : paths) {
    GH_TRY(std::string text, core::read_file(path, 256U << 20U));
    out.emplace_back(path, std::move(text));
  }
  return out;
}

namespace {

core::Status load_thresholds(Settings& settings, core::Diagnostics& diagnostics) {
  settings.environment.tunings.clear();
  if (settings.threshold_file.empty()) return {};
  GH_TRY(std::string text, core::read_file(settings.threshold_file));
  const core::SourceText source(settings.threshold_file, std::move(text));
  if (!parse_threshold_file(source, settings.environment, diagnostics)) {
    return core::fail(core::Errc::invalid_input, settings.threshold_file + " is no threshold file");
  }
  return {};
}

}  // namespace

core::Status load_classifications(Settings& settings, core::Diagnostics& diagnostics) {
  GH_CHECK(load_thresholds(settings, diagnostics));
  settings.environment.classifications = default_classifications();
  if (settings.classification_file.empty()) return {};
  GH_TRY(std::string text, core::read_file(settings.classification_file));
  const core::SourceText source(settings.classification_file, std::move(text));
  if (!parse_classifications(source, settings.environment, diagnostics)) {
    diagnostics.attach(source);
    return core::fail(core::Errc::invalid_input, settings.classification_file + " is no classification file");
  }
  return {};
}

core::Result<RuleSet> load_rule_set(const std::vector<std::string>& paths, const Settings& settings,
                                    core::Diagnostics& diagnostics) {
  RuleSet set;
  const std::uint64_t resident = core::resident_bytes(), peak = core::peak_rss_bytes();
  GH_CHECK(load_lists(settings, diagnostics));
  GH_TRY(set.files, rule_files(paths));
  RuleEnvironment environment = settings.environment;
  environment.keep_text = false;
  RuleList rules;
  {
    // The text is gone before the engine is built: it is as much memory as that needs.
    GH_TRY(const std::vector<core::SourceText> sources, read_rule_files(set.files));
    rules = check_rules(sources, environment, diagnostics);
    for (const core::SourceText& source : sources) {
      diagnostics.attach(source);
      set.text_bytes += source.text().size();
    }
  }
  set.loaded = rules.rules.size() + rules.detections.size();
  set.failed = rules.failed;
  set.skipped = rules.skipped;
  GH_TRY(set.engine, Engine::build(std::move(rules), settings.engine));
  if (const std::uint64_t now = core::peak_rss_bytes(); resident != 0 && now > peak)
    set.load_bytes = now - resident;
  core::release_free_memory();
  return set;
}

}  // namespace gatehouse::ids::engine
