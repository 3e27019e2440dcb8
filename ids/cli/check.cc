// ids check, ids keywords, ids config: what the engine knows and what it thinks of rules.
#include <fmt/format.h>

#include <algorithm>

#include "core/json.h"
#include "ids/cli/load.h"
#include "ids/cli/verbs.h"
#include "ids/keywords/keyword.h"

namespace gatehouse::ids::cli {

using core::Result;

Result<int> verb_check(const core::Args& args) {
  GH_TRY(const Loaded loaded, load_settings(args));
  std::vector<std::string> paths = args.positional();
  GH_TRY(const std::vector<std::string> more, rule_paths(args, loaded));
  paths.insert(paths.end(), more.begin(), more.end());
  if (paths.empty()) return core::fail(core::Errc::invalid_input, "name at least one rule file");
  core::Diagnostics diagnostics;
  GH_TRY(const engine::RuleSet set, engine::load_rule_set(paths, loaded.settings, diagnostics));
  diagnostics.sort();
  const bool good = set.failed == 0 && !diagnostics.has_errors();
  if (args.json()) {
    std::string out;
    core::JsonWriter json(out);
    json.begin_object();
    json.field("loaded", set.loaded).field("failed", set.failed).field("files", set.files.size());
    json.field("ok", good);
    std::string list;
    core::append_diagnostics_json(list, diagnostics);
    json.key("diagnostics").raw(list);
    json.end_object();
    out += '\n';
    GH_CHECK(core::print_result(out));
  } else {
    core::print_diagnostics(diagnostics);
    GH_CHECK(core::print_result(
        fmt::format("{} rules loaded, {} refused, {} file(s)\n", set.loaded, set.failed, set.files.size())));
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
