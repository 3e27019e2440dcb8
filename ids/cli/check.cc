// ids check, ids keywords, ids config: what the engine knows and what it thinks of rules.
#include <fmt/format.h>

#include <algorithm>

#include "core/json.h"
#include "ids/cli/load.h"
#include "ids/cli/verbs.h"
#include "ids/engine/lists.h"
#include "ids/keywords/keyword.h"
#include "ids/lint/lint.h"
#include "ids/lint/sarif.h"

namespace gatehouse::ids::cli {

using core::Result;

namespace {

struct Checked {
  std::size_t loaded = 0, failed = 0, files = 0;
  core::Diagnostics diagnostics;
};

// No engine is built: what is wrong with rules is known before.
Result<Checked> check_files(const std::vector<std::string>& paths, const engine::Settings& settings) {
  Checked out;
  GH_CHECK(engine::load_lists(settings, out.diagnostics));
  GH_TRY(const std::vector<std::string> files, engine::rule_files(paths));
  GH_TRY(const std::vector<core::SourceText> sources, engine::read_rule_files(files));
  // Never given back: the program ends, and freeing rules one by one would be a tenth of its time.
  static RuleList& rules = *new RuleList;
  rules = check_rules(sources, settings.environment, out.diagnostics);
  lint::lint_rules(sources, rules, out.diagnostics);
  out.loaded = rules.rules.size() + rules.detections.size();
  out.failed = rules.failed;
  out.files = files.size();
  out.diagnostics.sort();
  return out;
}

std::string check_json(const Checked& checked, bool good) {
  std::string out;
  core::JsonWriter json(out);
  json.begin_object();
  json.field("loaded", checked.loaded).field("failed", checked.failed).field("files", checked.files);
  json.field("ok", good);
  std::string list;
  core::append_diagnostics_json(list, checked.diagnostics);
  json.key("diagnostics").raw(list);
  json.end_object();
  out += '\n';
  return out;
}

}  // namespace

Result<int> verb_check(const core::Args& args) {
  const std::string format = args.value("--format", args.json() ? "json" : "text");
  if (format != "text" && format != "json" && format != "sarif")
    return core::fail(core::Errc::invalid_input, "--format takes text, json or sarif, not " + format);
  GH_TRY(const Loaded loaded, load_settings(args));
  std::vector<std::string> paths = args.positional();
  GH_TRY(const std::vector<std::string> more, rule_paths(args, loaded));
  paths.insert(paths.end(), more.begin(), more.end());
  if (paths.empty()) return core::fail(core::Errc::invalid_input, "name at least one rule file");
  GH_TRY(const Checked checked, check_files(paths, loaded.settings));
  const core::Diagnostics& diagnostics = checked.diagnostics;
  const bool good = checked.failed == 0 && !diagnostics.has_errors() &&
                    !(args.has("--strict") && diagnostics.warning_count() != 0);
  if (format == "json") {
    GH_CHECK(core::print_result(check_json(checked, good)));
  } else if (format == "sarif") {
    GH_CHECK(core::print_result(lint::to_sarif(diagnostics, GATEHOUSE_VERSION)));
  } else {
    core::print_diagnostics(diagnostics);
    GH_CHECK(core::print_result(fmt::format("{} rules loaded, {} refused, {} warning(s), {} file(s)\n",
                                            checked.loaded, checked.failed, diagnostics.warning_count(),
                                            checked.files)));
  }
  return good ? core::kExitDone : core::kExitNo;
}

Result<int> verb_keywords(const core::Args& args) {
  struct Row {
    std::string_view name, kind, summary;
  };
  std::vector<Row> rows;
  for (const KeywordDescriptor& k : keyword_table()) rows.push_back({k.name, "keyword", k.summary});
  for (const BufferDescriptor& b : buffer_table()) {
    if (!b.name.empty()) rows.push_back({b.name, "buffer", "sticky buffer"});
  }
  std::stable_sort(rows.begin(), rows.end(), [](const Row& a, const Row& b) { return a.name < b.name; });
  std::string out;
  if (args.json()) {
    core::JsonWriter json(out);
    json.begin_array();
    for (const Row& row : rows)
      json.begin_object()
          .field("name", row.name)
          .field("kind", row.kind)
          .field("summary", row.summary)
          .end_object();
    json.end_array();
    out += '\n';
  } else {
    for (const Row& row : rows) out += fmt::format("{:<32} {:<8} {}\n", row.name, row.kind, row.summary);
  }
  GH_CHECK(core::print_result(out));
  return core::kExitDone;
}

Result<int> verb_config(const core::Args& args) {
  GH_TRY(const Loaded loaded, load_settings(args));
  std::string out;
  if (args.json()) {
    core::JsonWriter json(out);
    engine::append_settings_json(json, loaded.settings);
    out += '\n';
  } else {
    out = engine::print_settings(loaded.settings);
  }
  GH_CHECK(core::print_result(out));
  return core::kExitDone;
}

}  // namespace gatehouse::ids::cli
