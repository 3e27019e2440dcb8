#include "ids/casetest/case.h"

#include <fmt/format.h>

#include <algorithm>
#include <filesystem>

#include "core/os.h"
#include "ids/casetest/traffic.h"

namespace gatehouse::ids::casetest {
namespace {

namespace fs = std::filesystem;
using core::MapReader;
using core::YamlNode;

constexpr const char* kNames[] = {"case.yaml", "case.json"};

std::vector<std::string> rule_files_here() {
  std::vector<std::string> found;
  std::error_code error;
  for (const fs::directory_entry& entry : fs::directory_iterator(".", error)) {
    if (entry.path().extension() == ".rules") found.push_back(entry.path().filename().string());
  }
  std::sort(found.begin(), found.end());
  return found;
}

void read_alerts(Case& out, const YamlNode& node, core::Diagnostics& diagnostics) {
  std::vector<std::int64_t> sids;
  if (!node.is_sequence())
    diagnostics.error("bad-value", node.where, "`alerts` must be a list of signature ids");
  for (const YamlNode& item : node.items) {
    if (const auto sid = core::yaml_uint(item, 1, 0xffff'ffff, diagnostics))
      sids.push_back(static_cast<std::int64_t>(*sid));
  }
  std::sort(sids.begin(), sids.end());
  out.alerts = std::move(sids);
}

std::string config_text(const YamlNode* settings, const YamlNode* eve) {
  nlohmann::json config = nlohmann::json::object();
  if (settings != nullptr && settings->is_map()) config["settings"] = to_json(*settings);
  if (eve != nullptr && eve->is_map()) config["eve"] = to_json(*eve);
  return config.empty() ? std::string() : config.dump(1);
}

// Members that other runners of such cases use and this one has no need of.
void ignore_description(MapReader& map) {
  for (const char* name : {"name", "area", "tier", "protocol", "files", "source"}) map.optional(name);
}

std::optional<Case> read_case(const YamlNode& root, core::Diagnostics& diagnostics) {
  Case out;
  MapReader map(root, "a case", diagnostics);
  out.about = map.string("about");
  const YamlNode* rules = map.optional("rules");
  if (rules == nullptr) {
    out.rules = rule_files_here();
  } else if (!rules->is_null()) {
    out.rules = map.strings("rules");
  }
  out.pcap = map.string("pcap");
  const YamlNode* traffic = map.optional("traffic");
  if (out.pcap.empty() == (traffic == nullptr))
    diagnostics.error("bad-value", root.where, "a case has `pcap` or `traffic`");
  if (traffic != nullptr) out.frames = make_traffic(*traffic, diagnostics);
  out.config = config_text(map.optional("config"), map.optional("eve"));
  if (const YamlNode* alerts = map.optional("alerts")) read_alerts(out, *alerts, diagnostics);
  if (const YamlNode* checks = map.optional("checks")) {
    for (const YamlNode& item : checks->items) out.checks.push_back(read_check(item, diagnostics));
  }
  out.refused = map.uint("refused", 0, 0, 1'000'000);
  ignore_description(map);
  map.finish();
  if (!out.alerts && out.checks.empty())
    diagnostics.error("bad-value", root.where, "a case must expect something: `alerts` or `checks`");
  if (diagnostics.has_errors()) return std::nullopt;
  return out;
}

}  // namespace

core::Result<std::vector<std::string>> find_cases(const std::string& path) {
  std::error_code error;
  std::vector<std::string> found;
  const auto add = [&](const fs::path& directory) {
    for (const char* name : kNames) {
      if (fs::is_regular_file(directory / name, error)) return found.push_back(directory.string());
    }
  };
  const fs::path root = fs::absolute(path, error);
  if (error || !fs::is_directory(root, error))
    return core::fail(core::Errc::not_found, fmt::format("{} is no directory", path));
  add(root);
  for (fs::recursive_directory_iterator at(root, error), end; !error && at != end; at.increment(error)) {
    if (at->is_directory(error)) add(at->path());
  }
  if (error) return core::fail(core::Errc::io, fmt::format("{}: {}", path, error.message()));
  std::sort(found.begin(), found.end());
  return found;
}

std::optional<Case> load_case(const std::string& directory, core::Diagnostics& diagnostics) {
  for (const char* name : kNames) {
    const std::string path = (fs::path(directory) / name).string();
    std::error_code error;
    if (!fs::exists(path, error)) continue;
    auto text = core::read_file(path);
    if (!text) {
      diagnostics.error("unreadable", {path, 0, 0}, text.error().to_string());
      return std::nullopt;
    }
    const core::SourceText source(path, std::move(*text));
    const std::optional<YamlNode> root = core::parse_yaml(source, diagnostics);
    std::optional<Case> out;
    if (root) out = read_case(*root, diagnostics);
    diagnostics.attach(source);
    if (out) out->directory = directory;
    return out;
  }
  diagnostics.error("unreadable", {directory, 0, 0}, "there is no case.yaml or case.json");
  return std::nullopt;
}

}  // namespace gatehouse::ids::casetest
